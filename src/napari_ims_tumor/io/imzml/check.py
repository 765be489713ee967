"""Examines a slide thoroughly: every byte against its checksum, every value of every spectrum."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.imzml.opening import open_imzml_job
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import BoolArray
from napari_ims_tumor.msi.memory_budget import GivenBudget
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, SpectrumBlock

Status = Literal["fine", "warnings", "unreadable"]
Severity = Literal["note", "warning", "error"]

_PIECE: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class SlideCheck:
    """The result of a check.

    Attributes
    ----------
    path
        The file that was asked about.
    status
        ``"fine"``, ``"warnings"`` or ``"unreadable"``.
    findings
        What was found, worst first.
    facts
        Numbers about the slide.
    """

    path: Path
    status: Status
    findings: tuple[Finding, ...] = ()
    facts: dict[str, str | int | float] = field(default_factory=dict)


def check_imzml(
    path: str | os.PathLike[str], memory_budget: GivenBudget = None
) -> Job[Progress, SlideCheck]:
    """Check a slide: structure, checksum, and every value.

    Returns
    -------
    SlideCheck
        Never raises for a bad slide: an unreadable one is a result too.
    """
    try:
        dataset = yield from open_imzml_job(path, memory_budget)
        with dataset:
            return (yield from _examine(Path(path), dataset))
    except SlideError as error:
        return SlideCheck(Path(path), "unreadable", (Finding("error", str(error)),))


def _examine(path: Path, dataset: ImzmlDataset) -> Job[Progress, SlideCheck]:
    findings = [*(yield from _checksum(dataset)), *(yield from _values(dataset))]
    low, high = dataset.mass_range
    tic = dataset.total_ion_current()
    findings = [*(Finding("warning", text) for text in dataset.warnings), *findings]
    facts: dict[str, str | int | float] = {
        "spectra": dataset.n_spectra,
        "layout": dataset.layout,
        "mode": dataset.mode,
        "rows": dataset.pixels.shape[0],
        "columns": dataset.pixels.shape[1],
        "planes": dataset.pixels.n_planes,
        "lowest m/z": low,
        "highest m/z": high,
        "spectra without signal": int((tic == 0).sum()),
        **dataset.metadata,
    }
    bad = any(finding.severity == "warning" for finding in findings)
    return SlideCheck(path, "warnings" if bad else "fine", tuple(findings), facts)


def _checksum(dataset: ImzmlDataset) -> Job[Progress, list[Finding]]:
    findings = []
    for kind, stated in dataset.checksums:
        digest = hashlib.new(kind, usedforsecurity=False)
        for done, piece in _bytes(dataset):
            digest.update(piece)
            yield from _report("Verifying the checksum", done, dataset.ibd_size)
        if digest.hexdigest() != stated:
            text = (
                f"the {kind.upper()} checksum of the .ibd file is not the one stated in the "
                ".imzML: a byte was changed, or the file belongs to another slide"
            )
            findings.append(Finding("warning", text))
    if not dataset.checksums:
        findings.append(Finding("note", "the file states no checksum, so none was verified"))
    return findings


def _bytes(dataset: ImzmlDataset) -> Iterator[tuple[int, bytes | bytearray]]:
    for start in range(0, dataset.ibd_size, _PIECE):
        piece = dataset.read_bytes(start, min(_PIECE, dataset.ibd_size - start))
        yield start + len(piece), piece


def _report(phase: str, done: int, total: int) -> Job[Progress, None]:
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("the check was stopped")


def _values(dataset: ImzmlDataset) -> Job[Progress, list[Finding]]:
    kinds = {"NaN": 0, "infinite": 0, "negative": 0}
    empty, done = 0, 0
    for block in dataset.blocks():
        kinds["NaN"] += _spectra_with(block, np.isnan(block.intensity))
        kinds["infinite"] += _spectra_with(block, np.isinf(block.intensity))
        kinds["negative"] += _spectra_with(block, block.intensity < 0)
        if not isinstance(block, SharedAxisBlock):
            empty += int((np.diff(block.bounds) == 0).sum())
        done += block.indices.size
        yield from _report("Reading every spectrum", done, dataset.n_spectra)
    findings = [
        Finding("warning", f"{count} spectra hold {kind} intensities")
        for kind, count in kinds.items()
        if count
    ]
    if empty:
        findings.append(Finding("note", f"{empty} of {dataset.n_spectra} spectra are empty"))
    return findings


def _spectra_with(block: SpectrumBlock, flags: BoolArray) -> int:
    """Number of spectra of a block in which any flag is set."""
    if isinstance(block, SharedAxisBlock):
        return int(flags.any(axis=1).sum())
    hits = np.flatnonzero(flags)
    return int(np.unique(np.searchsorted(block.bounds, hits, "right")).size)
