"""The folder of what was worked out about slides: nothing is worked out twice.

It lies in the user's own cache folder, never beside the data. Everything in it can be made anew:
what is damaged, of another version, or not there is ``None``. A slide is known by what its two
files are, not by where they lie.

Where nothing can be kept, work goes on without: writing raises a :class:`CacheError`, whose message
is a note for the user.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.cache_part import Part, PartWriter, read_part
from napari_ims_tumor.io.cache_space import (
    UNFINISHED,
    discard,
    last_used,
    remove_abandoned,
    rename_new,
    size_of,
)
from napari_ims_tumor.io.file_name import readable_stem

FOLDER_VARIABLE: Final = "IMS_TUMOR_CACHE"
LIMIT_VARIABLE: Final = "IMS_TUMOR_CACHE_LIMIT"
USUAL_LIMIT: Final = 20 * 10**9
_UNITS: Final = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SPARE: Final = 10**9
"""Bytes of the disk that are left to others."""
_SETTLED_S: Final = 2.0
"""A file written less than this before it was opened may change again and keep its time: file
systems count time in steps of up to two seconds."""
_IDENTITY: Final = 1 << 16
"""Bytes at the start and end of the .imzML that are looked at; its UUID is among them."""
_LAYOUT: Final = "v1"


class CacheError(ImsTumorError):
    """Nothing can be kept; the message is a note, no reason to stop."""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What the folder holds of one slide.

    Attributes
    ----------
    slide
        Its name.
    nbytes
        How much space it takes.
    used
        When it was last used, in seconds since 1970.
    """

    slide: str
    nbytes: int
    used: float


