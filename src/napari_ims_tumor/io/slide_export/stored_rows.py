"""A matrix that comes in by columns and is wanted by rows, larger than memory where it must be.

Spectra are read in order, each with all its channels; images are one channel of all spectra. What
does not fit a buffer lies in a file without a name beside the output: the system removes it
whatever happens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.channels import Channels

BUFFER: Final = 32 << 20
"""Bytes of columns that are gathered before they are written out by rows."""


class StoredRows:
    """A (rows, columns) matrix that is appended to by columns and then read by rows."""

    def __init__(self, folder: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._folder = folder
        self._file: BinaryIO | None = None
        self._parts: list[NDArray[Any]] = []
        self._held = 0
        self._done = 0

    def __enter__(self) -> StoredRows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, columns: NDArray[Any]) -> None:
        """Add the next columns, shape (rows, any)."""
        part = np.array(columns, self.dtype, order="C")
        self._parts.append(part)
        self._held += part.nbytes
        if self._held >= BUFFER:
            self._flush()

    def rows(self, first: int, last: int) -> NDArray[Any]:
        """Return rows ``first`` to ``last`` (not included), shape (k, columns)."""
        if self._file is None:
            return self._together()[first:last]
        self._flush()
        width = self.shape[1] * self.dtype.itemsize
        self._file.seek(first * width)
        found = np.empty((last - first, self.shape[1]), self.dtype)
        view, got = found.data.cast("B"), 0
        while got < found.nbytes:
            more = self._file.readinto(view[got:])  # type: ignore[attr-defined]
            if not more:
                raise OSError("what was put aside beside the output got lost")
            got += more
        return found

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for i in range(self.shape[0]):
            yield self.rows(i, i + 1)[0]

    def _together(self) -> NDArray[Any]:
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts, axis=1)]
        return self._parts[0]

    def _flush(self) -> None:
        if not self._parts:
            return
        if self._file is None:
            # Without a buffer of Python's own: it would copy what is written once more.
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        columns = self._together()
        size = self.dtype.itemsize
        for i, row in enumerate(columns):
            self._file.seek((i * self.shape[1] + self._done) * size)
            _write_all(self._file, row)
        self._done += columns.shape[1]
        self._parts, self._held = [], 0


def _write_all(file: BinaryIO, values: NDArray[Any]) -> None:
    view, done = values.data.cast("B"), 0
    while done < len(view):
        done += file.write(view[done:])


def gather(view: ExportView, channels: Channels, rows: StoredRows) -> Job[Progress, None]:
    """Read all chosen spectra once and keep the values of every channel."""
    done, total = 0, view.spectra.n_spectra
    for block in view.spectra.blocks():
        values = channels.values(block, view.request.reduce)
        if view.factors is not None:
            values = values * view.factors[block.indices]
        rows.append(values)
        done += block.indices.size
        yield from report("Reading spectra", done, total)


def report(phase: str, done: int = 0, total: int = 0) -> Job[Progress, None]:
    """Say how far an export is, and end it where it shall stop."""
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("stopped: nothing was exported")
