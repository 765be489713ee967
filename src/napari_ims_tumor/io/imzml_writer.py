"""Write a slide as imzML, block by block, in the types it came in; the same slide, the same bytes.

Each spectrum's m/z lie right before its intensities (or once at the start, on one axis for all), so
that a reader gets both at once. The text is written along with the data; only the checksum is
filled in at the end.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from napari_ims_tumor.errors import ImsTumorError, SlideError
from napari_ims_tumor.io.ibd_writer import IbdWriter, Types
from napari_ims_tumor.io.imzml.grid import Positions, made_positions
from napari_ims_tumor.io.imzml_heritage import Heritage
from napari_ims_tumor.io.imzml_passage import spectrum_text
from napari_ims_tumor.io.imzml_text import (
    CONVERSION,
    END,
    Head,
    Step,
    checksum_place,
    head_text,
    type_terms,
)
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress, run_inline
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Layout, Mode, SpectrumBlock

Polarity = Literal["positive", "negative"]
USUAL_TYPES: Types = (np.dtype("<f8"), np.dtype("<f4"))


class SpectraInOrder(Protocol):
    """What can be written: an open slide, or one that is simulated while it is written."""

    @property
    def name(self) -> str:
        """Short name for titles."""

    @property
    def layout(self) -> Layout:
        """``"continuous"`` or ``"processed"``."""

    @property
    def mode(self) -> Mode:
        """``"profile"`` or ``"centroid"``."""

    @property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie."""

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""

    def blocks(self) -> Iterator[SpectrumBlock]:
        """All spectra in blocks of bounded memory, in order."""


@dataclass(frozen=True, eq=False)
class ImzmlFacts:
    """What a file says beside its spectra.

    Attributes
    ----------
    polarities
        Of the spectra.
    identity
        The UUID of both files. Without one it follows from the content, for which all spectra are
        read once before they are written.
    types
        Of m/z and intensities on disk; values that do not fit are refused.
    positions
        x, y and z of every spectrum; by default as the grid has them.
    steps
        What was done to the data.
    heritage
        What is passed on of another slide's head.
    """

    polarities: tuple[str, ...] = ("positive",)
    identity: uuid.UUID | None = None
    types: Types = USUAL_TYPES
    positions: Positions | None = None
    steps: tuple[Step, ...] = (CONVERSION,)
    heritage: Heritage = field(default_factory=Heritage)


def write_imzml(
    path: str | os.PathLike[str], dataset: SpectraInOrder, polarity: Polarity = "positive"
) -> Path:
    """Write a dataset as a pair of .imzML and .ibd files; see :func:`write_imzml_job`."""
    return run_inline(write_imzml_job(path, dataset, polarity))


def write_imzml_job(
    path: str | os.PathLike[str],
    dataset: SpectraInOrder,
    polarity: Polarity = "positive",
    identity: uuid.UUID | None = None,
    phase: str = "Writing spectra",
) -> Job[Progress, Path]:
    """Write a dataset as a pair of .imzML and .ibd files.

    Parameters
    ----------
    path
        Where the .imzML shall lie; the .ibd lies beside it.
    dataset
        The spectra; intensities are stored as 32-bit, m/z as 64-bit floats.
    polarity
        Stated for every spectrum.
    identity
        The UUID that both files carry. By default it follows from the content, for which all
        spectra are read once before they are written.
    phase
        What the progress says is happening.

    Yields
    ------
    Progress
        Spectra written. Stopped, it leaves no file behind.

    Returns
    -------
    Path
        Of the .imzML.

    Raises
    ------
    ImsTumorError
        The folder is missing or not writable, or the disk is full: neither file is left half.
    JobStopped
        It was asked to stop.
    """
    facts = ImzmlFacts((polarity,), identity)
    return write_facts_job(path, dataset, facts, phase)


def write_facts_job(
    path: str | os.PathLike[str],
    dataset: SpectraInOrder,
    facts: ImzmlFacts,
    phase: str = "Writing spectra",
) -> Job[Progress, Path]:
    """Write a dataset with all that shall be said of it; otherwise like :func:`write_imzml_job`."""
    target = with_imzml_suffix(Path(path))
    if dataset.n_spectra == 0:
        raise SlideError(f"{dataset.name} holds no spectrum: there is nothing to write")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".imzml-") as folder:
            written = Path(folder) / "slide.imzML"
            for done in _write_pair(written, dataset, facts):
                if (yield Progress(phase, done, dataset.n_spectra)) is STOP:
                    raise JobStopped(f"stopped: {target.name} was not kept")
            # The data first: an .imzML never stands beside data that is not its own for long.
            written.with_suffix(".ibd").replace(target.with_suffix(".ibd"))
            written.replace(target)
    except OSError as error:
        raise ImsTumorError(
            f"{target} cannot be written ({error.strerror or error}): check the folder and the "
            "free space"
        ) from error
    return target


def with_imzml_suffix(path: Path) -> Path:
    """Return a path that ends in .imzML."""
    return path if path.suffix.lower() == ".imzml" else path.with_name(path.name + ".imzML")


def _write_pair(path: Path, dataset: SpectraInOrder, facts: ImzmlFacts) -> Iterator[int]:
    """Write the files block by block, and say each time how many spectra there are."""
    identity = facts.identity or _uuid_of(dataset)
    positions = facts.positions or made_positions(dataset.pixels)
    head = head_text(_head(dataset, facts, identity, positions)).encode()
    with path.with_suffix(".ibd").open("wb") as ibd, path.open("wb") as text:
        text.write(head)
        data = IbdWriter(ibd, identity.bytes, facts.types, dataset.name)
        template = spectrum_text(positions.z is not None)
        for block in dataset.blocks():
            numbers = np.concatenate([_places(positions, block.indices), data.add(block)], axis=1)
            text.write((template * len(numbers) % tuple(numbers.ravel().tolist())).encode())
            yield int(block.indices[-1]) + 1
        text.write(END.encode())
        text.seek(checksum_place(head))
        text.write(data.sha1.hexdigest().encode())
        for file in (ibd, text):
            file.flush()
            os.fsync(file.fileno())


def _head(
    dataset: SpectraInOrder, facts: ImzmlFacts, identity: uuid.UUID, positions: Positions
) -> Head:
    for dtype in facts.types:
        type_terms(dtype)
    return Head(
        name=dataset.name,
        layout=dataset.layout,
        mode=dataset.mode,
        polarities=facts.polarities,
        identity=identity,
        types=facts.types,
        n_spectra=dataset.n_spectra,
        counts=(max(int(positions.x.max()), 1), max(int(positions.y.max()), 1)),
        pixel_size_um=dataset.pixels.pixel_size_um,
        steps=facts.steps,
        heritage=facts.heritage,
    )


def _places(positions: Positions, indices: IntArray) -> IntArray:
    """What stands of a spectrum before its arrays: number, index, its length 0, x, y and z."""
    columns = [indices + 1, indices, np.zeros(indices.size), positions.x[indices]]
    columns.append(positions.y[indices])
    if positions.z is not None:
        columns.append(positions.z[indices])
    return np.stack(columns, axis=1).astype(np.int64)


def _uuid_of(dataset: SpectraInOrder) -> uuid.UUID:
    digest = hashlib.sha256(dataset.name.encode())
    for block in dataset.blocks():
        digest.update(np.ascontiguousarray(block.mz).tobytes())
        digest.update(np.ascontiguousarray(block.intensity).tobytes())
    return uuid.UUID(bytes=digest.digest()[:16], version=4)
