"""Settles how arrays are encoded, where a file names two types or its lengths disagree."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.arrays import Encoding
from napari_ims_tumor.io.imzml.shape import ArrayShape
from napari_ims_tumor.io.imzml.vocabulary import Compression
from napari_ims_tumor.io.imzml.wording import spectra
from napari_ims_tumor.msi.arrays import IntArray

_ABSENT = np.iinfo(np.int64).min


def encoding_of(
    shape: ArrayShape, lengths: IntArray, encoded: IntArray, where: tuple[IntArray, str]
) -> tuple[Encoding, IntArray, IntArray, list[str]]:
    """Find the encoding, the number of values and of bytes of arrays of one shape.

    Parameters
    ----------
    shape
        What the terms say.
    lengths, encoded
        Shape (k,): numbers of values and of bytes as stated; the smallest int64 = not stated.
    where
        The spectra, shape (k,), and the array's name for messages.

    Returns
    -------
    tuple
        Encoding, numbers of values, numbers of bytes, notes.
    """
    compression, notes = _compression(shape, lengths, encoded, where)
    if compression != "none":
        dtype = _only(shape.dtypes or shape.named_dtypes, where)
        _refuse_absent(lengths, where, "length")
        _refuse_absent(encoded, where, "encoded length")
        return Encoding(dtype, compression), lengths, encoded, notes
    dtype, more = _dtype(shape, lengths, encoded, where)
    absent = lengths == _ABSENT
    if absent.any():
        lengths = np.where(absent, encoded // dtype.itemsize, lengths)
    _refuse_absent(lengths, where, "length")
    nbytes = lengths * dtype.itemsize
    _refuse_other_size(nbytes, encoded, where)
    return Encoding(dtype), lengths, nbytes, notes + more


def _compression(
    shape: ArrayShape, lengths: IntArray, encoded: IntArray, where: tuple[IntArray, str]
) -> tuple[Compression, list[str]]:
    named = shape.compressions
    if len(named) < 2:
        return (named[0] if named else "none"), []
    packed = [name for name in named if name != "none"]
    if len(packed) > 1:
        raise SlideError(
            f"spectrum {int(where[0][0])}: the {where[1]} is said to be compressed both with "
            f"{' and '.join(packed)}, so its numbers cannot be read for certain; export it again"
        )
    types = shape.dtypes or shape.named_dtypes
    plain = any(np.array_equal(lengths * dtype.itemsize, encoded) for dtype in types)
    chosen: Compression = "none" if plain else packed[0]
    read = "as not compressed" if chosen == "none" else f"as compressed with {chosen}"
    return chosen, [
        f"spectrum {int(where[0][0])}: the {where[1]} is said to be both compressed and not; it is "
        f"read {read}, as its lengths say"
    ]


def _dtype(
    shape: ArrayShape, lengths: IntArray, encoded: IntArray, where: tuple[IntArray, str]
) -> tuple[np.dtype[Any], list[str]]:
    """The type whose size fits the stated lengths; the accession is believed before the name."""
    fitting = [t for t in shape.dtypes if _fits(t, lengths, encoded)]
    if not fitting and shape.dtypes:
        fitting = [t for t in shape.named_dtypes if _fits(t, lengths, encoded)]
    if not shape.dtypes:
        fitting = list(shape.named_dtypes)
    if not fitting and len(shape.dtypes) == 1:
        return shape.dtypes[0], []
    chosen = _only(tuple(fitting) or shape.dtypes, where)
    if shape.dtypes == (chosen,):
        return chosen, []
    return chosen, [
        f"spectrum {int(where[0][0])}: the type of the {where[1]} is stated wrongly or twice; it "
        f"is read as {chosen.name}, as its lengths say"
    ]


def _fits(dtype: np.dtype[Any], lengths: IntArray, encoded: IntArray) -> bool:
    fits = lengths * dtype.itemsize == encoded
    return bool((fits | (lengths == _ABSENT) | (encoded == _ABSENT) | (encoded == 0)).all())


def _only(types: tuple[np.dtype[Any], ...], where: tuple[IntArray, str]) -> np.dtype[Any]:
    if len(types) == 1:
        return types[0]
    said = " and ".join(t.name for t in types) if types else "no type"
    raise SlideError(
        f"spectrum {int(where[0][0])}: the {where[1]} states {said} for its values, so its "
        "numbers cannot be read for certain; export it again"
    )


def _refuse_other_size(nbytes: IntArray, encoded: IntArray, where: tuple[IntArray, str]) -> None:
    wrong = (encoded != _ABSENT) & (encoded != nbytes) & (encoded != 0)
    if not wrong.any():
        return
    first = int(np.flatnonzero(wrong)[0])
    raise SlideError(
        f"spectrum {int(where[0][first])}: the {where[1]} should take {int(nbytes[first])} bytes, "
        f"but the file says {int(encoded[first])} ({spectra(int(wrong.sum()))} in all): its type "
        "or its length is stated wrongly. Export it again."
    )


def _refuse_absent(numbers: IntArray, where: tuple[IntArray, str], what: str) -> None:
    bad = where[0][numbers < 0]
    if bad.size:
        raise SlideError(
            f"spectrum {int(bad.min())}: the {where[1]} has no usable {what} "
            f"({spectra(bad.size)} in all): the file is incomplete. Export it again."
        )
