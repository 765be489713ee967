"""Reads arrays out of the .ibd file: from many threads at once, and never past its end.

The file is read by ``pread`` and not mapped: a mapped file that shrinks while open (a lost network
drive, an interrupted copy) kills the process, a short read is an ordinary error.
"""

from __future__ import annotations

import lzma
import os
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.vectors import MOST_VECTORS, Vectors, fill, memory_at
from napari_ims_tumor.io.imzml.vocabulary import Compression


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the values of an array are written.

    Attributes
    ----------
    dtype
        Little-endian type of a value.
    compression
        ``"none"``, ``"zlib"`` or ``"xz"``, for the array as a whole.
    """

    dtype: np.dtype[Any]
    compression: Compression = "none"


class Span(NamedTuple):
    """Where one array lies: ``length`` values in ``nbytes`` bytes from ``offset`` on."""

    offset: int
    length: int
    nbytes: int
    encoding: Encoding


class _Descriptor:
    """An open file that closes when nobody reads from it any more.

    A read holds a reference, so that closing the slide never pulls the file from under a read in
    another thread, and no lock is needed.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self.number = -1
        self.number = os.open(path, flags)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


class IbdFile:
    """The open .ibd file of a slide. Every method may be called from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor: _Descriptor | None = _Descriptor(path)
            state = os.fstat(self._descriptor.number)
        except OSError as error:
            raise SlideError(
                f"{path.name} cannot be opened: {error.strerror}; is its drive connected, and are "
                "you allowed to read it?"
            ) from None
        self.size = state.st_size
        self.written = state.st_mtime_ns

    def read(self, offset: int, nbytes: int) -> bytes | bytearray:
        """Return ``nbytes`` bytes from ``offset`` on, or raise a :class:`SlideError`."""
        if _HAS_PREAD and 0 < nbytes < _MOST_AT_ONCE:
            descriptor = self._open_descriptor()
            try:
                data = os.pread(descriptor.number, nbytes, offset)
                state = os.fstat(descriptor.number)
            except OSError as error:
                raise self._lost(error) from None
            if state.st_size != self.size or state.st_mtime_ns != self.written:
                raise self._changed()
            if len(data) == nbytes:
                return data
        buffer = bytearray(nbytes)
        self.read_into(memoryview(buffer), offset)
        return buffer

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer`` from ``offset`` on, or raise a :class:`SlideError`."""
        descriptor = self._open_descriptor()
        done, wanted = 0, len(buffer)
        while done < wanted:
            got = self._read_some(descriptor, buffer[done:], offset + done)
            if got == 0:
                raise SlideError(
                    f"{self.path.name} ends at byte {offset + done}, but {offset + wanted} bytes "
                    "were expected: it got shorter while open. Copy it again and reopen the slide."
                )
            done += got
        self._compare(descriptor)

    def read_scattered(self, places: Vectors, offset: int) -> None:
        """Fill places in memory, shape (k, 2), one after the other from ``offset`` on.

        Whether the file was changed is left to :meth:`refuse_changed`, once after many calls.
        """
        descriptor = self._open_descriptor()
        for start in range(0, len(places), MOST_VECTORS):
            part = places[start : start + MOST_VECTORS]
            wanted = int(part[:, 1].sum())
            if fill(descriptor.number, part, offset) != wanted:
                self._read_each_place(part, offset)
            offset += wanted

    def _read_each_place(self, places: Vectors, offset: int) -> None:
        """The same one by one: where that stops, it says why."""
        for address, nbytes in places.tolist():
            self.read_into(memory_at(address, nbytes), offset)
            offset += nbytes

    def read_each(self, pieces: Sequence[memoryview], offsets: Sequence[int]) -> None:
        """Fill each buffer from an offset of its own: thousands of small ones, in a tight loop.

        Whether the file was changed is left to :meth:`refuse_changed`, once after many calls.
        """
        descriptor = self._open_descriptor()
        number = descriptor.number
        try:
            for piece, offset in zip(pieces, offsets, strict=True):
                if not HAS_PREADV or os.preadv(number, (piece,), offset) != len(piece):
                    self.read_into(piece, offset)
        except OSError as error:
            raise self._lost(error) from None

    def refuse_changed(self) -> None:
        """Raise a :class:`SlideError` if the file is not what it was when it was opened."""
        self._compare(self._open_descriptor())

    def close(self) -> None:
        """Close the file once the last read is done; later reads raise."""
        self._descriptor = None

    def _open_descriptor(self) -> _Descriptor:
        descriptor = self._descriptor
        if descriptor is None:
            raise SlideError(f"{self.path.name} was closed; open the slide again")
        return descriptor

    def _read_some(self, descriptor: _Descriptor, buffer: memoryview, offset: int) -> int:
        try:
            return _READ_AT(descriptor.number, buffer[:_MOST_AT_ONCE], offset)
        except OSError as error:
            raise self._lost(error) from None

    def _compare(self, descriptor: _Descriptor) -> None:
        try:
            state = os.fstat(descriptor.number)
        except OSError as error:
            raise self._lost(error) from None
        if state.st_size != self.size or state.st_mtime_ns != self.written:
            raise self._changed()

    def _changed(self) -> SlideError:
        return SlideError(
            f"{self.path.name} was changed by another program while it was open; "
            "reopen the slide to see what it holds now"
        )

    def _lost(self, error: OSError) -> SlideError:
        return SlideError(
            f"{self.path.name} cannot be read any more ({error.strerror}): was its drive "
            "disconnected? Reconnect it and reopen the slide."
        )


def seek_and_read(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Read where the system has no positioned read (Windows): one thread at a time."""
    with _POSITION_LOCK:
        os.lseek(descriptor, offset, os.SEEK_SET)
        data = os.read(descriptor, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def _positioned_read(descriptor: int, buffer: memoryview, offset: int) -> int:
    return int(os.preadv(descriptor, [buffer], offset))


_HAS_PREAD: Final = hasattr(os, "pread")
HAS_PREADV: Final = hasattr(os, "preadv")
_POSITION_LOCK = threading.Lock()
_MOST_AT_ONCE: Final = 1 << 30
_READ_AT = _positioned_read if HAS_PREADV else seek_and_read


def decode(data: bytes | bytearray | memoryview, span: Span, what: str) -> NDArray[Any]:
    """Turn the bytes of one array into values, or say which array is damaged."""
    if span.encoding.compression != "none":
        data = _unpacked(data, span, what)
    return np.frombuffer(data, span.encoding.dtype, span.length)


def _unpacked(data: bytes | bytearray | memoryview, span: Span, what: str) -> bytes:
    """Decompress, never producing more than the length that the file states plus one byte."""
    expected = span.length * span.encoding.dtype.itemsize
    if span.nbytes == 0 and expected == 0:
        return b""
    try:
        if span.encoding.compression == "zlib":
            unpacked = zlib.decompressobj().decompress(data, expected + 1)
        else:
            unpacked = lzma.LZMADecompressor().decompress(bytes(data), expected + 1)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise SlideError(
            f"{what} is damaged: the {span.nbytes} bytes from byte {span.offset} on cannot be "
            f"unpacked ({error}). Copy the .ibd file again."
        ) from None
    if len(unpacked) != expected:
        got = f"more than {expected}" if len(unpacked) > expected else str(len(unpacked))
        raise SlideError(
            f"{what} unpacks to {got} bytes instead of {expected}: the .ibd file is damaged or "
            "belongs to another .imzML. Copy both files again from the same export."
        )
    return unpacked
