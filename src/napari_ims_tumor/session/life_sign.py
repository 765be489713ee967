"""A file that tells other processes whether the one that made it still runs.

It is a lock and not a process number: numbers are given out again and cannot be asked about
everywhere, a lock goes with its process however that ended.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class LifeSign:
    """Shows that its owner is alive, from :meth:`show` until :meth:`close` or the process's end.

    Parameters
    ----------
    path
        The file to lock; nobody else's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: BinaryIO | None = None

    def show(self) -> None:
        """Begin; a file system that knows no locks is no reason to fail."""
        if self._held is not None:
            return
        held = self._path.open("ab")
        with suppress(OSError):
            _lock(held)
        self._held = held

    def close(self) -> None:
        """End, and leave nothing behind."""
        if self._held is not None:
            self._held.close()
            self._held = None
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def is_alive(path: Path) -> bool:
    """Whether the owner of a life sign still runs; the file of one that does not is removed.

    In doubt (no file, no locks on this file system) nobody is alive: strokes offered once too
    often do no harm.
    """
    try:
        with path.open("rb+") as file:
            _lock(file)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    with suppress(OSError):
        path.unlink(missing_ok=True)
    return False


def _lock(file: BinaryIO) -> None:
    """Lock a file for this handle alone, or raise at once; closing it gives the lock back."""
    if sys.platform == "win32":
        file.seek(0, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        # Not lockf: its locks belong to the process, and two windows may share one.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
