"""The same spectra under two names: a slide that was exported twice, as two slides.

Copies of a file are known by UUID and checksum; a second export has others. No two pixels of real
tissue measure the very same numbers in many peaks, so equal spectra are one measurement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import Final

import numpy as np

from napari_ims_tumor.cohort.labelled_slide import LabelledSlide
from napari_ims_tumor.cohort.naming import listed
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.matrix_room import pieces

FEWEST_PEAKS: Final = 5
"""Spectra of fewer may be equal by chance, where ions are counted."""


class Twins:
    """Collects spectra of slides, and says which are in several groups."""

    def __init__(self) -> None:
        self._found: dict[bytes, list[tuple[Hashable, str]]] = {}

    def add(self, part: LabelledSlide, values: Float32Array) -> None:
        """Look at the labelled spectra of one more slide, (n, bins) on the common axis."""
        for piece in pieces(*values.shape):
            for group, row in zip(part.groups[piece], values[piece], strict=True):
                if np.count_nonzero(row) >= FEWEST_PEAKS:
                    mark = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
                    self._found.setdefault(mark, []).append((group, part.name))

    def cautions(self) -> tuple[str, ...]:
        """One sentence where equal spectra lie in different groups."""
        split = [found for found in self._found.values() if len({group for group, _ in found}) > 1]
        if not split:
            return ()
        names = list(dict.fromkeys(name for found in split for _, name in found))
        n = sum(len(found) for found in split)
        return (
            f"{n} labelled spectra are the same, number by number, in different groups "
            f"({listed(names)}): a slide exported twice, or one patient under two names. Models "
            "are judged on what they have seen, and the figures are too high: keep one of the "
            "slides, or give both the same group.",
        )
