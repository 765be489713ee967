"""Two threads for work that NumPy and the system do without holding Python up."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, TypeVar

Result = TypeVar("Result")


def cpu_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


THREADS: Final = min(2, cpu_cores())


def by_turns(work: Callable[[slice], Result], n: int) -> list[Result]:
    """Let two threads work through ``n`` pieces.

    Parameters
    ----------
    work
        Is given which pieces to take: every other one.
    n
        How many there are.

    Returns
    -------
    list
        What the work of each thread returned, in the order of their first pieces.
    """
    if n < THREADS:
        return [work(slice(None))]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(THREADS, "turns") as pool:
        return list(pool.map(work, [slice(first, None, THREADS) for first in range(THREADS)]))
