"""Write a file whole or not at all: a crash, a full disk or a stop leaves the old one intact."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from napari_ims_tumor.errors import ImsTumorError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Lend a temporary path beside ``path``; what was written there takes its name at the end.

    Parameters
    ----------
    path
        The file to replace. A symbolic link is followed, so the link stays a link.

    Yields
    ------
    Path
        A name in the same folder with the same ending, which the caller writes.

    Raises
    ------
    ImsTumorError
        The folder is missing or read-only, the disk is full, or what lies there is no plain file
        (a device, a pipe, a folder). The old file is untouched.
    """
    target = Path(path).resolve()
    refuse_no_file(target)
    # The same folder, as a rename is atomic on one file system only; the same ending, as writers
    # of arrays and pictures look at it.
    temporary = target.with_name(f".{secrets.token_hex(4)}-{target.name[-40:]}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
        _flush_folder(target.parent)
    except OSError as error:
        raise ImsTumorError(_why(target, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def refuse_no_file(path: Path) -> None:
    """Stop where a name is taken by something that a file must not replace, such as a device."""
    if path.is_dir():
        raise ImsTumorError(f"{path} is a folder: give the name of a file in it")
    if path.exists() and not path.is_file():
        raise ImsTumorError(
            f"{path} is a device or a pipe and would be replaced by a file: give another name"
        )


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Lend an empty folder beside ``path``; what was written there takes its name at the end.

    Parameters
    ----------
    path
        The folder to replace, where there is one already.

    Yields
    ------
    Path
        A folder in the same place with the same ending.

    Raises
    ------
    ImsTumorError
        The place is missing or read-only, or the disk is full. The old folder is untouched.
    """
    target = Path(path).resolve()
    mark = secrets.token_hex(4)
    temporary = target.with_name(f".{mark}-{target.name[-40:]}")
    old = target.with_name(f".{mark}-old-{target.name[-40:]}")
    try:
        temporary.mkdir()
        yield temporary
        # A folder cannot be renamed over one that is not empty.
        if target.exists():
            target.rename(old)
        temporary.rename(target)
        _flush_folder(target.parent)
    except OSError as error:
        if old.exists() and not target.exists():
            old.rename(target)
        raise ImsTumorError(_why(target, error)) from error
    finally:
        for leftover in (temporary, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    """Make sure the content is on the disk before it takes the old file's name."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut, where the system can flush a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _why(target: Path, error: OSError) -> str:
    if not target.parent.is_dir():
        return f"{target} cannot be written: the folder {target.parent} does not exist"
    reason = error.strerror or str(error)
    return (
        f"{target} cannot be written ({reason}): check the free space and whether you may write "
        f"to {target.parent}"
    )
