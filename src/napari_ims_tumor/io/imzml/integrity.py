"""Compares the .ibd file with the hash that the .imzML file states, every byte of it, once.

What was found is kept in the user's cache folder: a file that did not change is not read again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_ims_tumor.io.cache_folder import CacheEntry, CacheError, CacheFolder
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress

if TYPE_CHECKING:
    from napari_ims_tumor.io.imzml.dataset import ImzmlDataset

PART: Final = "integrity"
VERSION: Final = 1

WORTH: Final = 16 << 20
"""Bytes of .ibd from which on verifying it again takes longer than to notice."""

_PIECE: Final = 1 << 22
_NAMES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}


@dataclass(frozen=True, slots=True)
class HashCheck:
    """A hash of the .ibd file, as stated and as found.

    Attributes
    ----------
    kind
        ``"md5"``, ``"sha1"`` or ``"sha256"``.
    stated, found
        Hexadecimal digits.
    """

    kind: str
    stated: str
    found: str

    @property
    def name(self) -> str:
        """The kind as people write it."""
        return _NAMES[self.kind]

    @property
    def holds(self) -> bool:
        """Whether the file is the one that the hash was made of."""
        return self.stated == self.found

    @property
    def note(self) -> str:
        """What is wrong, in one sentence."""
        if len(self.stated) != len(self.found):
            return (
                f"the {self.name} that is stated for the .ibd file has {len(self.stated)} digits "
                f"instead of {len(self.found)}, so whether a byte was changed cannot be told. "
                "Tell the maker of the exporting software."
            )
        return (
            f"the .ibd file is not the one whose {self.name} is stated ({self.stated[:8]}… is "
            f"stated, {self.found[:8]}… found): a byte was changed, or it belongs to another "
            "slide. Copy both files again from the same export."
        )


def verify_job(dataset: ImzmlDataset, again: bool = False) -> Job[Progress, tuple[HashCheck, ...]]:
    """Verify the stated hashes of a slide as a job; a mismatch becomes one of its warnings.

    Parameters
    ----------
    dataset
        The slide.
    again
        Read the file also where the answer is known: a bad disk changes bytes, but no date.

    Returns
    -------
    tuple of HashCheck
        One for each stated hash; empty where none is stated.
    """
    if not dataset.checksums:
        return ()
    entry = None
    if dataset.ibd_size >= WORTH:
        entry = CacheFolder.of_user().entry_of(*dataset.files)
    found = None if entry is None or again else _recall(entry, dataset.checksums)
    if found is None:
        found = yield from _hashed(dataset)
        if entry is not None:
            with suppress(CacheError):
                entry.write(PART, VERSION, {"found": found})
    checks = tuple(HashCheck(kind, stated, found[kind]) for kind, stated in dataset.checksums)
    for check in checks:
        if not check.holds:
            dataset.warn(check.note)
    return checks


def _recall(entry: CacheEntry, checksums: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    kept = entry.read(PART, VERSION)
    if kept is None:
        return None
    found = kept.facts.get("found")
    if not isinstance(found, dict) or not all(kind in found for kind, _ in checksums):
        return None
    return {str(kind): str(digits) for kind, digits in found.items()}


def _hashed(dataset: ImzmlDataset) -> Job[Progress, dict[str, str]]:
    """Read the file once for all kinds of hashes."""
    kinds = dict.fromkeys(kind for kind, _ in dataset.checksums)
    digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    phase = f"Verifying the {' and '.join(_NAMES[kind] for kind in kinds)}"
    size = dataset.ibd_size
    for start in range(0, size, _PIECE):
        piece = dataset.read_bytes(start, min(_PIECE, size - start))
        for digest in digests.values():
            digest.update(piece)
        if (yield Progress(phase, start + len(piece), size)) is STOP:
            raise JobStopped("verifying was stopped")
    return {kind: digest.hexdigest() for kind, digest in digests.items()}
