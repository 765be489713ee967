"""Reads many spectra that are written alike at once, with a few operations on all of them.

A stencil is the fixed text of a spectrum with holes where its values stand. It is laid over all
spectra of a piece of text together: the first stretch of fixed text is compared in all of them,
then the first hole is measured in all of them, and so on. A spectrum counts only if every byte of
it was looked at and is either the fixed text or a character that a value may have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.text import SPARE, Text
from napari_ims_tumor.msi.arrays import BoolArray, IntArray

NUMBER: Final = 0
"""Stands for the kind of hole that holds digits and nothing else."""

_DIGITS_ROOM: Final = 16
"""Bytes looked at in a number: up to 15 digits and the quote after them."""
_WORD: Final = np.dtype("<u8")
_TENS: Final = 10 ** np.arange(8, dtype=np.uint64)
_LESS_THAN: Final = ord("<")
_AMPERSAND: Final = ord("&")


class Step(NamedTuple):
    """Fixed text and the hole after it.

    Attributes
    ----------
    fixed
        The text.
    quote
        The character that ends the hole, or :data:`NUMBER`; ``None`` = there is no hole.
    room
        Most bytes of the hole and its quote.
    """

    fixed: NDArray[np.uint8]
    quote: int | None
    room: int


class Read(NamedTuple):
    """What a stencil read.

    Attributes
    ----------
    rows
        Shape (k,): which of the spectra fit.
    numbers
        Shape (numbers, k): their numbers.
    """

    rows: IntArray
    numbers: IntArray


@dataclass(frozen=True, slots=True)
class Stencil:
    """The fixed text of a spectrum with holes for its values.

    Attributes
    ----------
    steps
        The text from the end of one spectrum to the end of the next.
    shortest, longest
        Length of a spectrum whose holes are empty, and of one that fills all there is room for.
    n_numbers
        How many holes hold numbers.
    """

    steps: tuple[Step, ...]
    shortest: int
    longest: int
    n_numbers: int

    def read(self, text: Text, starts: IntArray, ends: IntArray) -> Read:
        """Read those spectra that fit, of the stretches of text from ``starts`` to ``ends``."""
        numbers = np.empty((self.n_numbers, starts.size), np.int64)
        laid = _Laid(text, np.arange(starts.size), starts, numbers)
        for step in self.steps:
            laid.follow(step)
        laid.keep(laid.places == ends[laid.rows])
        return Read(laid.rows, laid.numbers)


@dataclass(slots=True)
class _Laid:
    """A stencil laid over spectra: how far it was followed in those that fit until there."""

    text: Text
    rows: IntArray
    places: IntArray
    numbers: IntArray
    ordinal: int = 0

    def follow(self, step: Step) -> None:
        """Compare the next stretch of fixed text and pass the hole behind it."""
        size = step.fixed.size
        seen = self.text.windows(self.places, size + step.room)
        fits = seen[:, :size] == step.fixed
        if not fits.all():
            fitting = fits.all(axis=1)
            seen = seen[fitting]
            self.keep(fitting)
        self.places = self.places + size
        if step.quote is None:
            return
        hole = np.ascontiguousarray(seen[:, size:])
        if step.quote == NUMBER:
            lengths = _digits(hole, self.numbers[self.ordinal])
            self.ordinal += 1
            self.places += lengths
            self.keep(lengths > 0)
        else:
            self.places += _value_lengths(hole, step.quote)

    def keep(self, fits: BoolArray) -> None:
        """Go on with some of the spectra only."""
        if fits.all():
            return
        self.rows, self.places = self.rows[fits], self.places[fits]
        self.numbers = self.numbers[:, fits]


def make_stencil(steps: list[tuple[bytes, int | None, int]]) -> Stencil | None:
    """Make a stencil of (fixed text, kind of hole, length of a value that stood there).

    Returns
    -------
    Stencil or None
        ``None`` where the values are too long to be worth it.
    """
    made = [
        Step(np.frombuffer(text, np.uint8), quote, _DIGITS_ROOM if quote == NUMBER else _room(size))
        for text, quote, size in steps
    ]
    room, shortest = (
        sum(sizes) for sizes in zip(*((s.room, s.fixed.size) for s in made), strict=True)
    )
    if room > SPARE:
        return None
    n_numbers = sum(step.quote == NUMBER for step in made)
    return Stencil(tuple(made), shortest, shortest + room, n_numbers)


def _room(size: int) -> int:
    """Room for a value and its quote: some more digits than in the spectrum that was learned."""
    return -(-(size + 9) // 8) * 8


def _value_lengths(hole: NDArray[np.uint8], quote: int) -> IntArray:
    """Length of each value: what stands there must mean the same to every XML parser.

    A value without an end in sight has length 0; the text that should follow it then does not fit.
    """
    # Below the blank and above the tilde: unsigned numbers wrap around.
    ends = (hole - np.uint8(32)) > 94
    for other in (quote, _LESS_THAN, _AMPERSAND):
        ends |= hole == other
    lengths: IntArray = ends.argmax(axis=1)
    return lengths


def _digits(hole: NDArray[np.uint8], out: IntArray) -> IntArray:
    """Read the number at the beginning of each row; return how many digits it has.

    Where there are none, or too many to see their end, the length is 0.
    """
    lengths: IntArray = ((hole - np.uint8(48)) > 9).argmax(axis=1)
    words = hole.view(_WORD)
    inside = np.minimum(lengths, 8)
    out[:] = _value_of(_shifted(words[:, 0], inside))
    if lengths.size and lengths.max() > 8:
        more = lengths - inside
        out *= _TENS[more].astype(np.int64)
        out += _value_of(_shifted(words[:, 1], more)).astype(np.int64)
    return lengths


def _shifted(word: NDArray[np.uint64], n: IntArray) -> NDArray[np.uint64]:
    """Move the first ``n`` bytes (0 to 8) to the end of a word; zeros come before them."""
    half = (32 - 4 * n).astype(np.uint64)
    shifted: NDArray[np.uint64] = (word << half) << half
    return shifted


def _value_of(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The number that eight digits make: neighbors are joined, then pairs, then fours."""
    u = np.uint64
    word = ((word & u(0x0F0F0F0F0F0F0F0F)) * u(2561)) >> u(8)
    word = ((word & u(0x00FF00FF00FF00FF)) * u(6553601)) >> u(16)
    return ((word & u(0x0000FFFF0000FFFF)) * u(42949672960001)) >> u(32)
