"""The laws of binning: nothing is lost, nothing is counted twice, an axis onto itself is itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import ModelFileError, SlideError
from napari_ims_tumor.job import JobStopped, run_inline
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.msi.binning import (
    bin_axis,
    bin_spectra,
    binned_blocks,
    cells_of,
    covers,
    refuse_uncovered,
)
from napari_ims_tumor.msi.binning.cells import LONE_REACH_DA
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

ascending = st.lists(
    st.floats(1e-3, 5.0, allow_nan=False), min_size=1, max_size=60
).map(lambda steps: 200.0 + np.cumsum(steps))  # fmt: skip
seeds = st.integers(0, 2**32 - 1)


def line(n: int) -> PixelGrid:
    return PixelGrid(np.zeros(n), np.arange(n), (1, n))


def continuous(mz: np.ndarray, matrix: np.ndarray, mode: str = "profile") -> InMemoryDataset:
    return InMemoryDataset.from_matrix(MassAxis(mz), matrix, line(len(matrix)), "test", mode)


def processed(spectra: list[tuple[np.ndarray, np.ndarray]], mode: str) -> InMemoryDataset:
    made = [Spectrum(mz, intensity, mode) for mz, intensity in spectra]
    return InMemoryDataset.from_spectra(made, line(len(made)))


def binned(dataset: InMemoryDataset, axis: MassAxis, indices=None) -> np.ndarray:
    return run_inline(bin_spectra(dataset, axis, indices))


@given(ascending)
def test_bins_never_overlap_and_hold_their_own_center(mz):
    cells = cells_of(mz, lone_reach=LONE_REACH_DA)
    assert (cells.low <= mz).all()
    assert (mz <= cells.high).all()
    assert (cells.low[1:] - cells.high[:-1] >= -1e-8 * mz[1:]).all()
    middles = (mz[1:] + mz[:-1]) / 2
    assert (cells.high[:-1] <= middles * (1 + 2e-9)).all()


@given(st.floats(0.001, 3.0), st.integers(3, 500), st.floats(0, 1e-3))
def test_bins_of_a_smooth_axis_partition_it(step, n, growth):
    mz = 100.0 + np.cumsum(step * (1 + growth) ** np.arange(n))
    cells = cells_of(mz)
    assert np.array_equal(cells.high[:-1], cells.low[1:])


def test_a_bin_does_not_reach_across_a_gap():
    mz = np.array([800.0, 801, 802, 803, 850, 851, 852, 853])
    cells = cells_of(mz)
    assert cells.high[3] == pytest.approx(803.6)
    assert cells.low[4] == pytest.approx(849.4)
    assert cells.high[0] == cells.low[1] == 800.5


def test_one_close_pair_does_not_narrow_its_neighbors():
    mz = np.array([800.0, 801, 802, 803, 803.01, 804, 805, 806, 807, 808])
    cells = cells_of(mz)
    assert np.array_equal(cells.high[:-1], cells.low[1:])


@given(ascending, seeds, st.sampled_from(["profile", "centroid"]))
def test_an_axis_onto_itself_is_the_identity(mz, seed, mode):
    matrix = np.random.default_rng(seed).random((3, mz.size), np.float32)
    axis = MassAxis(mz)
    assert np.array_equal(binned(continuous(mz, matrix, mode), axis), matrix)
    ragged = processed([(mz, row) for row in matrix], mode)
    assert np.allclose(binned(ragged, axis), matrix, rtol=1e-6, atol=0)


@given(ascending, ascending, seeds)
def test_centroids_are_summed_into_the_bin_they_fall_in(mz, target, seed):
    values = np.random.default_rng(seed).random(mz.size)
    cells = cells_of(target, lone_reach=LONE_REACH_DA)
    expected = np.zeros(target.size)
    for m, value in zip(mz, values, strict=True):
        inside = np.flatnonzero((cells.low <= m) & (m <= cells.high))
        if inside.size:
            expected[inside[-1]] += value
    got = binned(processed([(mz, values)], "centroid"), MassAxis(target))[0]
    assert np.allclose(got, expected, rtol=1e-5)


@given(ascending, seeds, st.floats(-0.5, 0.5), st.floats(0.05, 3.0))
def test_a_profile_keeps_its_sum_on_any_axis_that_covers_it(mz, seed, shift, step):
    values = np.random.default_rng(seed).random(mz.size, np.float32)
    target = MassAxis(np.arange(mz[0] - 10, mz[-1] + 10, step) + shift * step)
    for dataset in (continuous(mz, values[None]), processed([(mz, values)], "profile")):
        assert binned(dataset, target).sum() == pytest.approx(values.sum(), rel=1e-5)


@given(ascending, ascending, seeds, st.sampled_from(["profile", "centroid"]))
def test_continuous_and_processed_agree(mz, target, seed, mode):
    matrix = np.random.default_rng(seed).random((2, mz.size), np.float32)
    one = binned(continuous(mz, matrix, mode), MassAxis(target))
    two = binned(processed([(mz, row) for row in matrix], mode), MassAxis(target))
    assert np.allclose(one, two, rtol=1e-5, atol=1e-7)
    assert (one.sum(axis=1) <= matrix.sum(axis=1) * (1 + 1e-5)).all()


def test_no_comb_where_two_profile_axes_drift_past_each_other():
    mz, target = np.arange(500, 600, 0.1), np.arange(505, 595, 0.103)
    got = binned(continuous(mz, np.ones((1, mz.size))), MassAxis(target))[0]
    assert np.allclose(got, 1.03, rtol=1e-3)
    # Whole samples would have given 1 and 2.
    counted = binned(continuous(mz, np.ones((1, mz.size)), "centroid"), MassAxis(target))[0]
    assert counted.max() - counted.min() == 1


@pytest.mark.parametrize("shift", [-0.4, -0.1, 0.25, 0.45])
def test_peaks_of_another_calibration_find_their_bin(shift):
    target = 800.0 + np.arange(50) * 1.0005
    got = binned(continuous(target + shift, np.eye(50), "centroid"), MassAxis(target))
    assert np.array_equal(got, np.eye(50))


def test_values_that_are_not_finite_count_as_zero():
    mz = np.array([500.0, 501, 502, 503])
    matrix = np.array([[1, np.nan, np.inf, 2], [np.nan] * 4], np.float32)
    for axis in (MassAxis(mz), MassAxis(mz + 0.2)):
        assert np.isfinite(binned(continuous(mz, matrix), axis)).all()
        ragged = processed([(mz, row) for row in matrix], "profile")
        assert binned(ragged, axis)[0].sum() == pytest.approx(3, rel=0.3)


def test_empty_and_duplicated_peaks():
    none, twice = np.zeros(0), np.array([500.0, 500.0, 501.0])
    for mode in ("profile", "centroid"):
        ragged = processed([(none, none), (twice, np.ones(3)), (none, none)], mode)
        got = binned(ragged, MassAxis(np.array([499.0, 500, 501, 502])))
        assert got.sum(axis=1) == pytest.approx([0, 3, 0], rel=1e-5)


def test_order_duplicates_and_subset_of_spectra():
    mz = np.arange(500.0, 520)
    matrix = np.random.default_rng(0).random((6, 20), np.float32)
    wanted = np.array([4, 0, 4, 2])
    for dataset in (continuous(mz, matrix), processed([(mz, m) for m in matrix], "centroid")):
        assert np.array_equal(binned(dataset, MassAxis(mz), wanted), matrix[wanted])


@pytest.mark.parametrize("mode", ["centroid", "profile"])
def test_blocks_are_small_and_together_everything(mode):
    rng = np.random.default_rng(0)
    spectra = [(np.sort(rng.uniform(500, 900, 30)), rng.random(30)) for _ in range(400)]
    axis = MassAxis(np.linspace(499, 901, 20_000))
    dataset = processed(spectra, mode)
    found = list(binned_blocks(dataset, axis))
    assert len(found) > 1
    assert max(values.size for _, values in found) <= 2**22
    assert np.array_equal(np.concatenate([i for i, _ in found]), np.arange(400))
    together = np.concatenate([v for _, v in found])
    assert np.array_equal(together, binned(dataset, axis))
    assert np.array_equal(together[399], binned(processed(spectra[399:], mode), axis)[0])


def test_a_peak_exactly_between_two_bins_counts_once():
    axis = MassAxis(np.array([500.0, 501.0, 502.0]))
    peaks = np.array([499.5, 500.5, 501.5, 502.5])
    got = binned(processed([(peaks, np.array([1.0, 2, 4, 8]))], "centroid"), axis)
    assert got.tolist() == [[1, 2, 12]]


@given(ascending, ascending, seeds)
def test_a_spectrum_is_binned_alike_alone_and_among_others(mz, other, seed):
    rng = np.random.default_rng(seed)
    spectra = [
        (mz, rng.random(mz.size)),
        (other, rng.random(other.size)),
        (mz, rng.random(mz.size)),
    ]
    axis = MassAxis(np.arange(200.0, 300, 0.7))
    together = binned(processed(spectra, "profile"), axis)
    for row, spectrum in zip(together, spectra, strict=True):
        assert np.array_equal(row, binned(processed([spectrum], "profile"), axis)[0])


def test_binning_can_be_stopped():
    dataset = continuous(np.arange(500.0, 510), np.ones((4, 10)))
    with pytest.raises(JobStopped):
        run_inline(bin_spectra(dataset, MassAxis(np.arange(500.0, 509))), should_stop=lambda: True)


def test_axis_of_a_continuous_slide_is_its_own():
    dataset = continuous(np.array([500.0, 501, 503, 600]), np.ones((1, 4)), "centroid")
    assert bin_axis(dataset) == dataset.mass_axis


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(1e-6, 20e-6))
def test_axis_of_processed_centroids_finds_the_peaks_in_spite_of_jitter(seed, jitter):
    rng = np.random.default_rng(seed)
    truth = 500 + 3 * np.arange(100) + rng.uniform(0, 2, 100)
    spectra = []
    for _ in range(50):
        seen = np.sort(truth[rng.random(100) < 0.6])
        spectra.append(
            (np.sort(seen * (1 + rng.normal(0, jitter, seen.size))), rng.random(seen.size))
        )
    dataset = processed(spectra, "centroid")
    axis = bin_axis(dataset)
    assert len(axis) == 100
    assert np.abs(axis.mz / truth - 1).max() < 3 * jitter
    total = sum(s[1].sum() for s in spectra)
    assert binned(dataset, axis).sum() == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_axis_of_a_processed_profile_samples_as_the_slide_does(power):
    mz = 400 + np.cumsum(0.05 * (np.arange(1, 4001) / 4000) ** power + 0.01)
    rng = np.random.default_rng(1)
    spectra = [(mz + rng.normal(0, 0.002), rng.random(mz.size)) for _ in range(5)]
    axis = bin_axis(processed(spectra, "profile"))
    assert 0.9 < len(axis) / mz.size < 1.1
    want = np.interp(axis.mz, mz[:-1], np.diff(mz))
    assert np.abs(np.diff(axis.mz) / want[:-1] - 1)[100:-100].max() < 0.1


def test_axis_of_a_long_profile_is_bounded():
    mz = np.linspace(100, 2000, 60_000)
    assert len(bin_axis(processed([(mz, np.ones(mz.size))], "profile"))) == 20_000


def test_axis_of_lone_and_of_no_peaks():
    lone = processed([(np.array([m]), np.ones(1)) for m in (500.0, 501.0, 500.0)], "centroid")
    assert bin_axis(lone).mz.tolist() == [500.0, 501.0]
    with pytest.raises(SlideError, match="no peak"):
        bin_axis(processed([(np.zeros(0), np.zeros(0))], "centroid"))


def test_a_slide_that_does_not_cover_the_model_is_refused_with_both_ranges():
    axis = MassAxis(np.linspace(800, 2200, 600))
    short = continuous(np.linspace(900, 1500, 600), np.ones((1, 600)))
    with pytest.raises(ModelFileError, match=r"800\.00 to 2200\.00.*900\.00 to 1500\.00"):
        refuse_uncovered(short, axis)


def test_picked_peaks_may_end_a_little_earlier_but_a_profile_may_not():
    axis = MassAxis(np.linspace(800, 2200, 1401))
    inner = axis.mz[10:-10]
    refuse_uncovered(continuous(inner, np.ones((1, inner.size)), "centroid"), axis)
    with pytest.raises(ModelFileError):
        refuse_uncovered(continuous(inner, np.ones((1, inner.size)), "profile"), axis)


def test_a_slide_of_other_peaks_is_refused():
    axis = MassAxis(800.0 + np.arange(1000) * 0.5)
    few = continuous(np.linspace(800, 1300, 40), np.ones((1, 40)), "centroid")
    with pytest.raises(ModelFileError, match=r"only \d+% of the model's 1000 bins"):
        refuse_uncovered(few, axis)


def test_a_slide_without_a_peak_covers_nothing():
    assert not covers((float("nan"), float("nan")), MassAxis(np.array([500.0, 501.0])))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "bins", "kept"),
    [
        ("bladder_tma1/TMA1.imzML", (593, 593), 1.0),
        ("kidney_timstof_healthy/kidney_processed_offsetcoords.imzML", (2000, 4000), 0.8),
        ("timstof_tsf_emptyspectra/tsf_processed_missingpixels.imzML", (2000, 4000), 0.6),
        ("fiedler16/fiedler16.imzML", (42388, 42388), 1.0),
    ],
)
def test_real_slides_keep_most_of_their_intensity(real_data, file, bins, kept):
    from napari_ims_tumor.io.imzml import open_imzml

    with open_imzml(real_data / file) as slide:
        axis = bin_axis(slide)
        assert bins[0] <= len(axis) <= bins[1]
        got = run_inline(bin_spectra(slide, axis))
        tic = slide.total_ion_current()
        assert np.isfinite(got).all()
        assert got.sum(dtype=float) >= kept * tic.sum() * (1 - 1e-6)
        assert (got[tic == 0] == 0).all()
        assert (got.sum(axis=1, dtype=float) <= tic * (1 + 1e-5)).all()


def test_slides_without_signal_say_so() -> None:
    pixels = PixelGrid(np.zeros(3, int), np.arange(3), (1, 3))
    mz = np.array([500.0, 501.0, 502.0])
    for values in ([np.nan, np.nan, np.inf], [0.0, 0.0, 0.0]):
        spectra = [Spectrum(mz, np.array(values))] * 3
        with pytest.raises(SlideError, match="no signal"):
            bin_axis(InMemoryDataset.from_spectra(spectra, pixels))
    empty = InMemoryDataset.from_spectra([Spectrum(np.zeros(0), np.zeros(0))] * 3, pixels)
    with pytest.raises(SlideError, match="no peak"):
        refuse_uncovered(empty, MassAxis(mz))


@pytest.mark.parametrize("lowest", [0.0, -5.0])
def test_masses_that_no_ion_has(lowest) -> None:
    pixels = PixelGrid(np.zeros(3, int), np.arange(3), (1, 3))
    spectrum = Spectrum(np.array([lowest, 501.0, 502.0]), np.ones(3))
    with pytest.raises(SlideError, match="0 or below"):
        bin_axis(InMemoryDataset.from_spectra([spectrum] * 3, pixels))


@pytest.mark.parametrize("scale", [1e36, 1e300])
def test_intensities_beyond_what_32_bits_hold_keep_their_shares(scale: float) -> None:
    mz = np.linspace(500.0, 540.0, 40)
    usual = np.random.default_rng(0).gamma(2.0, 50.0, (6, 40))
    usual[2, 3], usual[4, :5] = np.nan, -1.0
    huge = usual * np.where(np.arange(6) % 2, 1.0, scale)[:, None]
    for axis in (MassAxis(mz), MassAxis(mz[::3] + 0.2)):
        for mode in ("profile", "centroid"):
            expected = binned(continuous(mz, usual, mode), axis)
            for dataset in (
                continuous(mz, huge, mode), processed([(mz, row) for row in huge], mode)
            ):  # fmt: skip
                found = binned(dataset, axis)
                assert np.isfinite(found).all()
                shares = root_of_shares(found, 5)
                assert np.allclose(shares, root_of_shares(expected, 5), atol=1e-5)
            # Beside spectra that are scaled all others are as they were.
            assert np.array_equal(binned(continuous(mz, huge, mode), axis)[1::2], expected[1::2])


def test_a_profile_at_the_end_of_32_bits_can_be_summed() -> None:
    mz = np.linspace(500.0, 540.0, 40)
    values = np.full((2, 40), 3e38, np.float32)
    shares = root_of_shares(binned(continuous(mz, values), MassAxis(mz)), 5)
    assert np.isfinite(shares).all()
    assert shares.min() > 0
