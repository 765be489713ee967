from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from napari_ims_tumor.job import STOP, outcome_of, run_inline
from napari_ims_tumor.msi.binning import (
    bin_spectra,
    binned_blocks,
    bins_job,
    keep_bins,
    kept_nbytes,
    let_bins_go,
)
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Mode, Spectrum, SpectrumBlock
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

AXIS = MassAxis(np.linspace(500.0, 520.0, 40))
N = 12
PLENTY = 10**9


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    let_bins_go()
    yield
    let_bins_go()


class Counted(InMemoryDataset):
    """A slide that counts the spectra that are read."""

    n_read = 0

    def blocks(self, indices: np.ndarray | None = None) -> Iterator[SpectrumBlock]:
        for block in super().blocks(indices):
            type(self).n_read += block.indices.size
            yield block


def slide(mode: Mode = "profile", continuous: bool = True) -> InMemoryDataset:
    rng, pixels = np.random.default_rng(0), PixelGrid(np.arange(N) // 4, np.arange(N) % 4, (3, 4))
    Counted.n_read = 0
    if continuous:
        mz = np.linspace(499.0, 521.0, 90)
        return Counted.from_matrix(MassAxis(mz), rng.random((N, 90)), pixels, "slide", mode)
    spectra = []
    for _ in range(N):
        mz = np.sort(rng.uniform(499, 521, 60))
        spectra.append(Spectrum(mz, rng.random(60), mode))
    return Counted.from_spectra(spectra, pixels)


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("mode", ["profile", "centroid"])
def test_what_is_kept_is_what_would_be_read(mode: Mode, continuous: bool) -> None:
    dataset = slide(mode, continuous)
    order = np.array([7, 2, 3, 4, 11, 0])
    whole = outcome_of(bin_spectra(dataset, AXIS))
    some = outcome_of(bin_spectra(dataset, AXIS, order))
    keep_bins(dataset, AXIS, PLENTY)
    # First they are read and put aside, then taken from there.
    for _ in range(2):
        assert (outcome_of(bin_spectra(dataset, AXIS, order)) == some).all()
        assert (outcome_of(bin_spectra(dataset, AXIS)) == whole).all()
    read = Counted.n_read
    assert (outcome_of(bin_spectra(dataset, AXIS, order)) == some).all()
    assert (outcome_of(bin_spectra(dataset, AXIS)) == whole).all()
    assert Counted.n_read == read


def test_another_axis_or_slide_is_read_as_ever() -> None:
    dataset = slide()
    kept = keep_bins(dataset, AXIS, PLENTY)
    assert kept is not None
    kept.put(np.arange(N), np.ones((N, 40), np.float32))
    shorter = MassAxis(AXIS.mz[:20])
    assert (outcome_of(bin_spectra(dataset, shorter)) != 1).any()
    assert (outcome_of(bin_spectra(slide(), AXIS)) != 1).any()
    assert keep_bins(dataset, MassAxis(AXIS.mz.copy()), PLENTY) is kept


def test_one_slide_is_kept_within_the_budget_and_while_it_is_there() -> None:
    dataset, other = slide(), slide(continuous=False)
    assert keep_bins(dataset, AXIS, N * 40 * 4 - 1) is None
    assert kept_nbytes() == 0
    keep_bins(dataset, AXIS, N * 40 * 4)
    keep_bins(other, AXIS, PLENTY)
    assert kept_nbytes() == N * 40 * 4
    let_bins_go(dataset)
    assert kept_nbytes() == N * 40 * 4
    del other
    gc.collect()
    assert kept_nbytes() == 0


def test_a_stopped_job_leaves_what_it_read_and_the_next_reads_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = slide(continuous=False)
    module = sys.modules["napari_ims_tumor.msi.binning.bin_spectra"]
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 5 * 40)
    expected = outcome_of(bin_spectra(dataset, AXIS))
    kept = keep_bins(dataset, AXIS, PLENTY)
    assert kept is not None
    job = bins_job(dataset, AXIS)
    next(job)
    with pytest.raises(StopIteration):
        job.send(STOP)
    assert kept.missing.tolist() == list(range(5, N))
    run_inline(bins_job(dataset, AXIS))
    assert not kept.missing.size
    found = np.concatenate([values for _, values in binned_blocks(dataset, AXIS)])
    assert (found == expected).all()


def test_nobody_can_write_into_what_is_kept() -> None:
    dataset = slide()
    keep_bins(dataset, AXIS, PLENTY)
    run_inline(bins_job(dataset, AXIS))
    for _, values in binned_blocks(dataset, AXIS):
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 1
