"""What tells the inputs of a fit or a validation from all others: hashes, never paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.io.imzml import ImzmlDataset
from napari_ims_tumor.msi.dataset import MsiDataset

_PIECE: Final = 1 << 22
_MOST_PIECES: Final = 64
"""A larger .ibd without a stated checksum is known by this many pieces, evenly spaced."""


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """Which files one row of a cohort was.

    Attributes
    ----------
    name
        The slide's name in the report.
    uuid
        The UUID stated in the .imzML; empty where there is none.
    checksum_kind, checksum
        How the intensities are told from others, and the hexadecimal digits.
    labels, groups
        SHA-256 of the label file (with what is said of regions) and of the group image; ``None``
        without a group image.
    """

    name: str
    uuid: str
    checksum_kind: str
    checksum: str
    labels: str
    groups: str | None

    @property
    def mark(self) -> str:
        """Hash of the measurement alone: the same slide has the same mark under any name."""
        text = f"{self.uuid}|{self.checksum_kind}|{self.checksum}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for JSON."""
        return asdict(self)


def slide_record(row: CohortSlide, dataset: MsiDataset, name: str) -> SlideRecord:
    """Say which slide, labels and groups a row of a cohort means.

    The checksum that an .imzML states is taken as stated; only where there is none the .ibd is
    read for one.
    """
    uuid, kind, digits = _measurement(dataset)
    groups = None if row.groups is None or isinstance(row.groups, str) else _hash(row.groups)
    return SlideRecord(name, uuid, kind, digits, _hash_of_labels(row), groups)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise CohortError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _hash_of_labels(row: CohortSlide) -> str:
    if row.regions is None and row.labels is not None:
        return _hash(row.labels)
    said = row.regions if isinstance(row.regions, (str, type(None))) else file_hash(row.regions)
    parts = ["" if row.labels is None else _hash(row.labels), said or ""]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _hash(source: Path | Annotation | NDArray[Any]) -> str:
    if isinstance(source, Path):
        return file_hash(source)
    values = np.ascontiguousarray(source.labels if isinstance(source, Annotation) else source)
    head = f"{values.shape} {values.dtype.str}".encode()
    return hashlib.sha256(head + values.tobytes()).hexdigest()


def _measurement(dataset: MsiDataset) -> tuple[str, str, str]:
    """UUID, kind of checksum, digits."""
    if not isinstance(dataset, ImzmlDataset):
        values = np.ascontiguousarray(dataset.total_ion_current(), "<f8").tobytes()
        return "", "SHA-256 of the total ion currents", hashlib.sha256(values).hexdigest()
    uuid = str(dataset.metadata.get("uuid", ""))
    if dataset.checksums:
        kind, digits = dataset.checksums[0]
        return uuid, f"{kind} stated in the .imzML", digits
    digest = hashlib.sha256(str(dataset.ibd_size).encode())
    for piece in _pieces(dataset):
        digest.update(piece)
    whole = dataset.ibd_size <= _PIECE * _MOST_PIECES
    kind = "SHA-256 of the .ibd's size and " + ("bytes" if whole else f"{_MOST_PIECES} pieces")
    return uuid, kind, digest.hexdigest()


def _pieces(dataset: ImzmlDataset) -> Iterator[bytes | bytearray]:
    size = dataset.ibd_size
    if size <= _PIECE * _MOST_PIECES:
        starts = list(range(0, size, _PIECE))
    else:
        starts = [int(s) for s in np.linspace(0, size - _PIECE, _MOST_PIECES)]
    for start in starts:
        yield dataset.read_bytes(start, min(_PIECE, size - start))
