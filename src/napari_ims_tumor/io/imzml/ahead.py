"""Two threads for one file: one reads ahead of the other, or both take turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

Place = TypeVar("Place")
Piece = TypeVar("Piece")

_WORTH_IT: Final = 4
"""Pieces from which on a second thread saves more than it costs to start."""

_THREADS: Final = min(2, os.cpu_count() or 1)


def by_turns(work: Callable[[slice], object], n: int) -> None:
    """Let two threads work through ``n`` pieces.

    Parameters
    ----------
    work
        Is given which pieces to take: every other one.
    n
        How many there are.
    """
    if n < _THREADS:
        work(slice(None))
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_THREADS, "read") as pool:
        list(pool.map(work, [slice(first, None, _THREADS) for first in range(_THREADS)]))


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
