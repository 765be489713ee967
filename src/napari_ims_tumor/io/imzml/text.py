"""A stretch of a file's text in memory that is used again and again."""

from __future__ import annotations

from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

SPARE: Final = 1 << 12
"""Bytes behind the text that may be looked at without harm."""


class Text:
    """Text that moves through a file: what is not yet read stays when more comes in.

    Attributes
    ----------
    buffer
        The memory; only the first ``size`` bytes are text.
    size
        Bytes of text.
    """

    def __init__(self, piece: int) -> None:
        self._piece = piece
        self.buffer = bytearray(2 * piece + SPARE)
        self._bytes = np.frombuffer(self.buffer, np.uint8)
        self.size = 0

    @classmethod
    def of(cls, data: bytes) -> Text:
        """Text that is there already."""
        text = cls(len(data))
        text.buffer[: len(data)] = data
        text.size = len(data)
        return text

    def advance(self, file: BinaryIO, done: int) -> int:
        """Drop the first ``done`` bytes and read another piece; return how much was read."""
        rest = self.size - done
        with memoryview(self.buffer) as memory:
            memory[:rest] = memory[done : self.size]
            got = file.readinto(memory[rest : rest + self._piece])  # type: ignore[attr-defined]
        self.size = rest + got
        return int(got)

    def cut(self, start: int, end: int) -> bytes:
        """Copy a stretch out."""
        return bytes(self.buffer[start:end])

    def windows(self, places: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
        """Gather ``width`` bytes from each place, shape (places, width).

        A place too close to the end gives other bytes than those that lie there.
        """
        # Items of ``width`` bytes that begin at each byte: taking one is a single copy of memory.
        shape = (self._bytes.size - width + 1,)
        items = np.ndarray(shape, f"V{width}", self.buffer, 0, (1,))
        found = items[np.minimum(places, shape[0] - 1)]
        return found.view(np.uint8).reshape(places.size, width)
