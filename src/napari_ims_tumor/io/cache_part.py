"""One part of a cache entry: facts and arrays that belong together, written whole or not at all.

A part is a folder: ``part.json`` says what there is, each array is a file of plain values. It gets
its name only once everything is written. A file in it is never written again, so that it may be
mapped: removing it, from any process, leaves the map as it was.
"""

from __future__ import annotations

import json
import mmap
import os
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

LISTING: Final = "part.json"
_WRONG: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What a damaged part can raise while it is read."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What was kept.

    Attributes
    ----------
    facts
        JSON values.
    arrays
        Read-only; in one dimension unless they were given whole.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class PartWriter:
    """Writes a part into an empty folder, piece by piece, one after the other on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._open: dict[str, BinaryIO] = {}
        self._stored: dict[str, dict[str, Any]] = {}

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Write values behind those that were given for this name, all of one type."""
        dtype = values.dtype.newbyteorder("<").str
        if name not in self._open:
            file = (self._folder / _file_name(name)).open("xb", buffering=0)
            self._open[name] = self._files.enter_context(file)
            self._stored[name] = {"dtype": dtype, "shape": [0]}
        stored = self._stored[name]
        if stored["dtype"] != dtype:
            raise TypeError(f"{name} holds {stored['dtype']}, not {dtype}")
        _write_all(self._open[name], np.ascontiguousarray(values, dtype).reshape(-1))
        stored["shape"][0] += values.size

    def put(self, name: str, values: NDArray[Any]) -> None:
        """Write an array of any shape whole."""
        self.append(name, values)
        self._stored[name]["shape"] = list(values.shape)

    def finish(self, version: int, facts: Mapping[str, Any]) -> None:
        """Write down what there is; only the name of the folder is missing then.

        It does not wait for the disk: where the power fails now, the sums tell.
        """
        for name, stored in self._stored.items():
            values = _load(self._folder / _file_name(name), stored, mapped=True)
            stored["sum"] = word_sum(values)
        text = json.dumps({"version": version, "facts": facts, "arrays": self._stored})
        (self._folder / LISTING).write_bytes(_sealed(text))
        self.close()

    def close(self) -> None:
        """Close all files."""
        self._files.close()


def read_part(folder: Path, version: int, mapped: bool = False) -> Part | None:
    """Read a part; ``None`` where there is none, or it is damaged, or of another version.

    Parameters
    ----------
    folder
        The part's folder.
    version
        What the part must say.
    mapped
        Map the arrays instead of reading them.
    """
    try:
        listing = _unsealed((folder / LISTING).read_bytes())
        if listing["version"] != version:
            return None
        arrays = {
            name: _checked(_load(folder / _file_name(name), stored, mapped), stored)
            for name, stored in listing["arrays"].items()
        }
        return Part(dict(listing["facts"]), arrays)
    except _WRONG:
        return None


def word_sum(values: NDArray[Any]) -> int:
    """Sum the bytes of an array as 64-bit words, modulo 2⁶⁴.

    It is as fast as memory, and any one changed byte, or a page that was lost, changes it.
    """
    data = values.reshape(-1).view(np.uint8)
    whole = data.size // 8 * 8
    total = int(np.add.reduce(data[:whole].view(np.uint64), dtype=np.uint64))
    return (total + int.from_bytes(data[whole:].tobytes(), "little")) % 2**64


def _checked(values: NDArray[Any], stored: Mapping[str, Any]) -> NDArray[Any]:
    if word_sum(values) != stored["sum"]:
        raise ValueError("the sum is wrong")
    return values


def _load(path: Path, stored: Mapping[str, Any], mapped: bool) -> NDArray[Any]:
    """Read or map one array, if its file has exactly the length that it must have."""
    dtype, shape = np.dtype(stored["dtype"]), tuple(stored["shape"])
    count = int(np.prod(shape, dtype=object))
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("not plain values")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != count * dtype.itemsize:
            raise ValueError("the length is wrong")
        if count == 0:
            values = np.empty(shape, dtype)
        elif mapped:
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return np.frombuffer(whole, dtype, count).reshape(shape)
        else:
            values = np.fromfile(file, dtype, count).reshape(shape)
    values.flags.writeable = False
    return values


def _write_all(file: BinaryIO, values: NDArray[Any]) -> None:
    """Write values; an unbuffered file may take less at once than it is given."""
    rest = values.view(np.uint8).data
    while rest.nbytes:
        rest = rest[file.write(rest) :]


def _file_name(name: str) -> str:
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"{name!r} cannot name an array")
    return f"{name}.bin"


def _sealed(text: str) -> bytes:
    """Put the checksum of a text before it."""
    data = text.encode()
    return f"{zlib.crc32(data):08x}\n".encode() + data


def _unsealed(data: bytes) -> dict[str, Any]:
    seal, _, text = data.partition(b"\n")
    if int(seal, 16) != zlib.crc32(text):
        raise ValueError("the checksum is wrong")
    listing: dict[str, Any] = json.loads(text)
    return listing
