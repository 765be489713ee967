"""Session files: written whole or not at all, read with suspicion, older versions understood."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError, SessionFileError
from napari_ims_tumor.io.session_file.archive import DAMAGED, FOREIGN, ArchiveReader, write_archive
from napari_ims_tumor.io.session_file.as_text import FORMAT, from_archive, shapes_in, to_archive
from napari_ims_tumor.io.session_file.stored import StoredSession

ENDING: Final = ".imstumor"
FORMAT_VERSION: Final = 1

Text: TypeAlias = dict[str, Any]

MIGRATIONS: Final[Mapping[int, Callable[[Text], Text]]] = {}
"""Version → what turns a text of that version into one of the next. Whoever raises
:data:`FORMAT_VERSION` adds the step from the version before; a step may add, rename and drop
entries, the arrays stay as they are."""


def session_bytes(session: StoredSession) -> bytes:
    """The content of a session file."""
    content = io.BytesIO()
    write_archive(content, to_archive(session, FORMAT_VERSION))
    return content.getvalue()


def write_session(path: str | os.PathLike[str], session: StoredSession) -> None:
    """Write a session file; an older file stays whole until the new one is complete."""
    file = Path(path)
    if file.suffix.lower() != ENDING:
        raise SessionFileError(f"{file.name}: sessions are written as {ENDING}")
    with atomic_write(file) as temporary, temporary.open("wb") as stream:
        write_archive(stream, to_archive(session, FORMAT_VERSION))


def read_session(path: str | os.PathLike[str]) -> StoredSession:
    """Read a session file, refusing everything that is not a sound one.

    Raises
    ------
    SessionFileError
        One sentence: it cannot be read, is not ours, damaged, too large, or of a newer version.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            return _read(ArchiveReader(stream))
    except OSError as error:
        raise SessionFileError(f"{file}: cannot be read ({error.strerror}).") from error
    except ImsTumorError as error:
        raise SessionFileError(f"{file.name}: {error}") from error


def migrated(
    about: Text, to: int = FORMAT_VERSION, steps: Mapping[int, Callable[[Text], Text]] = MIGRATIONS
) -> Text:
    """Bring the text of an older version up to a newer one, one version at a time."""
    for version in range(about["version"], to):
        about = {**steps[version](about), "version": version + 1}
    return about


def _read(archive: ArchiveReader) -> StoredSession:
    about = archive.about()
    version = about.get("version")
    if about.get("format") != FORMAT or type(version) is not int or version < 1:
        raise SessionFileError(f"a zip file, but {FOREIGN}")
    if version > FORMAT_VERSION:
        raise SessionFileError(
            f"written by a newer version of this program (format {version}, known: "
            f"{FORMAT_VERSION}): update napari-ims-tumor"
        )
    try:
        text = migrated(about)
        arrays = archive.arrays(shapes_in(text))
        return from_archive(text, arrays, archive.model())
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SessionFileError(DAMAGED) from error
