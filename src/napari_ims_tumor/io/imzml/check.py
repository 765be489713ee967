"""Examines a slide thoroughly: every byte against its hash, every value of every spectrum."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.imzml.description import about_header
from napari_ims_tumor.io.imzml.integrity import verify_job
from napari_ims_tumor.io.imzml.opening import open_imzml_job
from napari_ims_tumor.io.imzml.pair import pair_of
from napari_ims_tumor.io.imzml.wording import spectra
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import BoolArray, IntArray
from napari_ims_tumor.msi.memory_budget import GivenBudget
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, SpectrumBlock

Status = Literal["fine", "warnings", "unreadable"]
Severity = Literal["note", "warning", "error"]
Facts = dict[str, str | int | float]

EXAMPLES: Final = 5
"""So many spectra of each kind are named."""
_ODD: Final = {
    "NaN": ", which count as 0",
    "infinite": ", which count as 0",
    "negative": ", which are summed as they are: was a baseline subtracted?",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    text
        A whole sentence.
    count
        How many spectra are like this; 0 where it is not about spectra.
    examples
        The first of them.
    """

    severity: Severity
    text: str
    count: int = 0
    examples: tuple[int, ...] = ()


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
    files
        Name, size, date and identity of the files, and what wrote them: also of a slide that
        cannot be read, as far as it can be told.
    """

    path: Path
    status: Status
    findings: tuple[Finding, ...] = ()
    facts: Facts = field(default_factory=dict)
    files: Facts = field(default_factory=dict)


def check_imzml(
    path: str | os.PathLike[str], memory_budget: GivenBudget = None
) -> Job[Progress, SlideCheck]:
    """Check a slide: structure, hash, and every value.

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
        files = yield from _what_can_be_told(Path(path))
        return SlideCheck(Path(path), "unreadable", (Finding("error", str(error)),), files=files)


def _examine(path: Path, dataset: ImzmlDataset) -> Job[Progress, SlideCheck]:
    files = {**_files(*dataset.files), **_told(dataset.metadata)}
    checks = yield from verify_job(dataset, again=True)
    for check in checks:
        files[f"{check.name} stated"] = check.stated
        files[f"{check.name} found"] = check.found
    odd = yield from _values(dataset)
    findings = [*(Finding("warning", text) for text in dataset.warnings), *odd]
    if not checks:
        text = "no hash is stated, so a byte that was changed on the way cannot be found"
        findings.append(Finding("note", text))
    findings += _unused(dataset)
    bad = any(finding.severity == "warning" for finding in findings)
    status: Status = "warnings" if bad else "fine"
    return SlideCheck(path, status, tuple(findings), _facts(dataset), files)


def _facts(dataset: ImzmlDataset) -> Facts:
    low, high = dataset.mass_range
    tic = dataset.total_ion_current()
    return {
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


# ---- the files -------------------------------------------------------------------------------


def _what_can_be_told(path: Path) -> Job[Progress, Facts]:
    """Describe the files of a slide that cannot be read, as far as they can be."""
    try:
        pair: tuple[Path, ...] = pair_of(path)
    except SlideError:
        pair = (path,)
    files = _files(*pair)
    try:
        document = yield from read_document(pair[0])
        files |= _told(about_header(document.header))
    except SlideError:
        return files
    return files


def _files(*paths: Path) -> Facts:
    facts: Facts = {}
    for path in paths:
        kind = path.suffix.lower().replace("imzml", "imzML")
        try:
            state = path.stat()
            facts[f"{kind} file"] = path.name
            facts[f"{kind} bytes"] = state.st_size
            written = datetime.fromtimestamp(state.st_mtime).astimezone()
            facts[f"{kind} written"] = written.isoformat(timespec="seconds")
            if kind == ".ibd" and state.st_size >= 16:
                with path.open("rb") as file:
                    facts["UUID in the .ibd"] = str(uuid.UUID(bytes=file.read(16)))
        except OSError:
            continue
    return facts


def _told(metadata: Mapping[str, str]) -> Facts:
    """What a slide says of where it comes from."""
    names = {"uuid": "UUID stated", "instrument": "instrument", "software": "software"}
    known = dict(metadata)
    return {name: known[key] for key, name in names.items() if key in known}


def _unused(dataset: ImzmlDataset) -> list[Finding]:
    unused = dataset.unused_bytes()
    if unused is None:
        return []
    first, count = unused
    return [
        Finding(
            "note",
            f"{count:,} bytes of the .ibd file belong to no m/z or intensity array of a spectrum, "
            f"the first is byte {first:,}: arrays of another kind, or spectra are missing",
        )
    ]


# ---- the values ------------------------------------------------------------------------------


class _Tally:
    """Counts spectra, and keeps the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: tuple[int, ...] = ()

    def add(self, spectra: IntArray) -> None:
        self.count += spectra.size
        missing = EXAMPLES - len(self.first)
        self.first += tuple(spectra[:missing].tolist()) if missing else ()

    def finding(self, severity: Severity, what: str) -> list[Finding]:
        if not self.count:
            return []
        named = ", ".join(str(i) for i in self.first) + (", …" if self.count > EXAMPLES else "")
        text = (
            f"{spectra(self.count)} {what} ({'number' if self.count == 1 else 'numbers'} {named})"
        )
        return [Finding(severity, text, self.count, self.first)]


def _values(dataset: ImzmlDataset) -> Job[Progress, list[Finding]]:
    kinds = {"NaN": _Tally(), "infinite": _Tally(), "negative": _Tally()}
    empty, done = _Tally(), 0
    for block in dataset.blocks():
        with np.errstate(invalid="ignore"):
            kinds["NaN"].add(_with(block, np.isnan(block.intensity)))
            kinds["infinite"].add(_with(block, np.isinf(block.intensity)))
            kinds["negative"].add(_with(block, block.intensity < 0))
        if not isinstance(block, SharedAxisBlock):
            empty.add(block.indices[np.diff(block.bounds) == 0])
        done += block.indices.size
        if (yield Progress("Reading every spectrum", done, dataset.n_spectra)) is STOP:
            raise JobStopped("the check was stopped")
    findings = [
        finding
        for kind, tally in kinds.items()
        for finding in tally.finding("warning", f"with {kind} intensities{_ODD[kind]}")
    ]
    return findings + empty.finding("note", f"of {dataset.n_spectra:,} without a value")


def _with(block: SpectrumBlock, flags: BoolArray) -> IntArray:
    """Spectra of a block in which any flag is set."""
    if isinstance(block, SharedAxisBlock):
        return block.indices[flags.any(axis=1)]
    hits = np.flatnonzero(flags)
    return block.indices[np.unique(np.searchsorted(block.bounds, hits, "right")) - 1]
