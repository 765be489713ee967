"""Names for the arrays that pass between rooms, and the one way to make them read-only."""

from __future__ import annotations

from mmap import mmap
from typing import Any, Final, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
Float32Array: TypeAlias = NDArray[np.float32]
Float64Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
LabelArray: TypeAlias = NDArray[np.uint8]

FLOAT64: Final = np.dtype(np.float64)


def frozen(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Return ``values`` as a contiguous, read-only array that nobody else can write to.

    They are copied, unless they are such an array already.
    """
    if _is_frozen(values, dtype):
        return values
    copy = np.array(values, dtype=dtype, order="C", copy=True)
    copy.flags.writeable = False
    return copy


def _is_frozen(values: ArrayLike, dtype: DTypeLike) -> TypeGuard[NDArray[Any]]:
    """Whether an array is read-only and owns its memory, or lies in ``bytes``: no view can write.

    So is one in a file that was mapped to be read (of our own: nobody writes to it again). A
    read-only view of an array does not count: the array below may still change.
    """
    if type(values) is not np.ndarray or values.dtype != dtype:
        return False
    flags = values.flags
    if flags.writeable or not (flags.c_contiguous and flags.aligned):
        return False
    return flags.owndata or isinstance(values.base, (bytes, mmap))
