"""Ion images are the same to the last bit: of an index, of a stream, and by brute force."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.cache_folder import FOLDER_VARIABLE, LIMIT_VARIABLE
from napari_ims_tumor.io.imzml import (
    ImzmlDataset,
    alike,
    arrays,
    dataset,
    indexing,
    key_skeleton,
    open_imzml,
    runs,
    scatter,
    sieve,
    windows,
)
from napari_ims_tumor.io.imzml.channel_index import ChannelIndex
from napari_ims_tumor.io.imzml.peak_index import PeakIndex
from napari_ims_tumor.io.imzml.peak_order import BIN_PPM
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.msi.ion_image import values_of_blocks
from napari_ims_tumor.msi.reduction import REDUCTIONS, Reduction

OLD = 1_600_000_000


@pytest.fixture(autouse=True)
def no_slide_is_small(monkeypatch) -> None:
    monkeypatch.setattr(dataset, "SMALL", 0)


@pytest.fixture
def small_pieces(monkeypatch) -> None:
    """Many chunks and blocks in the smallest slide."""
    monkeypatch.setattr(indexing, "_CHUNK_BYTES", 300)
    monkeypatch.setattr(windows, "_BLOCK_BYTES", 300)
    monkeypatch.setattr(runs, "BLOCK_BYTES", 300)


def aged(path: Path) -> Path:
    for part in path.parent.glob(f"{path.stem}.*"):
        os.utime(part, (OLD, OLD))
    return path


def prepared(path: Path, **options: int) -> ImzmlDataset:
    """Open a slide, and let its index be built."""
    slide = open_imzml(aged(path), **options)
    slide.total_ion_current()
    job = slide.index_job()
    assert job is not None
    assert run_inline(job) == ""
    return slide


def index_of(slide: ImzmlDataset) -> PeakIndex | ChannelIndex | None:
    return slide._windows._index


def without_index(slide: ImzmlDataset) -> ImzmlDataset:
    slide._windows._index, slide._windows._has_looked = None, True
    return slide


def brute_force(pixels: list, bounds: np.ndarray, reduce: Reduction) -> np.ndarray:
    """One point after the other, in Python."""
    found = np.zeros((bounds.shape[1], len(pixels)))
    for (w, (low, high)), (j, pixel) in product(enumerate(bounds.T), enumerate(pixels)):
        order = [i for i in np.argsort(pixel.mz, kind="stable") if low <= pixel.mz[i] <= high]
        values = [float(v) for v in pixel.intensity[order] if np.isfinite(v)]
        total = 0.0
        for value in values:
            total += value
        made = {"sum": total, "max": max(values, default=0.0)}
        found[w, j] = made.get(reduce, total / max(len(values), 1))
    return found


def all_ways(path: Path, pixels: list, bounds: np.ndarray) -> None:
    """Check every way to the numbers of windows against brute force."""
    with prepared(path) as slide:
        assert index_of(slide) is not None
        for reduce in REDUCTIONS:
            wanted = brute_force(pixels, bounds, reduce)
            assert np.array_equal(slide.window_values(bounds, reduce), wanted)
            assert np.array_equal(values_of_blocks(slide, bounds, reduce), wanted)
        without_index(slide)
        for reduce in REDUCTIONS:
            wanted = brute_force(pixels, bounds, reduce)
            assert np.array_equal(slide.window_values(bounds, reduce), wanted)
            alone = [slide.window_values(b[:, None], reduce)[0] for b in bounds.T]
            assert np.array_equal(alone, wanted)


def first_images(path: Path, pixels: list, bounds: np.ndarray) -> None:
    """Check the images of a slide of which nothing is known, and what is found out with them."""
    for reduce in REDUCTIONS:
        with open_imzml(path) as slide, open_imzml(path) as other:
            found = slide.window_values(bounds, reduce)
            assert np.array_equal(found, brute_force(pixels, bounds, reduce))
            for _ in other._surveyed():
                pass
            assert slide._summary is not None
            assert other._summary is not None
            assert np.array_equal(slide._summary.tic, other._summary.tic)
            assert np.array_equal(slide.mass_range, other.mass_range, equal_nan=True)
            assert slide.warnings == other.warnings


def make_windows(rng: np.random.Generator, mz: np.ndarray) -> np.ndarray:
    """Windows anywhere, and with edges on peaks, beside peaks, and on the edges of bins."""
    finite = mz[np.isfinite(mz)]
    places = rng.choice(finite, 8) if finite.size else np.full(8, 500.0)
    low = np.concatenate(
        [
            places[:2],
            np.nextafter(places[2:4], np.inf),
            np.exp(np.floor(np.log(np.maximum(places[4:6], 1)) * 1e6 / BIN_PPM) * BIN_PPM / 1e6),
            places[6:] * (1 - 1e-5),
            [0.0, -5.0, 0.5],
        ]
    )
    widths = np.concatenate([[0.0, 1e-7], rng.exponential(0.01, 3), rng.exponential(50, 3)])
    return np.stack([low, low + np.concatenate([widths, [1e9, 4.0, 0.6]])])


@st.composite
def processed_slides(draw, make_pixel) -> tuple[list, dict]:
    """Spectra with everything that is odd, and how they are written."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mz_type = draw(st.sampled_from(["f8", "f4"]))
    disorder = draw(st.booleans())
    edges = np.exp(rng.integers(2e5, 14e5, 6) * BIN_PPM / 1e6)
    beside = [np.nextafter(edges, 0), edges, np.nextafter(edges, np.inf)]
    grid = np.concatenate([rng.uniform(1.5, 2000, 20), *beside])
    pixels = []
    for i in range(draw(st.integers(1, 9))):
        mz = rng.choice(grid, rng.integers(0, 25)) * (1 + rng.choice([0, 1e-11, 2e-6, -4e-6]))
        mz = np.sort(mz).astype(mz_type).astype(float)
        values = rng.normal(0, 1, mz.size) * 10.0 ** rng.integers(-9, 9, mz.size)
        if disorder:
            rng.shuffle(mz)
            mz[rng.random(mz.size) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 0.2, -3.0, 1e12])
            mz = mz.astype(mz_type).astype(float)
            values[rng.random(mz.size) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        pixels.append(make_pixel(i + 1, 1, mz, values.astype("f4").astype(float)))
    quirks = {
        "mz_type": mz_type,
        "intensity_type": draw(st.sampled_from(["f4", "f8"])),
        "mz_zlib": draw(st.integers(0, 3)) == 0,
        "intensity_zlib": draw(st.integers(0, 3)) == 0,
        "intensity_first": draw(st.booleans()),
    }
    return pixels, quirks


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_way_equals_brute_force(write_slide_in, make_pixel, small_pieces, data) -> None:
    pixels, quirks = data.draw(processed_slides(make_pixel))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    bounds = make_windows(rng, np.concatenate([pixel.mz for pixel in pixels]))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # Arrays are read each to its place, taken apart word by word, or copied one by one.
        patch.setattr(scatter, "HAS_VECTORS", data.draw(st.booleans()))
        patch.setattr(sieve, "_SHORT", data.draw(st.sampled_from([0, 256])))
        path = write_slide_in(Path(folder), pixels, **quirks)
        # Windows are looked up in keys of all points, in those of few spectra or of all.
        patch.setattr(key_skeleton, "_LONG", data.draw(st.sampled_from([0, 256])))
        patch.setattr(key_skeleton, "_MOST_SHARE", data.draw(st.sampled_from([0.25, 1])))
        first_images(path, pixels, bounds)
        all_ways(path, pixels, bounds)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    mz_type=st.sampled_from(["f8", "f4"]),
    intensity_first=st.booleans(),
)
def test_windows_looked_up_in_keys_equal_brute_force(
    write_slide_in, make_pixel, monkeypatch, seed, mz_type, intensity_first
) -> None:
    monkeypatch.setattr(key_skeleton, "_LONG", 0)
    monkeypatch.setattr(key_skeleton, "_MOST_SHARE", 1)
    rng = np.random.default_rng(seed)
    grid = rng.uniform(200, 200 + 10.0 ** rng.integers(-6, 4), 40)
    pixels = []
    for i in range(int(rng.integers(2, 12))):
        mz = np.sort(rng.choice(grid, rng.integers(0, 25))).astype(mz_type).astype(float)
        values = rng.normal(0, 1, mz.size).astype("f4").astype(float)
        values[rng.random(mz.size) < 0.1] = rng.choice([np.nan, np.inf])
        pixels.append(make_pixel(i + 1, 1, mz, values))
    every = np.concatenate([pixel.mz for pixel in pixels])
    bounds = make_windows(rng, every)
    with tempfile.TemporaryDirectory() as folder:
        quirks = {"mz_type": mz_type, "intensity_first": intensity_first}
        with open_imzml(write_slide_in(Path(folder), pixels, **quirks)) as slide:
            slide.total_ion_current()
            for reduce in REDUCTIONS:
                wanted = brute_force(pixels, bounds, reduce)
                alone = [slide.window_values(b[:, None], reduce)[0] for b in bounds.T]
                assert np.array_equal(alone, wanted)
            assert (slide._windows._skeleton is not None) == (every.size > 0)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), zlib=st.booleans(), kind=st.sampled_from(["f4", "f8"]))
