"""A file's name as text that can be shown and written, whatever bytes it has on the disk."""

from __future__ import annotations

import os
from pathlib import Path


def readable_stem(path: Path) -> str:
    """Give a name without its ending; bytes that are no UTF-8 become their hexadecimal digits."""
    return readable(path.stem)


def readable(name: str) -> str:
    """Give one part of a path as text that every file and terminal takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
