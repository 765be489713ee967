"""Opens a slide: both files found, the XML read, every array checked, only then a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.cache_folder import CacheEntry
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.imzml.pair import pair_of
from napari_ims_tumor.io.imzml.reading import read_slide
from napari_ims_tumor.io.imzml.remembered import entry_of, recall, remember
from napari_ims_tumor.io.imzml.slide_facts import SlideParts
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
    parts = yield from read_slide(imzml, ibd)
    if entry is not None:
        remember(entry, parts)
    return parts
