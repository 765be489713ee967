"""The labelled spectra of a fit made ready: what suits them, and their rooted shares."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import numpy as np

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.model.preparation import SPECTRA_LOOKED_AT, Preparation
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.matrix_room import IN_CACHE, pieces
from napari_ims_tumor.msi.turns import by_turns

_PIECES_AT_ONCE: Final = 32


def suited_preparation(spectra: LabelledSpectra, config: FitConfig) -> Preparation:
    """What suits the axis and the labelled spectra; their labels say nothing here."""
    rows = np.unique(np.linspace(0, len(spectra) - 1, SPECTRA_LOOKED_AT).astype(np.int64))
    roots = root_of_shares(spectra.values[rows])
    return Preparation.for_spectra(spectra.axis, roots).limited_to(config)


def labelled_roots(spectra: LabelledSpectra, width: int) -> Generator[None, None, Float32Array]:
    """Rooted shares (n, bins) of all labelled spectra; yields after every few megabytes."""
    values = spectra.values
    roots = spectra.room.matrix(*values.shape)
    parts = list(pieces(len(values), values.shape[1], IN_CACHE))
    for first in range(0, len(parts), _PIECES_AT_ONCE):
        some = parts[first : first + _PIECES_AT_ONCE]

        def work(mine: slice, some: list[slice] = some) -> None:
            for part in some[mine]:
                roots[part] = root_of_shares(values[part], width)

        by_turns(work, len(some))
        yield
    return roots
