"""Reads the next piece of a file while the last one is worked with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

Place = TypeVar("Place")
Piece = TypeVar("Piece")

_WORTH_IT: Final = 4
"""Pieces from which on a second thread saves more than it costs to start."""


def read_ahead(
    readers: tuple[Callable[[Place], Piece], Callable[[Place], Piece]], places: Sequence[Place]
) -> Iterator[Piece]:
    """Yield what is read at each place, in order.

    Parameters
    ----------
    readers
        Two readers that take turns, each with a buffer of its own: one piece is worked with, the
        next one is read. A piece is valid until the one after the next is asked for.
    places
        What to read.
    """
    if len(places) < _WORTH_IT:
        yield from map(readers[0], places)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "read-ahead") as thread:
        coming = thread.submit(readers[0], places[0])
        for at in range(1, len(places) + 1):
            piece = coming.result()
            if at < len(places):
                coming = thread.submit(readers[at % 2], places[at])
            yield piece
