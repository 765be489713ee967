"""Opens a slide: both files found, the XML read, every array checked, only then a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.cache_folder import CacheEntry
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.axis import find_layout
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.io.imzml.columns import Document
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset, SlideParts
from napari_ims_tumor.io.imzml.description import checksums, describe, find_mode, uuid_note
from napari_ims_tumor.io.imzml.grid import pixel_grid, placement_of
from napari_ims_tumor.io.imzml.index import SpectrumIndex, build_index
from napari_ims_tumor.io.imzml.pair import pair_of
from napari_ims_tumor.io.imzml.pixel_size import pixel_size_um
from napari_ims_tumor.io.imzml.remembered import entry_of, recall, remember
from napari_ims_tumor.io.imzml.validation import validate
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.memory_budget import GivenBudget, MemoryBudget


def open_imzml(
    path: str | os.PathLike[str],
    on_progress: Callable[[Progress], object] | None = None,
    memory_budget: GivenBudget | int = None,
) -> ImzmlDataset:
    """Open a mass spectrometry image.

    Parameters
    ----------
    path
        The .imzML file, or the .ibd file beside it.
    on_progress
        Called now and then while the file is read.
    memory_budget
        What the data of slides may take in memory, as in ``"2GB"``; by default what
        ``IMS_TUMOR_MEMORY`` says, else a quarter of the memory, at most 4 GB. A quarter of it may
        hold the slide's index where nothing can be kept on disk. A number is that quarter in bytes.

    Returns
    -------
    ImzmlDataset
        Stays open until closed.

    Raises
    ------
    SlideError
        Where anything could make a number wrong; the message says what, where and what to do.
    """
    return run_inline(open_imzml_job(path, memory_budget), on_progress)


def open_imzml_job(
    path: str | os.PathLike[str], memory_budget: GivenBudget | int = None
) -> Job[Progress, ImzmlDataset]:
    """Open a slide as a job that reports its progress and can be stopped."""
    may_keep = (
        memory_budget
        if isinstance(memory_budget, int)
        else MemoryBudget.of(memory_budget).of_a_slide
    )
    imzml, ibd_path = pair_of(path)
    try:
        entry = entry_of(imzml, ibd_path)
        ibd = IbdFile(ibd_path)
        try:
            parts = yield from _known_or_read(imzml, ibd, entry)
            return ImzmlDataset(parts, may_keep)
        except BaseException:
            ibd.close()
            raise
    except SlideError as error:
        if str(error).startswith((imzml.name, ibd_path.name)):
            raise
        raise SlideError(f"{imzml.name}: {error}") from None


def _known_or_read(
    imzml: Path, ibd: IbdFile, entry: CacheEntry | None
) -> Job[Progress, SlideParts]:
    """Recall what is known of a slide, or read it and remember it."""
    known = None if entry is None else recall(entry, ibd)
    if known is not None:
        return known
    document = yield from read_document(imzml)
    parts = _parts(document, ibd, imzml)
    if entry is not None:
        remember(entry, parts)
    return parts


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
