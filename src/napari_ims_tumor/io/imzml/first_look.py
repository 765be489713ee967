"""Reads all spectra of a processed slide once, in two threads, for what needs all of them.

Each thread reads every other block into memory of its own, and looks at it while it is still in the
processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.ragged import (
    Disorder,
    RaggedReader,
    Scratch,
    ragged_block,
)
from napari_ims_tumor.io.imzml.runs import Runs, batches
from napari_ims_tumor.io.imzml.summary import Summary, Survey
from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.ion_image import block_values
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import RaggedBlock
from napari_ims_tumor.msi.turns import by_turns

Visit = Callable[[RaggedBlock], object]


def look_at_all(ibd: IbdFile, index: SpectrumIndex, visit: Visit | None = None) -> Summary:
    """Find out what takes all spectra.

    Parameters
    ----------
    ibd, index
        The slide.
    visit
        Is shown every block, too: in any order, and from two threads.
    """
    ibd.refuse_changed()
    parts = list(batches(index.mz.nbytes + index.intensity.nbytes))

    def look(turns: slice) -> tuple[Disorder, Survey]:
        disorder, survey = Disorder(), Survey(len(index))
        reader = RaggedReader(ibd, index, Scratch(index.intensity.floating), disorder)
        runs = Runs(ibd)
        for part in parts[turns]:
            block = ragged_block(reader, runs, np.arange(part.start, part.stop))
            survey.add(block)
            if visit is not None:
                visit(block)
        return disorder, survey

    found = by_turns(look, len(parts))
    notes = Disorder.of_all([disorder for disorder, _ in found]).notes
    return Survey.of_all([survey for _, survey in found]).result(notes)


def look_through_windows(
    ibd: IbdFile, index: SpectrumIndex, bounds: Float64Array, reduce: Reduction
) -> tuple[Summary, Float64Array]:
    """Make the numbers of windows, (2, windows), as (windows, n_spectra), on the way."""
    values = np.zeros((bounds.shape[1], len(index)))

    def visit(block: RaggedBlock) -> None:
        values[:, block.indices] = block_values(block, bounds, reduce)

    return look_at_all(ibd, index, visit), values
