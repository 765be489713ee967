"""Where matrices of spectra lie: in memory up to a budget, beyond it in a scratch file.

A matrix in a scratch file is used like any other. The system keeps in memory what of it is used
and may take that memory back at any time, so it does not count as the program's own. The numbers
are the same either way, bit by bit.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import MemoryBudgetError
from napari_ims_tumor.msi.arrays import Float32Array, IntArray
from napari_ims_tumor.msi.turns import by_turns

_VALUES_AT_ONCE: Final = 1 << 20
IN_CACHE: Final = 1 << 18
"""A megabyte: each pass over spectra then finds them in the processor's own cache."""
_ROWS_AT_ONCE: Final = 256
_SPARE: Final = 10**9
"""Bytes of the disk that are left to others."""
_PIECE: Final = 1 << 22


def pieces(rows: int, columns: int, values: int = _VALUES_AT_ONCE) -> Iterator[slice]:
    """Cut the rows of a matrix into pieces of a few megabytes, or of so many values."""
    at_once = max(1, min(_ROWS_AT_ONCE, values // max(columns, 1)))
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))


class MatrixRoom:
    """Gives memory for matrices; it is given back when the last view of a matrix goes.

    Parameters
    ----------
    most
        Bytes that all matrices together may take in memory; ``None`` is any number.
    folder
        Where scratch files are made; by default where the system has its own.
    """

    def __init__(self, most: int | None = None, folder: Path | None = None) -> None:
        self.most, self.folder = most, folder
        self.in_files = 0
        self._taken = 0
        self._lock = threading.Lock()

    def matrix(self, rows: int, columns: int) -> Float32Array:
        """Make a float32 matrix of zeros.

        Raises
        ------
        MemoryBudgetError
            It fits neither into the memory nor onto the disk.
        """
        nbytes = rows * columns * 4
        if nbytes and not self._take(nbytes):
            return self._file(rows, columns)
        made = np.zeros((rows, columns), np.float32)
        weakref.finalize(made, self._give_back, nbytes).atexit = False
        return made

    def changed(
        self,
        matrix: Float32Array,
        change: Callable[[Float32Array], Float32Array],
        rows: IntArray | None = None,
    ) -> Float32Array:
        """Make a matrix of another, a few rows at a time.

        Parameters
        ----------
        matrix
            Shape (n, columns).
        change
            Turns rows into as many rows, each by itself; called in two threads.
        rows
            Which rows, in which order; all by default.
        """
        n, columns = len(matrix) if rows is None else len(rows), matrix.shape[1]
        made = self.matrix(n, columns)
        parts = list(pieces(n, columns, IN_CACHE))

        def work(mine: slice) -> None:
            for part in parts[mine]:
                made[part] = change(matrix[part if rows is None else rows[part]])

        by_turns(work, len(parts))
        return made

    def taken(self, matrix: Float32Array, rows: IntArray) -> Float32Array:
        """Copy some rows of a matrix into one of its own."""
        return self.changed(matrix, lambda values: values, rows)

    def _take(self, nbytes: int) -> bool:
        with self._lock:
            fits = self.most is None or self._taken + nbytes <= self.most
            self._taken += nbytes if fits else 0
        return fits

    def _give_back(self, nbytes: int) -> None:
        with self._lock:
            self._taken -= nbytes

    def _file(self, rows: int, columns: int) -> Float32Array:
        """Make a matrix in a file without a name, which goes with it."""
        nbytes = rows * columns * 4
        folder = Path(tempfile.gettempdir()) if self.folder is None else self.folder
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < nbytes + _SPARE:
                raise OSError("not enough room")
            with tempfile.TemporaryFile(dir=folder) as file:
                _fill(file, nbytes)
                mapped = mmap.mmap(file.fileno(), nbytes)
        except OSError:
            raise MemoryBudgetError(self._refusal((rows, columns), folder)) from None
        self.in_files += nbytes
        made: NDArray[Any] = np.ndarray((rows, columns), np.float32, mapped)
        return made

    def _refusal(self, shape: tuple[int, int], folder: Path) -> str:
        needed = shape[0] * shape[1] * 4
        return (
            f"{shape[0]:,} spectra of {shape[1]:,} bins take {needed / 1e6:,.0f} MB, more than is "
            f"left of the {(self.most or 0) / 1e6:,.0f} MB that spectra may take in memory, and "
            f"the disk of {folder} has no room for them either: allow more memory, label fewer "
            "pixels, or make room on that disk"
        )


def _fill(file: IO[bytes], nbytes: int) -> None:
    """Have the disk reserve every byte now: a full disk later would kill the program."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, nbytes)
        except OSError as error:
            # Some file systems cannot reserve; all can write.
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
        else:
            return
    zeros = bytes(_PIECE)
    for start in range(0, nbytes, _PIECE):
        file.write(zeros[: nbytes - start])
    file.flush()
