"""Cuts a text into spectra, and lets stencils read all of them in advance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from napari_ims_tumor.io.imzml.template import Template
from napari_ims_tumor.io.imzml.text import Text
from napari_ims_tumor.msi.arrays import IntArray

_UNREAD: Final = -1
_SLACK: Final = 12
"""Characters by which a spectrum may be shorter than the last without a second search."""


class Run(NamedTuple):
    """Spectra that follow each other.

    Attributes
    ----------
    kinds
        Shape (k,): the structure of each.
    tables
        Their numbers by structure, shape (numbers, spectra of that structure).
    end
        Where the next spectrum starts.
    """

    kinds: IntArray
    tables: dict[int, IntArray]
    end: int


class Batch:
    """The spectra of a text from some place on, as far as stencils can read them.

    Whether a spectrum counts is not decided here: one that follows a spectrum that no stencil read
    may lie in a comment. Only what follows directly on a place between spectra may be taken.
    """

    def __init__(self, text: Text, start: int, templates: Sequence[Template]) -> None:
        self._text = text
        ends = _cut(text, start, templates)
        self._starts = np.array([start, *ends], np.int64)
        self._kinds = np.full(len(ends), _UNREAD, np.int64)
        self._tables: dict[int, IntArray] = {}
        for template in templates:
            self.read(template)

    def read(self, template: Template) -> None:
        """Let a template read what no other could read."""
        rows = np.flatnonzero(self._kinds == _UNREAD)
        if template.stencil is None or rows.size == 0:
            return
        found = template.stencil.read(self._text, self._starts[rows], self._starts[rows + 1])
        hits = rows[found.rows]
        self._kinds[hits] = template.kind
        if hits.size == self._kinds.size:
            self._tables[template.kind] = found.numbers
        elif hits.size:
            empty = np.empty((found.numbers.shape[0], self._kinds.size), np.int64)
            self._tables.setdefault(template.kind, empty)[:, hits] = found.numbers

    def starts_at(self, place: int) -> bool:
        """Whether a spectrum of this batch starts at a place of the text."""
        row = self._row(place)
        return row < self._kinds.size and int(self._starts[row]) == place

    def run_from(self, place: int) -> Run | None:
        """Spectra from a place on that were read, up to the first that was not."""
        first = self._row(place)
        unread = np.flatnonzero(self._kinds[first:] == _UNREAD)
        stop = first + int(unread[0]) if unread.size else self._kinds.size
        if stop == first:
            return None
        kinds = self._kinds[first:stop]
        tables = {
            kind: table[:, first:stop][:, kinds == kind] for kind, table in self._tables.items()
        }
        return Run(kinds, tables, int(self._starts[stop]))

    def _row(self, place: int) -> int:
        return int(np.searchsorted(self._starts, place))


def _cut(text: Text, start: int, templates: Sequence[Template]) -> list[int]:
    """Find the ends of spectra, none of which is shorter than the templates allow.

    The next one is looked for where one as long as the last would end, or a little sooner.
    """
    stencils = [template.stencil for template in templates if template.stencil is not None]
    if not stencils:
        return []
    tag, size, find = templates[0].end, text.size, text.buffer.find
    width = len(tag)
    shortest = min(stencil.shortest for stencil in stencils) - width
    longest = max(stencil.longest for stencil in stencils) - width
    ends: list[int] = []
    skip, add = shortest, ends.append
    while True:
        found = find(tag, start + skip, size)
        if found - start > longest or found < 0:
            found = find(tag, start + shortest, size)
            if found < 0:
                return ends
        skip = found - start - _SLACK
        if skip < shortest:
            skip = shortest
        start = found + width
        add(start)
