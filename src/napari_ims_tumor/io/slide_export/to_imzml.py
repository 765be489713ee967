"""Part of a slide as a slide: .imzML and .ibd, with its labels beside."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import numpy as np

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.imzml.grid import Positions, made_positions
from napari_ims_tumor.io.imzml_heritage import Heritage, heritage_of
from napari_ims_tumor.io.imzml_text import CONVERSION, Step
from napari_ims_tumor.io.imzml_writer import ImzmlFacts, with_imzml_suffix, write_facts_job
from napari_ims_tumor.io.slide_export.types import types_on_disk
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.job import Job, Progress

LABELS_BESIDE = "_labels.npy"
GROUPS_BESIDE = "_groups.npy"


def export_imzml(view: ExportView, path: Path) -> Job[Progress, tuple[Path, ...]]:
    """Write part of a slide as a slide.

    Returns
    -------
    tuple of Path
        The .imzML, then what lies beside it: labels and groups in the new slide's own shape.
    """
    spectra = view.spectra
    if not view.request.mz_range.is_whole:
        yield from _refuse_empty(view)
    facts = ImzmlFacts(
        polarities=_polarities(view),
        identity=_identity(view),
        types=types_on_disk(view),
        positions=positions_of(view),
        steps=_steps(view),
        heritage=_heritage(view),
    )
    target = yield from write_facts_job(path, spectra, facts, "Exporting spectra")
    return (target, *write_beside(view, target))


def beside(path: Path) -> tuple[Path, Path]:
    """Where the labels and the groups of an exported slide lie."""
    target = with_imzml_suffix(path)
    return (
        target.with_name(target.stem + LABELS_BESIDE),
        target.with_name(target.stem + GROUPS_BESIDE),
    )


def write_beside(view: ExportView, target: Path) -> tuple[Path, ...]:
    """Write labels and groups of the chosen pixels beside their slide."""
    written: list[Path] = []
    pixels = view.spectra.pixels
    images = ((view.labels, np.uint8), (view.groups, np.int64))
    for (vector, dtype), file in zip(images, beside(target), strict=True):
        if vector is not None:
            with atomic_write(file) as temporary:
                np.save(temporary, pixels.as_image(vector, 0).astype(dtype))
            written.append(file)
    return tuple(written)


def _refuse_empty(view: ExportView) -> Job[Progress, None]:
    """Stop where no chosen spectrum has a point in the range; a few have told that most have."""
    if view.points_per_spectrum > 0:
        return
    yield Progress("Looking for peaks in the range")
    if not any(block.mz.size for block in view.spectra.blocks()):
        raise QueryError(
            f"no chosen pixel of {view.slide.name} has a peak in {view.request.mz_range}"
        )


def _polarities(view: ExportView) -> tuple[str, ...]:
    slide = view.slide
    said = slide.metadata.get("polarity", "") if isinstance(slide, ImzmlDataset) else ""
    return tuple(word for word in ("positive", "negative") if word in said)


def positions_of(view: ExportView) -> Positions:
    """x, y and z of the chosen spectra, as in the slide's own file."""
    slide = view.slide
    found = slide.positions if isinstance(slide, ImzmlDataset) else made_positions(slide.pixels)
    return found.of(view.chosen.indices)


def _identity(view: ExportView) -> uuid.UUID | None:
    """Follows from the slide and from what was done; ``None`` where the slide has no name itself.

    The same export of the same slide has the same UUID, and no other has.
    """
    slide = view.slide
    if not isinstance(slide, ImzmlDataset) or not slide.metadata.get("uuid"):
        return None
    request = view.request
    told = (
        slide.metadata["uuid"], slide.checksums, slide.ibd_size, slide.n_spectra, slide.mode,
        request.mz_range.low, request.mz_range.high, str(request.centroid),
    )  # fmt: skip
    digest = hashlib.sha256(repr(told).encode() + view.chosen.indices.tobytes())
    return uuid.UUID(bytes=digest.digest()[:16], version=4)


def _heritage(view: ExportView) -> Heritage:
    slide = view.slide
    if not isinstance(slide, ImzmlDataset):
        return Heritage()
    return heritage_of(slide.source, slide.metadata.get("uuid", ""))


def _steps(view: ExportView) -> tuple[Step, ...]:
    """What was done, as the file's history says it."""
    request, whole = view.request, view.slide.n_spectra
    steps: list[Step] = []
    if request.centroid is not None:
        details = (("method", str(request.centroid)), ("by", "scipy.signal.find_peaks"))
        steps.append(Step("MS:1000035", "peak picking", details))
    kept: list[tuple[str, str]] = []
    if view.chosen.indices.size < whole:
        kept.append(("pixels", f"{view.chosen.indices.size} of {whole}: {view.chosen.words}"))
    if not request.mz_range.is_whole:
        kept.append(("m/z range", str(request.mz_range)))
    if kept:
        steps.append(Step("MS:1001486", "data filtering", tuple(kept)))
    return (*steps, CONVERSION)