def test_every_way_of_a_continuous_slide_equals_brute_force(
    write_slide_in, make_pixel, small_pieces, seed, zlib, kind
) -> None:
    rng = np.random.default_rng(seed)
    mz = np.unique(rng.uniform(100, 110, 40))
    if seed % 4 == 0:
        mz = rng.permutation(mz)
    pixels = []
    for i in range(int(rng.integers(2, 12))):
        values = rng.normal(0, 1, mz.size) * 10.0 ** rng.integers(-9, 9, mz.size)
        values[rng.random(mz.size) < 0.05] = rng.choice([np.nan, np.inf, -np.inf])
        pixels.append(make_pixel(i + 1, 1, mz, values.astype(kind).astype(float)))
    low = np.array([mz.min(), mz[3], mz[5], 0.0, 120.0, mz[2] + 1e-9])
    bounds = np.stack([low, low + np.array([0.0, 0.0, 3.0, 1e4, 1.0, 0.0])])
    with tempfile.TemporaryDirectory() as folder:
        quirks = {"layout": "continuous", "intensity_type": kind, "intensity_zlib": zlib}
        all_ways(write_slide_in(Path(folder), pixels, **quirks), pixels, bounds)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(seed=15378, shift=3, kind=False)
@given(seed=st.integers(0, 2**32 - 1), shift=st.sampled_from([0, 0, 3, 300]), kind=st.booleans())
def test_long_spectra_that_are_alike_or_not_equal_brute_force(
    write_slide_in, make_pixel, monkeypatch, seed, shift, kind
) -> None:
    monkeypatch.setattr(alike, "_LONG", 10)
    # Wider than a shift of 3, so that such spectra are alike whatever is drawn.
    monkeypatch.setattr(alike, "_MARGIN", 6)
    rng = np.random.default_rng(seed)
    axis = np.cumsum(rng.uniform(0.01, 0.02, 400)) + 100
    pixels = []
    for i in range(40):
        mz = axis[int(rng.integers(0, shift + 1)) : int(rng.integers(360, 401))]
        if i == 7:
            mz = mz[:0] if seed % 2 else mz[:20]
        mz = mz + rng.choice([0, 1e-3])
        pixels.append(
            make_pixel(i + 1, 1, mz, rng.normal(0, 1, mz.size).astype("f4").astype(float))
        )
    if kind:
        for pixel in pixels:
            pixel.mz[:] = pixel.mz.astype("f4")
    place = int(rng.choice([0, 30, 200, 340]))
    low = axis[place + np.array([0, 1, 2, 5])] + rng.choice([0, 1e-3])
    bounds = np.stack([low, low + np.array([0.0, 0.0, 0.1, 0.03])])
    with tempfile.TemporaryDirectory() as folder:
        path = write_slide_in(Path(folder), pixels, mz_type="f4" if kind else "f8")
        all_ways(path, pixels, bounds)
        with open_imzml(path) as slide:
            paths = slide._windows
            found = paths._alike.values(bounds, "sum", paths._read)
            assert found is not None or shift == 300
            assert found is None or np.array_equal(found, brute_force(pixels, bounds, "sum"))


