"""Write a slide as imzML through pyimzML, adding what its writer leaves out.

pyimzML's writer states no pixel size, names the run after the full path of the file (unescaped),
draws a random UUID and stops at an empty spectrum. Here the pixel size goes into the scan
settings, the run has the slide's name, the UUID follows from the content, so that the same slide
gives the same bytes, and empty spectra stay in the file.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Protocol

import numpy as np
from pyimzml.ImzMLWriter import ImzMLWriter

from napari_ims_tumor.errors import ImsTumorError, SlideError
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress, run_inline
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Layout, Mode, SharedAxisBlock, SpectrumBlock

Polarity = Literal["positive", "negative"]

_SIZE_PARAM = (
    '      <cvParam cvRef="IMS" accession="{accession}" name="{name}" value="{value:g}" '
    'unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"/>\n'
)
_END_OF_SCAN_SETTINGS = "    </scanSettings>"


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
    target = _with_suffix(Path(path))
    if dataset.n_spectra == 0:
        raise SlideError(f"{dataset.name} holds no spectrum: there is nothing to write")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".imzml-") as folder:
            written = Path(folder) / "slide.imzML"
            for done in _write_pair(written, dataset, polarity, identity):
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


def _with_suffix(path: Path) -> Path:
    return path if path.suffix.lower() == ".imzml" else path.with_name(path.name + ".imzML")


def _write_pair(
    path: Path, dataset: SpectraInOrder, polarity: Polarity, identity: uuid.UUID | None
) -> Iterator[int]:
    """Write the files block by block, and say each time how many spectra there are."""
    writer = ImzMLWriter(
        str(path), mode=dataset.layout, spec_type=dataset.mode, polarity=polarity
    )  # fmt: skip
    _start_over(writer, dataset, identity or _uuid_of(dataset))
    with writer:
        for block in dataset.blocks():
            for i, (mz, intensity) in zip(block.indices.tolist(), _spectra(block), strict=True):
                _add(writer, mz, intensity, _position(dataset.pixels, i))
            yield int(block.indices[-1]) + 1
    header = path.read_text(encoding="utf-8")
    path.write_text(_with_pixel_size(header, dataset.pixels), encoding="latin-1")


def _spectra(block: SpectrumBlock) -> Iterator[tuple[Float64Array, FloatArray]]:
    """Return m/z and intensity of each spectrum of a block."""
    for k in range(block.indices.size):
        if isinstance(block, SharedAxisBlock):
            yield block.mz, block.intensity[k]
        else:
            part = slice(block.bounds[k], block.bounds[k + 1])
            yield block.mz[part], block.intensity[part]


def _start_over(writer: Any, dataset: SpectraInOrder, identity: uuid.UUID) -> None:
    """Give the file a UUID and a run name that depend on nothing but the slide."""
    writer.uuid = identity
    writer.run_id = re.sub(r"[^A-Za-z0-9_.-]", "_", dataset.name)
    writer.ibd.seek(0)
    writer.ibd.write(writer.uuid.bytes)
    writer.sha1 = hashlib.sha1(writer.uuid.bytes, usedforsecurity=False)


def _uuid_of(dataset: SpectraInOrder) -> uuid.UUID:
    digest = hashlib.sha256(dataset.name.encode())
    for block in dataset.blocks():
        digest.update(np.ascontiguousarray(block.mz).tobytes())
        digest.update(np.ascontiguousarray(block.intensity).tobytes())
    return uuid.UUID(bytes=digest.digest()[:16], version=4)


def _position(pixels: PixelGrid, i: int) -> tuple[int, ...]:
    """Return the 1-based (x, y) of a spectrum, with z on slides of several sections."""
    top, left = pixels.origin
    place = (left + int(pixels.columns[i]) + 1, top + int(pixels.rows[i]) + 1)
    return place if pixels.n_planes == 1 else (*place, int(pixels.planes[i]) + 1)


def _add(writer: Any, mz: Float64Array, intensity: FloatArray, place: tuple[int, ...]) -> None:
    if mz.size:
        writer.addSpectrum(mz, intensity.astype(np.float32), place)
        return
    nothing = dict.fromkeys(("mz_len", "mz_enc_len", "int_len", "int_enc_len"), 0)
    where = dict.fromkeys(("mz_offset", "int_offset"), writer.ibd.tell())
    seen = dict.fromkeys(("mz_min", "mz_max", "mz_base", "int_base", "int_tic"), 0.0)
    entry = SimpleNamespace(coords=place, userParams=[], **nothing, **where, **seen)
    writer.spectra.append(entry)


def _with_pixel_size(header: str, pixels: PixelGrid) -> str:
    """Add the pixel size to the scan settings of an imzML text."""
    if pixels.pixel_size_um is None:
        return header
    if header.count(_END_OF_SCAN_SETTINGS) != 1:
        raise SlideError("this version of pyimzML writes scan settings in a way not known here")
    height, width = pixels.pixel_size_um
    lines = _SIZE_PARAM.format(accession="IMS:1000046", name="pixel size (x)", value=width)
    lines += _SIZE_PARAM.format(accession="IMS:1000047", name="pixel size y", value=height)
    return header.replace(_END_OF_SCAN_SETTINGS, lines + _END_OF_SCAN_SETTINGS)
