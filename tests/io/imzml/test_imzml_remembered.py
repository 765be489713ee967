"""A reopened slide is the same in everything, and never one that has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import ImzmlDataset, open_imzml, reading, remembered
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid

OLD = 1_600_000_000

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "packed": {"mz_zlib": True, "intensity_type": "i4"},
    "shared": {"share_mz": True},
    "continuous": {"layout": "continuous"},
    "neither": {"layout": "neither", "share_mz": True},
    "renamed": {"suffixes": (".imzml", ".IBD"), "encoding": "UTF-16", "hash_kind": "md5"},
    "other identity": {"identity": bytes(16)},
    "names disagree": {"edit": lambda text: text.replace("32-bit float", "64-bit float")},
    "more announced": {"edit": lambda text: text.replace('List count="12"', 'List count="13"')},
    "area": {"settings": '<cvParam accession="IMS:1000046" name="pixel size" value="-3"/>'},
    "sized": {"settings": '<cvParam accession="IMS:1000046" name="pixel size" value="20"/>'},
}


@pytest.fixture(autouse=True)
def all_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slides of tests are small."""
    monkeypatch.setattr(remembered, "WORTH", 0)


def aged(path: Path, by: int = 0) -> Path:
    """Make a slide look written long ago: of one just written a change might go unseen."""
    for file in path.parent.iterdir():
        if file.stem == path.stem:
            os.utime(file, (OLD + by, OLD + by))
    return path