@pytest.mark.real_data
def test_every_way_is_the_same_on_every_real_file(real_data) -> None:
    seen = set()
    for path in sorted(real_data.rglob("*")):
        if path.suffix.lower() != ".imzml" or not path.with_suffix(".ibd").exists():
            continue
        with open_imzml(path) as slide:
            slide.total_ion_current()
            low, high = slide.mass_range
            places = np.linspace(low, high, 5)
            spectrum = slide.spectrum(slide.n_spectra // 2)
            peaks = spectrum.mz[:: max(1, len(spectrum) // 3)][:3]
            middles = np.concatenate([places, peaks])
            bounds = np.stack([middles * (1 - 2e-5), middles * (1 + 2e-5)])
            bounds[:, -1] = middles[-1]
            wanted = values_of_blocks(slide, bounds, "sum")
            job = slide.index_job()
            assert job is not None
            assert run_inline(job) == ""
            seen.add(type(index_of(slide)))
            assert np.array_equal(slide.window_values(bounds, "sum"), wanted), path.name
            assert np.array_equal(without_index(slide).window_values(bounds, "sum"), wanted)
    assert seen == {PeakIndex, ChannelIndex}


@pytest.fixture
def path(write_slide, processed_pixels) -> Path:
    return aged(write_slide(processed_pixels))


WINDOWS = np.array([[100.0, 300.0], [400.0, 900.0]])


def values_in(path: Path) -> np.ndarray:
    with open_imzml(path) as slide:
        return values_of_blocks(slide, WINDOWS, "sum")


def test_what_was_found_out_is_there_when_the_slide_is_opened_again(path) -> None:
    with prepared(path) as first:
        wanted = first.mean_spectrum(), first.max_spectrum(), first.total_ion_current()
        mass_range = first.mass_range
    with open_imzml(path) as again:
        # Nothing can be read any more: all of it was known.
        again._parts.ibd.close()
        assert again.mass_range == mass_range
        assert np.array_equal(again.total_ion_current(), wanted[2])
        for found, known in zip(
            (again.mean_spectrum(), again.max_spectrum()), wanted, strict=False
        ):
            assert np.array_equal(found.mz, known.mz)
            assert np.array_equal(found.intensity, known.intensity)
    with open_imzml(path) as again:
        assert np.array_equal(again.window_values(WINDOWS, "sum"), values_in(path))
        assert index_of(again) is not None


def test_a_stop_in_the_middle_leaves_nothing(path, slide_cache, small_pieces) -> None:
    with open_imzml(path) as slide:
        job = slide.index_job()
        assert job is not None
        for _ in range(3):
            assert next(job).total == slide.n_spectra
        with pytest.raises(JobStopped):
            job.send(STOP)
        assert index_of(slide) is None
        assert not list(slide_cache.rglob("values.bin"))
        job = slide.index_job()
        assert job is not None
        next(job)
        next(job)
        job.close()
        assert not list(slide_cache.rglob("values.bin"))
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))


@pytest.mark.parametrize("name", ["values.bin", "starts.bin", "part.json"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_damaged_index_is_built_anew(path, slide_cache, name, cut) -> None:
    prepared(path).close()
    file = next(slide_cache.rglob("index")) / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data[: len(data) // 2] if cut else data)
    with open_imzml(path) as slide:
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))
        assert index_of(slide) is None
    with prepared(path) as slide:
        assert index_of(slide) is not None
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))


