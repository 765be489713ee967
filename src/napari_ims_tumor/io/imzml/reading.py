"""Reads a slide that is not known yet: the XML, then every check of what it says."""

from __future__ import annotations

from pathlib import Path

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.axis import find_layout
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.io.imzml.columns import Document
from napari_ims_tumor.io.imzml.description import checksums, describe, find_mode, uuid_note
from napari_ims_tumor.io.imzml.grid import pixel_grid, placement_of
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.pixel_size import pixel_size_um
from napari_ims_tumor.io.imzml.slide_facts import SlideParts
from napari_ims_tumor.io.imzml.slide_index import build_index
from napari_ims_tumor.io.imzml.validation import validate
from napari_ims_tumor.job import Job, Progress


def read_slide(path: Path, ibd: IbdFile) -> Job[Progress, SlideParts]:
    """Read the .imzML file of a slide whose .ibd file is open."""
    document = yield from read_document(path)
    return _parts(document, ibd, path)


def _parts(document: Document, ibd: IbdFile, path: Path) -> SlideParts:
    header = document.header
    index = build_index(document)
    validate(index, ibd.path, ibd.size)
    size, size_notes = pixel_size_um(header)
    placement = placement_of(index)
    grid, grid_notes = pixel_grid(index, placement, size)
    layout, axis, layout_notes = find_layout(header, index, ibd)
    mode, mode_notes = find_mode(header, index, ibd)
    notes = [
        *document.notes,
        *index.notes,
        *uuid_note(header, index, ibd),
        *layout_notes,
        *mode_notes,
        *size_notes,
        *grid_notes,
    ]
    return SlideParts(
        path=path,
        ibd=ibd,
        index=SpectrumIndex(index.mz, index.intensity),
        pixels=grid,
        placement=placement,
        layout=layout,
        mode=mode,
        axis=axis,
        metadata=describe(header, index),
        checksums=tuple(checksums(header)),
        warnings=tuple(dict.fromkeys(notes)),
    )
