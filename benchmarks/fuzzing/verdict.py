"""Opens a damaged slide with the package and judges what came out."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzzing.reference import Meaning, NotLegal, meaning_of
from fuzzing.slides import Pair, changed
from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import ImzmlDataset, check_imzml, open_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.spectrum import SharedAxisBlock

SAME, AS_SAID, STOPPED = "opens unchanged", "opens as the files say", "stops"
WRONG, ERROR, CRASH, HANG, MEMORY = "wrong", "other error", "crash", "hang", "memory"
GOOD = (SAME, AS_SAID, STOPPED)
BAD = (WRONG, ERROR, CRASH, HANG, MEMORY)
MARKS = ("IMS:1000090", "IMS:1000091")


@dataclass(frozen=True)
class Verdict:
    """What became of one damaged slide.

    Attributes
    ----------
    outcome
        One of :data:`GOOD` and :data:`BAD`.
    detail
        What was said, or what was wrong.
    warned
        Whether it opened with a warning that the whole slide does not have.
    hash_said
        Whether the check told of a changed .ibd; ``None`` where no hash is stated.
    """

    outcome: str
    detail: str = ""
    warned: bool = False
    hash_said: bool | None = None


class Wrong(Exception):
    """The slide contradicts itself."""


@dataclass(frozen=True)
class Whole:
    """A slide before it is damaged, and what it means."""

    pair: Pair
    meaning: Meaning
    warnings: tuple[str, ...]


def whole(pair: Pair, folder: Path) -> Whole | None:
    """Read an undamaged slide; ``None`` where it has faults of its own."""
    path = written(pair, folder)
    try:
        wanted = meaning_of(pair)
        with open_imzml(path) as slide:
            warnings, meaning = slide.warnings, _read(slide)
    except (NotLegal, SlideError):
        return None
    if not _same(meaning, wanted):
        raise Wrong(f"{pair.name} is read otherwise than the standard says")
    return Whole(pair, wanted, warnings)


def judge(damaged: Pair, before: Whole, folder: Path) -> Verdict:
    """Open a damaged slide and compare."""
    path = written(damaged, folder)
    try:
        with open_imzml(path) as slide:
            warned = slide.warnings != before.warnings
            found = _read(slide)
        # What was remembered of it gives the same, and so do images out of an index.
        with open_imzml(path) as again:
            index = again.index_job()
            if index is not None:
                run_inline(index)
            if not _same(_read(again), found) or again.warnings != slide.warnings:
                return Verdict(WRONG, "another slide when opened again")
    except SlideError as error:
        return _stopped(str(error), _hash_said(damaged, before, path))
    except Wrong as error:
        return Verdict(WRONG, str(error))
    outcome, detail = _compared(found, damaged, before, warned)
    return Verdict(outcome, detail, warned, _hash_said(damaged, before, path))


def _compared(found: Meaning, damaged: Pair, before: Whole, warned: bool) -> tuple[str, str]:
    """Right is what the slide was before, or what the damaged files say by the standard.

    Files that are not legal any more may open only as what they were before (the .ibd as it is
    now): the reader has found its way around the damage.
    """
    change = _difference(found, before.meaning)
    if not change:
        return SAME, ""
    difference = _unlike(found, damaged)
    if not difference or not _unlike(found, changed(before.pair, ibd=damaged.ibd)):
        return AS_SAID, change
    # Special characters in another encoding than stated change no number. With a warning, a type
    # may follow from its name.
    ways = [("iso-8859-1", False), *([("", True), ("iso-8859-1", True)] if warned else [])]
    if any(not _unlike(found, damaged, *way) for way in ways):
        return AS_SAID, change
    return WRONG, difference


def _unlike(found: Meaning, pair: Pair, encoding: str = "", by_name: bool = False) -> str:
    """Tell how a slide differs from what its files say; empty where it does not."""
    try:
        return _difference(found, meaning_of(pair, encoding, by_name))
    except NotLegal as reason:
        return f"opens, but is not legal: {reason}"


def written(pair: Pair, folder: Path) -> Path:
    """Write a slide, long enough ago that what opening finds out is kept."""
    path = folder / "slide.imzML"
    for file, data in ((path, pair.xml), (path.with_suffix(".ibd"), pair.ibd)):
        file.write_bytes(data)
        then = time.time_ns() - 3600 * 10**9
        os.utime(file, ns=(then, then))
    return path


def _stopped(text: str, said: bool | None) -> Verdict:
    if not text.startswith("slide."):
        return Verdict(WRONG, f"a message without its file: {text}")
    return Verdict(STOPPED, text, False, said)


def _hash_said(damaged: Pair, before: Whole, path: Path) -> bool | None:
    """Whether the check tells that the .ibd is not the one whose hash is stated."""
    states = any(mark.encode() in before.pair.xml for mark in MARKS)
    if not states or damaged.xml != before.pair.xml or damaged.ibd == before.pair.ibd:
        return None
    found = run_inline(check_imzml(path))
    if any("cannot be told" in finding.text for finding in found.findings):
        # What is stated is no hash.
        return None
    told = any("is not the one whose" in finding.text for finding in found.findings)
    return found.status == "unreadable" or told


def _read(slide: ImzmlDataset) -> Meaning:
    """Read everything, in every way, and see that the ways agree."""
    pixels = slide.pixels
    spectra = []
    for i in range(slide.n_spectra):
        spectrum = slide.spectrum(i)
        spectra.append((spectrum.mz, spectrum.intensity))
    _compare_blocks(slide, spectra)
    _compare_images(slide, spectra)
    places = np.column_stack([pixels.rows, pixels.columns, pixels.planes])
    return Meaning(places, tuple(spectra), pixels.pixel_size_um)


def _compare_blocks(slide: ImzmlDataset, spectra: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for block in slide.blocks():
        for j, i in enumerate(block.indices.tolist()):
            if isinstance(block, SharedAxisBlock):
                mz, values = block.mz, block.intensity[j]
            else:
                part = slice(block.bounds[j], block.bounds[j + 1])
                mz, values = block.mz[part], block.intensity[part]
            if not (_equal(mz, spectra[i][0]) and _equal(values, spectra[i][1])):
                raise Wrong(f"spectrum {i} is another one in a block")


def _compare_images(slide: ImzmlDataset, spectra: list[tuple[np.ndarray, np.ndarray]]) -> None:
    first = next((mz for mz, _ in spectra if mz.size), np.zeros(1))
    centers = (float(first[0]), float(first[first.size // 2]), 500.0)
    for window in [MassWindow(center, MassTolerance(0.5)) for center in centers]:
        found = slide.pixels.as_vector(slide.ion_images([window])[0])
        for i in _first_at_each_pixel(slide):
            mz, values = spectra[i]
            with np.errstate(invalid="ignore"):
                inside = values[(mz >= window.low) & (mz <= window.high)].astype(np.float64)
            wanted = inside[np.isfinite(inside)].sum()
            if not np.isclose(found[i], wanted, rtol=1e-9, atol=0):
                raise Wrong(f"ion image {window} has {found[i]} at spectrum {i}, not {wanted}")


def _first_at_each_pixel(slide: ImzmlDataset) -> list[int]:
    lookup = slide.pixels.lookup
    return np.unique(lookup[lookup >= 0]).tolist()


def _same(one: Meaning, two: Meaning) -> bool:
    return not _difference(one, two)


def _difference(found: Meaning, wanted: Meaning) -> str:
    if len(found.spectra) != len(wanted.spectra):
        return f"{len(found.spectra)} spectra, not {len(wanted.spectra)}"
    if not np.array_equal(found.places, wanted.places):
        return "other places"
    for i, (one, two) in enumerate(zip(found.spectra, wanted.spectra, strict=True)):
        if not (_equal(one[0], two[0]) and _equal(one[1], two[1])):
            return f"another spectrum {i}"
    sizes = (found.pixel_size_um, wanted.pixel_size_um)
    if None not in sizes and not np.allclose(*sizes):
        return f"pixel size {sizes[0]}, not {sizes[1]}"
    return ""


def _equal(one: np.ndarray, two: np.ndarray) -> bool:
    with np.errstate(invalid="ignore"):
        wide = (one.astype(np.float64), two.astype(np.float64))
    return np.array_equal(*wide, equal_nan=True)