def test_an_index_of_another_slide_is_not_used(path, slide_cache, monkeypatch) -> None:
    prepared(path).close()
    monkeypatch.setattr(indexing.PeakIndex, "of", classmethod(_refuse))
    with open_imzml(path) as slide:
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))
        assert index_of(slide) is None


def _refuse(*_: object) -> None:
    raise ValueError("the chunks do not fit together")


def test_clearing_the_cache_does_no_harm_to_an_open_slide(path) -> None:
    with prepared(path) as slide:
        code = "from napari_ims_tumor.cli import main; main(['cache', '--clear'])"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))
        assert index_of(slide) is not None


def test_a_changed_file_is_refused_with_an_index_too(path) -> None:
    with prepared(path) as slide:
        os.utime(path.with_suffix(".ibd"), (OLD + 9, OLD + 9))
        with pytest.raises(SlideError, match="changed"):
            slide.window_values(WINDOWS, "sum")


@pytest.mark.parametrize(("limit", "budget"), [("0.00001MB", 1 << 20), ("0.00001MB", 0)])
def test_without_room_on_disk_it_is_kept_in_memory_or_a_note_says_why(
    path, monkeypatch, limit, budget
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, limit)
    with open_imzml(path, memory_budget=budget) as slide:
        job = slide.index_job()
        assert job is not None
        note = run_inline(job)
        assert (index_of(slide) is None) == (budget == 0)
        assert ("more than its limit" in note) == (budget == 0)
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))


def test_a_slide_that_was_just_written_is_indexed_in_memory(path, slide_cache) -> None:
    os.utime(path.with_suffix(".ibd"))
    with open_imzml(path) as slide:
        job = slide.index_job()
        assert job is not None
        assert run_inline(job) == ""
        assert index_of(slide) is not None
        assert not slide_cache.exists()