def seen(slide: ImzmlDataset) -> dict[str, Any]:
    """Everything that a slide tells, in a form that compares."""
    names = [name for name in dir(type(slide)) if not name.startswith("_")]
    told = {name: getattr(slide, name) for name in names if not callable(getattr(slide, name))}
    pixels, axis = told.pop("pixels"), told.pop("mass_axis")
    stated = told.pop("positions")
    low, high = slide.mass_range
    window = MassWindow((low + high) / 2, MassTolerance((high - low) / 4))
    return {
        **{name: repr(value) for name, value in told.items()},
        "repr": repr(slide),
        **{f"pixels.{name}": value for name, value in vars_of(pixels).items()},
        "positions": [None if v is None else v.tolist() for v in (stated.x, stated.y, stated.z)],
        "axis": None if axis is None else axis.mz.tolist(),
        "spectra": [
            vars_of_spectrum(slide, i) for i in range(0, slide.n_spectra, 1 + slide.n_spectra // 40)
        ],
        "blocks": [b.intensity.tobytes() for b in slide.blocks()],
        "image": slide.ion_images([window]).tobytes(),
        "tic": slide.total_ion_current().tobytes(),
        "mean": slide.mean_spectrum().intensity.tobytes(),
        "warnings at last": slide.warnings,
    }


def vars_of(pixels: PixelGrid) -> dict[str, Any]:
    names = [name for name in dir(type(pixels)) if not name.startswith("_")]
    told = {name: getattr(pixels, name) for name in [*names, "rows", "columns", "planes", "shape"]}
    return {n: repr(np.asarray(v).tolist()) for n, v in told.items() if not callable(v)}


def vars_of_spectrum(slide: ImzmlDataset, i: int) -> tuple[Any, ...]:
    spectrum = slide.spectrum(i)
    mz, intensity = spectrum.mz, spectrum.intensity
    return (spectrum.mode, mz.dtype, mz.tobytes(), intensity.dtype, intensity.tobytes())


def assert_reopens_alike(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(path)
    with open_imzml(path) as slide:
        first = seen(slide)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_document", _must_not_be_read)
        with open_imzml(path) as slide:
            assert seen(slide) == first


def _must_not_be_read(path: Path) -> None:
    raise AssertionError(f"{path} is read again")


@pytest.mark.parametrize("quirks", CASES.values(), ids=CASES)
def test_a_reopened_slide_is_the_same(
    write_slide, processed_pixels, continuous_pixels, monkeypatch, quirks
) -> None:
    shared = quirks.get("layout") in ("continuous", "neither") or quirks.get("share_mz")
    path = write_slide(continuous_pixels if shared else processed_pixels, **quirks)
    assert_reopens_alike(path, monkeypatch)


def test_odd_slides_reopen_the_same(
    write_slide, processed_pixels, continuous_pixels, make_pixel, monkeypatch
) -> None:
    order = np.random.default_rng(0).permutation(30)
    spaces = [
        make_pixel(p.x, p.y, p.mz, p.intensity, z=3 + i % 2) for i, p in enumerate(processed_pixels)
    ]
    mixed = [make_pixel(p.x, p.y, p.mz[order], p.intensity[order]) for p in continuous_pixels]
    twice = [make_pixel(p.x % 2 - 7, p.y, p.mz, p.intensity) for p in processed_pixels]
    assert_reopens_alike(write_slide(spaces, name="planes"), monkeypatch)
    assert_reopens_alike(write_slide(mixed, name="unsorted", layout="continuous"), monkeypatch)
    assert_reopens_alike(write_slide(twice, name="twice"), monkeypatch)


def test_arrays_of_several_types_reopen_the_same(
    write_slide, processed_pixels, monkeypatch
) -> None:
    path = write_slide(processed_pixels, inline=True, intensity_type="i4")
    parts = path.read_text("latin-1").split("</spectrum>")
    parts[2] = parts[2].replace("MS:1000519", "MS:1000521").replace("32-bit int", "32-bit flo")
    path.write_text("</spectrum>".join(parts), "latin-1")
    assert_reopens_alike(path, monkeypatch)


@pytest.mark.real_data
def test_real_slides_reopen_the_same(real_data, monkeypatch, tmp_path) -> None:
    count = 0
    for path in sorted(real_data.rglob("*.imzML")):
        pair = [file for file in path.parent.iterdir() if file.stem == path.stem]
        if sum(file.stat().st_size for file in pair) > 30e6 or len(pair) < 2:
            continue
        with open_imzml(path) as slide:
            first = seen(slide)
        with monkeypatch.context() as patch:
            patch.setattr(reading, "read_document", _must_not_be_read)
            with open_imzml(path) as slide:
                assert seen(slide) == first
        count += 1
    assert count > 20


@pytest.mark.parametrize("change", ["time", "size", "identity", "ibd"])
def test_a_changed_slide_is_read_again(write_slide, processed_pixels, change) -> None:
    path = aged(write_slide(processed_pixels))
    open_imzml(path).close()
    text = path.read_text("latin-1")
    moved = text.replace('name="position x" value="3"', 'name="position x" value="7"')
    if change == "ibd":
        ibd = path.with_suffix(".ibd")
        ibd.write_bytes(ibd.read_bytes() + b"more")
        aged(path, by=0)
    elif change == "identity":
        path.write_text(moved.replace("9abc", "9abd"), "latin-1")
        aged(path)
    else:
        path.write_text(moved + ("\n" if change == "size" else ""), "latin-1")
        aged(path, by=1 if change == "time" else 0)
    with open_imzml(path) as slide:
        assert slide.pixels.shape[1] == (3 if change == "ibd" else 7)
        assert slide.ibd_size == path.with_suffix(".ibd").stat().st_size
        assert any("UUID" in warning for warning in slide.warnings) == (change == "identity")


def test_a_cut_ibd_is_refused_although_it_was_known(write_slide, processed_pixels) -> None:
    path = aged(write_slide(processed_pixels))
    open_imzml(path).close()
    ibd = path.with_suffix(".ibd")
    ibd.write_bytes(ibd.read_bytes()[:-5])
    aged(path)
    with pytest.raises(SlideError, match="incomplete copy"):
        open_imzml(path)


def test_a_slide_is_known_wherever_it_lies(
    write_slide, processed_pixels, monkeypatch, slide_cache
) -> None:
    path = aged(write_slide(processed_pixels, identity=bytes(16)))
    open_imzml(path).close()
    new = path.rename(path.with_stem("other"))
    path.with_suffix(".ibd").rename(new.with_suffix(".ibd"))
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_document", _must_not_be_read)
        with open_imzml(new) as slide:
            known = seen(slide)
    monkeypatch.setenv("IMS_TUMOR_CACHE", str(slide_cache / "empty"))
    with open_imzml(new) as slide:
        assert seen(slide) == known
        assert slide.source == new


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "empty"])
def test_damaged_entries_are_made_anew(
    write_slide, continuous_pixels, slide_cache, damage, monkeypatch
) -> None:
    path = aged(write_slide(continuous_pixels, layout="continuous", mz_zlib=True))
    with open_imzml(path) as slide:
        first = seen(slide)
    names = sorted(file.name for file in slide_cache.rglob("opening/*"))
    assert len(names) > 4
    for name in names:
        file = next(slide_cache.rglob(f"opening/{name}"))
        data = bytearray(file.read_bytes())
        if damage == "remove":
            file.unlink()
        elif damage == "flip":
            data[len(data) // 2] ^= 4
            file.write_bytes(data)
        else:
            file.write_bytes(data[: len(data) // 2 if damage == "cut" else 0])
        with open_imzml(path) as slide:
            assert seen(slide) == first
        with monkeypatch.context() as patch:
            patch.setattr(reading, "read_document", _must_not_be_read)
            open_imzml(path).close()


def test_an_entry_that_lacks_something_counts_as_nothing(write_slide, processed_pixels) -> None:
    path = aged(write_slide(processed_pixels))
    with open_imzml(path) as slide:
        first = seen(slide)
    entry = remembered.entry_of(path, path.with_suffix(".ibd"))
    assert entry is not None
    kept = entry.read(remembered.PART, remembered.VERSION)
    assert kept is not None
    for lacking in [*kept.facts, *kept.arrays]:
        facts = {name: value for name, value in kept.facts.items() if name != lacking}
        arrays = {name: values for name, values in kept.arrays.items() if name != lacking}
        entry.write(remembered.PART, remembered.VERSION, facts, arrays)
        with open_imzml(path) as slide:
            assert seen(slide) == first


def test_another_version_is_not_believed(write_slide, processed_pixels, monkeypatch) -> None:
    path = aged(write_slide(processed_pixels))
    open_imzml(path).close()
    monkeypatch.setattr(remembered, "VERSION", remembered.VERSION + 1)
    read = []
    real = reading.read_document
    monkeypatch.setattr(reading, "read_document", lambda where: (read.append(1), real(where))[1])
    open_imzml(path).close()
    open_imzml(path).close()
    assert len(read) == 1


def test_without_a_place_to_write_slides_open_all_the_same(
    write_slide, processed_pixels, monkeypatch, tmp_path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IMS_TUMOR_CACHE", str(tmp_path / "file" / "below"))
    path = aged(write_slide(processed_pixels))
    for _ in range(2):
        with open_imzml(path) as slide:
            assert slide.n_spectra == 12


def test_small_slides_are_not_worth_it(write_slide, processed_pixels, slide_cache, monkeypatch):
    monkeypatch.setattr(remembered, "WORTH", 1 << 20)
    open_imzml(aged(write_slide(processed_pixels))).close()
    assert not slide_cache.exists()


PROBE = """
import sys
import napari_ims_tumor as ims
from napari_ims_tumor.io.imzml import remembered

remembered.WORTH = 0
with ims.open_imzml(sys.argv[1]) as slide:
    slide.ion_images([ims.MassWindow(300.0, ims.MassTolerance(100.0))])
print(*sys.modules)
"""
HEAVY = ("scipy", "skimage", "sklearn", "matplotlib", "jinja2", "pandas", "torch", "napari", "lxml")
ELSEWHERE = ("pydantic", "tifffile", "zarr", "shapely", "pyimzml", "PIL", "dask", "ome_types")


def test_a_fresh_process_loads_nothing_that_it_does_not_need(write_slide, processed_pixels):
    path = aged(write_slide(processed_pixels))
    for _ in ("unknown", "known"):
        done = subprocess.run(
            [sys.executable, "-c", PROBE, str(path)], capture_output=True, text=True, check=True
        )
        loaded = set(done.stdout.split())
        assert loaded.isdisjoint(HEAVY + ELSEWHERE)
