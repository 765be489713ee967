"""The disk space of kept things: how much is taken, and how it is given back."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

UNFINISHED: Final = ".new-"
DISCARDED: Final = ".old-"
_ABANDONED_S: Final = 3600.0
"""Nobody writes an unfinished part any more if nothing was added to it for so long."""


def files_below(folder: Path) -> Iterator[os.stat_result]:
    """Yield the state of every file below a folder."""
    for home, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                yield (Path(home) / name).stat()


def size_of(folder: Path) -> int:
    """Bytes in all files below a folder."""
    return sum(state.st_size for state in files_below(folder))


def last_used(folder: Path) -> float:
    """When a folder was used last; 0 for one that is gone."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def remove_abandoned(folder: Path) -> None:
    """Remove what was left half written, or half removed, by programs that ended."""
    for part in [*folder.glob(f"{UNFINISHED}*"), *folder.glob(f"{DISCARDED}*")]:
        newest = max((state.st_mtime for state in files_below(part)), default=last_used(part))
        if time.time() - newest > _ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)


def discard(folder: Path) -> None:
    """Remove a folder as a whole: where a file of it is in use (Windows), all of it stays."""
    away = folder.with_name(f"{DISCARDED}{os.urandom(4).hex()}")
    with suppress(OSError):
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)


def rename_new(folder: Path, home: Path) -> None:
    """Rename a folder to a name that nobody has."""
    try:
        folder.rename(home)
    except OSError:
        if home.exists():
            raise FileExistsError from None
        raise