def test_two_processes_may_build_at_once(path, slide_cache) -> None:
    code = (
        "import sys; from pathlib import Path; from napari_ims_tumor.io.imzml import *\n"
        "from napari_ims_tumor.io.imzml import dataset, indexing\n"
        "from napari_ims_tumor.job import run_inline\n"
        "dataset.SMALL, indexing._CHUNK_BYTES = 0, 100\n"
        "for _ in range(20):\n"
        "    slide = open_imzml(sys.argv[1]); run_inline(slide.index_job())\n"
        "    assert slide._windows._index is not None\n"
        "    import shutil; shutil.rmtree(sys.argv[2], ignore_errors=True)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(slide_cache / "v1")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for process in running:
        assert process.wait(60) == 0, process.stderr.read().decode()[-2000:]


def test_eight_threads_get_the_same_images(path, small_pieces) -> None:
    wanted = values_in(path)
    for slide in (prepared(path), without_index(prepared(path))):
        with slide, ThreadPoolExecutor(8) as pool:
            running = [pool.submit(slide.window_values, WINDOWS, "sum") for _ in range(200)]
            assert all(np.array_equal(made.result(), wanted) for made in running)


@pytest.mark.parametrize("layout", ["processed", "continuous"])
def test_where_the_system_has_no_positioned_reads_images_are_the_same(
    write_slide, processed_pixels, continuous_pixels, monkeypatch, layout
) -> None:
    pixels = processed_pixels if layout == "processed" else continuous_pixels
    path = write_slide(pixels, layout=layout)
    low = np.array([100.0, 104.0])
    bounds = np.stack([low, low + np.array([0.0, 0.5])])
    wanted = brute_force(pixels, bounds, "sum")
    monkeypatch.setattr(alike, "_LONG", 0)
    for module, name, value in (
        (arrays, "HAS_PREADV", False),
        (scatter, "HAS_VECTORS", False),
        (arrays, "_HAS_PREAD", False),
        (arrays, "_READ_AT", arrays.seek_and_read),
    ):
        monkeypatch.setattr(module, name, value)
    with prepared(path) as slide:
        assert np.array_equal(slide.window_values(bounds, "sum"), wanted)
        assert np.array_equal(without_index(slide).window_values(bounds, "sum"), wanted)


def test_one_array_far_away_does_not_make_the_buffer_large(path, monkeypatch) -> None:
    monkeypatch.setattr(windows, "_BLOCK_BYTES", 1000)
    monkeypatch.setattr(windows, "_MOST_WASTE", 1e9)
    with open_imzml(path) as slide:
        parts = slide._parts
        assert windows.WindowStream.of(parts.ibd, parts.index) is not None
        offsets = parts.index.mz.offsets.copy()
        offsets[3] += 1 << 40
        far = replace(parts.index, mz=replace(parts.index.mz, offsets=offsets))
        assert windows.WindowStream.of(parts.ibd, far) is None


@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_keys_are_kept_within_the_budget_until_there_is_an_index(path, monkeypatch, budget) -> None:
    monkeypatch.setattr(key_skeleton, "_LONG", 0)
    wanted = values_in(path)
    with open_imzml(path, memory_budget=budget) as slide:
        for _ in range(3):
            assert np.array_equal(slide.window_values(WINDOWS, "sum"), wanted)
        assert (slide._windows._skeleton is not None) == (budget > 0)
        os.utime(path.with_suffix(".ibd"), (OLD + 9, OLD + 9))
        with pytest.raises(SlideError, match="changed"):
            slide.window_values(WINDOWS, "sum")
    with open_imzml(aged(path), memory_budget=budget) as slide:
        for _ in range(2):
            slide.window_values(WINDOWS, "sum")
        job = slide.index_job()
        assert job is not None
        run_inline(job)
        assert slide._windows._skeleton is None
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), wanted)


def test_a_small_slide_needs_no_index(path, monkeypatch, slide_cache) -> None:
    monkeypatch.setattr(dataset, "SMALL", 1 << 20)
    with open_imzml(path) as slide:
        assert slide.index_job() is None
        assert np.array_equal(slide.window_values(WINDOWS, "sum"), values_in(path))
    assert not slide_cache.exists()
    assert os.environ[FOLDER_VARIABLE]
