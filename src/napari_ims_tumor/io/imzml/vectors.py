"""Fills many places in memory from one stretch of a file with one call of the system.

``os.preadv`` takes a Python object for each place, which costs more than to read a short array. The
system itself takes a table of addresses and sizes, and NumPy makes that of thousands at once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import IntArray

Vectors = NDArray[np.uint64]
"""Shape (k, 2): address and bytes of each place, as the system's ``struct iovec`` has them."""

MOST_VECTORS: Final = 1024
"""Places per call that every system with ``preadv`` accepts."""


def vectors_of(addresses: IntArray, sizes: IntArray) -> Vectors:
    """Make the table of some places, both of shape (k,)."""
    table: Vectors = np.empty((addresses.size, 2), np.uint64)
    table[:, 0], table[:, 1] = addresses, sizes
    return table


def fill(descriptor: int, places: Vectors, offset: int) -> int:
    """Read into places from ``offset`` of a file on; whoever owns the memory keeps it.

    Returns
    -------
    int
        How many bytes were read: fewer than asked for at the end of the file, and where the system
        has no such call, was interrupted or refused.
    """
    if _PREADV is None:
        return 0
    return int(_PREADV(descriptor, places.ctypes.data, len(places), offset))


def memory_at(address: int, nbytes: int) -> memoryview:
    """Memory that somebody else owns, to be written to."""
    return memoryview((ctypes.c_ubyte * nbytes).from_address(address)).cast("B")


def _find_preadv() -> Callable[[int, int, int, int], int] | None:
    # A table of two 64-bit numbers for each place is what 64-bit systems take.
    if not hasattr(os, "preadv") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        function = ctypes.CDLL(None).preadv
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_ssize_t
    function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong)
    call: Callable[[int, int, int, int], int] = function
    return call


_PREADV: Final = _find_preadv()
HAS_VECTORS: Final = _PREADV is not None