class CacheFolder:
    """All that is kept, up to a limit; what was not used for longest goes first.

    Parameters
    ----------
    root
        The folder; made when it is first written to.
    limit
        Most bytes in it.
    """

    def __init__(self, root: Path, limit: int = USUAL_LIMIT) -> None:
        self.root = root
        self.limit = limit

    @classmethod
    def of_user(cls) -> CacheFolder:
        """The user's folder: as the environment says, else where the system keeps such things."""
        from platformdirs import user_cache_path

        named = os.environ.get(FOLDER_VARIABLE)
        root = Path(named).expanduser() if named else user_cache_path("napari-ims-tumor", False)
        return cls(root, _limit(os.environ.get(LIMIT_VARIABLE, "")))

    def entry_of(self, imzml: Path, ibd: Path) -> CacheEntry | None:
        """Return what is kept of a slide.

        ``None`` where its files cannot be read, or were written so shortly ago that a later change
        could not be told.
        """
        key = slide_key(imzml, ibd)
        return None if key is None else CacheEntry(self, key, (imzml, ibd))

    def entries(self) -> list[EntryFacts]:
        """List what is there, last used first."""
        found = [facts for folder in self._folders() if (facts := _facts(folder)) is not None]
        return sorted(found, key=lambda facts: -facts.used)

    def clear(self) -> int:
        """Remove everything; return how many bytes that were."""
        folders = self._folders()
        freed = sum(size_of(folder) for folder in folders)
        for folder in folders:
            discard(folder)
        return freed - sum(size_of(folder) for folder in folders)

    def trim(self, keep: str = "") -> None:
        """Remove abandoned parts, then what was used longest ago, until the limit holds."""
        folders = self._folders()
        for folder in folders:
            remove_abandoned(folder)
        sizes = {folder: size_of(folder) for folder in folders}
        total = sum(sizes.values())
        for folder in sorted(folders, key=last_used):
            if total > self.limit and folder.name != keep:
                discard(folder)
                total -= sizes[folder]

    def refuse_too_large(self, nbytes: int) -> None:
        """Raise a :class:`CacheError` where there is no room for so many bytes."""
        if nbytes > self.limit:
            raise self._cannot(f"{nbytes / 1e9:.1f} GB are more than its limit")
        home = next((p for p in (self.root, *self.root.parents) if p.exists()), self.root)
        try:
            free = shutil.disk_usage(home).free
        except OSError as error:
            raise self._cannot(error.strerror or str(error)) from None
        if free < nbytes + _SPARE:
            raise self._cannot(f"only {free / 1e9:.1f} GB are free on its disk")

    def _cannot(self, reason: str) -> CacheError:
        return CacheError(
            f"Nothing is kept in {self.root} ({reason}): slides open as usual, but what is worked "
            f"out about them is worked out again next time. Make room there, or name another "
            f"folder in {FOLDER_VARIABLE}."
        )

    def _folders(self) -> list[Path]:
        try:
            return [Path(f.path) for f in os.scandir(self.root / _LAYOUT) if f.is_dir()]
        except OSError:
            return []


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What is kept of one slide, in parts that are written and read whole.

    Attributes
    ----------
    files
        The .imzML and the .ibd file.
    """

    cache: CacheFolder
    key: str
    files: tuple[Path, Path]

    def read(self, part: str, version: int, mapped: bool = False) -> Part | None:
        """Read a part.

        Parameters
        ----------
        part
            Its name.
        version
            The version of its format; another one counts as nothing.
        mapped
            Map the arrays instead of reading them: for those that may be larger than memory.
        """
        found = read_part(self._folder / part, version, mapped)
        if found is not None:
            with suppress(OSError):
                os.utime(self._folder)
        return found

    def write(
        self,
        part: str,
        version: int,
        facts: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Keep facts and arrays; raise a :class:`CacheError` where that cannot be done."""
        kept = {name: np.asarray(values) for name, values in (arrays or {}).items()}
        self.cache.refuse_too_large(sum(values.nbytes for values in kept.values()))
        with self.writing(part, version, facts) as writer:
            for name, values in kept.items():
                writer.put(name, values)

    @contextmanager
    def writing(self, part: str, version: int, facts: Mapping[str, Any]) -> Iterator[PartWriter]:
        """Lend a writer; what it wrote becomes the part when the block ends, else nothing stays.

        Parameters
        ----------
        part, version
            Name, and version of its format.
        facts
            JSON values; looked at when the block ends.
        """
        unfinished = self._folder / f"{UNFINISHED}{os.urandom(4).hex()}"
        try:
            unfinished.mkdir(0o700, parents=True)
            writer = PartWriter(unfinished)
            try:
                yield writer
                writer.finish(version, facts)
            finally:
                writer.close()
            self._publish(unfinished, part)
        except OSError as error:
            raise self.cache._cannot(error.strerror or str(error)) from None
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        self.cache.trim(keep=self.key)

    def _publish(self, unfinished: Path, part: str) -> None:
        """Give a finished part its name, unless the slide is another one by now."""
        if slide_key(*self.files) != self.key:
            return
        (self._folder / "slide").write_text(readable_stem(self.files[0]), "utf-8")
        home = self._folder / part
        if home.exists():
            discard(home)
        with suppress(FileExistsError):
            # Somebody else was faster: theirs is as good.
            rename_new(unfinished, home)

    @property
    def _folder(self) -> Path:
        return self.cache.root / _LAYOUT / self.key


def slide_key(imzml: Path, ibd: Path) -> str | None:
    """Tell a slide by its files: their sizes, times and identities; ``None`` if that is not sure.

    The UUIDs are among what is hashed: the first 16 bytes of the .ibd, and the head of the .imzML.
    """
    digest = hashlib.sha256()
    try:
        for path, head, tail in ((imzml, _IDENTITY, _IDENTITY), (ibd, 16, 0)):
            with path.open("rb", buffering=0) as file:
                state = os.fstat(file.fileno())
                if abs(time.time() - state.st_mtime_ns / 1e9) < _SETTLED_S:
                    return None
                digest.update(f"{state.st_size} {state.st_mtime_ns} ".encode())
                digest.update(file.read(head))
                file.seek(max(state.st_size - tail, 0))
                digest.update(file.read(tail))
    except OSError:
        return None
    return digest.hexdigest()[:32]


def _limit(text: str) -> int:
    """Read ``"50GB"``; what cannot be understood is the usual limit."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]b)\s*", text.lower())
    return int(float(match[1]) * _UNITS[match[2]]) if match else USUAL_LIMIT


def _facts(folder: Path) -> EntryFacts | None:
    try:
        slide = (folder / "slide").read_text("utf-8")
        return EntryFacts(slide, size_of(folder), folder.stat().st_mtime)
    except (OSError, ValueError):
        return None
