"""What opening a slide finds out, and how a slide tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from napari_ims_tumor.io.file_name import readable_stem
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.grid import Placement, Positions, stated_positions
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.validation import unused_bytes
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Layout, Mode


@dataclass(frozen=True, slots=True)
class SlideParts:
    """All that opening a slide finds out."""

    path: Path
    ibd: IbdFile
    index: SpectrumIndex
    pixels: PixelGrid
    placement: Placement
    layout: Layout
    mode: Mode
    axis: SharedAxis | None
    metadata: dict[str, str]
    checksums: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


class SlideFacts:
    """What is known of a slide without reading a spectrum."""

    def __init__(self, parts: SlideParts) -> None:
        self._parts = parts
        self._n_spectra = len(parts.index)

    @property
    def name(self) -> str:
        """The file's stem."""
        return readable_stem(self._parts.path)

    @property
    def source(self) -> Path:
        """The .imzML file."""
        return self._parts.path

    @property
    def layout(self) -> Layout:
        """``"continuous"`` (one shared axis) or ``"processed"`` (an axis per spectrum)."""
        return self._parts.layout

    @property
    def mode(self) -> Mode:
        """``"profile"`` or ``"centroid"``."""
        return self._parts.mode

    @property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie."""
        return self._parts.pixels

    @property
    def positions(self) -> Positions:
        """x, y and z of every spectrum, as the file states them."""
        return stated_positions(self._parts.pixels, self._parts.placement)

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""
        return self._n_spectra

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself, in words."""
        return MappingProxyType(self._parts.metadata)

    @property
    def mass_axis(self) -> MassAxis | None:
        """The shared axis of a continuous slide; ``None`` for a processed one."""
        return None if self._parts.axis is None else self._parts.axis.axis

    @property
    def checksums(self) -> tuple[tuple[str, str], ...]:
        """Stated hashes of the .ibd file, as (kind, hexadecimal digits)."""
        return self._parts.checksums

    @property
    def files(self) -> tuple[Path, Path]:
        """The .imzML and the .ibd file."""
        return self._parts.path, self._parts.ibd.path

    def unused_bytes(self) -> tuple[int, int] | None:
        """First byte of the .ibd file that no array holds, and how many there are; ``None`` = 0."""
        return unused_bytes(self._parts.index, self._parts.ibd.size)

    @property
    def ibd_size(self) -> int:
        """Bytes in the .ibd file."""
        return self._parts.ibd.size

    def read_bytes(self, offset: int, nbytes: int) -> bytes | bytearray:
        """Bytes of the .ibd file as they are."""
        return self._parts.ibd.read(offset, nbytes)
