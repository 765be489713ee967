"""Where the slides of a session lie: noted when it is saved, looked for when it is opened."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from napari_ims_tumor.errors import SessionFileError
from napari_ims_tumor.io.imzml import ImzmlDataset, pair_of
from napari_ims_tumor.io.session_file.stored import SlideAddress
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress

_CHUNK: Final = 8 * 2**20


def address_of(slide: ImzmlDataset, session_file: Path) -> Job[Progress, SlideAddress]:
    """Note where a slide lies, seen from a session file, and what tells it from others."""
    imzml, ibd = pair_of(slide.source)
    digest = yield from _hash(imzml)
    kind, digits = slide.checksums[0] if slide.checksums else ("", "")
    return SlideAddress(
        name=slide.name,
        relative=_below(imzml, session_file.resolve().parent),
        absolute=str(imzml),
        uuid=_digits(slide.metadata.get("uuid", "")),
        sha256=digest,
        nbytes=(imzml.stat().st_size, ibd.stat().st_size),
        checksum=f"{kind} {digits}".strip(),
    )


def places_of(
    address: SlideAddress, session_file: Path, others: Sequence[Path] = ()
) -> tuple[Path, ...]:
    """List the files that may be a slide of a session, the likeliest first; only those that exist.

    Parameters
    ----------
    address
        What the session says.
    session_file
        Where the session lies now.
    others
        Files, or folders, that somebody has named.
    """
    home, named = session_file.resolve().parent, _file_name(address)
    places = [_inside(home, address.relative), _on_this_machine(address.absolute), home / named]
    for other in others:
        places += [other / named] if other.is_dir() else [other, other.parent / named]
    found = (place.resolve() for place in places if place is not None and _is_file(place))
    return tuple(dict.fromkeys(found))


def is_other_slide(address: SlideAddress, slide: ImzmlDataset) -> str | None:
    """Say in one sentence that a slide is not the one that was meant; ``None`` where it is.

    Files without a UUID cannot be told apart by it: whoever lays labels onto them compares shapes.
    """
    stated = _digits(slide.metadata.get("uuid", ""))
    if not stated or not address.uuid or stated == address.uuid:
        return None
    return (
        f"{slide.source} is another slide than {address.name}: its UUID is {stated}, the session "
        f"was made on {address.uuid}"
    )


def change_of(address: SlideAddress, slide: ImzmlDataset) -> Job[Progress, str | None]:
    """Say in one sentence that the files were changed since the session was saved."""
    imzml, ibd = pair_of(slide.source)
    kind, digits = slide.checksums[0] if slide.checksums else ("", "")
    same = (imzml.stat().st_size, ibd.stat().st_size) == address.nbytes
    same = same and f"{kind} {digits}".strip() == address.checksum
    if same and (yield from _hash(imzml)) == address.sha256:
        return None
    return (
        f"{slide.name} was changed since the session was saved: labels and prediction may not "
        "belong to what is shown. Predict again."
    )


def not_found(address: SlideAddress, session_file: Path) -> str:
    """Say in one sentence which slide is missing and where it was."""
    return (
        f"{session_file.name}: the slide {address.name} is not found. It was last at "
        f"{address.absolute}; put it beside the session file, or say where it is now"
    )


def _hash(path: Path) -> Job[Progress, str]:
    digest, total = hashlib.sha256(), path.stat().st_size
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                if (yield Progress(f"Comparing {path.name}", file.tell(), total)) is STOP:
                    raise JobStopped("stopped")
    except OSError as error:
        raise SessionFileError(f"{path}: cannot be read ({error.strerror}).") from error
    return digest.hexdigest()


def _below(path: Path, folder: Path) -> str:
    """Write a path from a folder on, with slashes; empty where it lies elsewhere."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""


def _inside(home: Path, relative: str) -> Path | None:
    """Read a path from the session's folder on; one that leads out of it is no such path."""
    parts = PurePosixPath(relative).parts
    if not parts or ".." in parts or ":" in relative or "\\" in relative or parts[0] == "/":
        return None
    return home.joinpath(*parts)


def _on_this_machine(absolute: str) -> Path | None:
    """Read a whole path; one on a server is not tried.

    Windows logs in at whatever server a path names, and a session file may come from anybody.
    """
    remote = absolute.startswith(("\\\\", "//"))
    return Path(absolute) if absolute and not remote else None


def _file_name(address: SlideAddress) -> str:
    """Name of the .imzML alone, whatever system the path was written on."""
    last = re.split(r"[\\/]", address.relative or address.absolute)[-1]
    return last if Path(last).suffix.lower() == ".imzml" else f"{address.name}.imzML"


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False


def _digits(uuid: str) -> str:
    return re.sub("[^0-9a-f]", "", uuid.lower())
