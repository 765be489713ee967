"""A slide whose spectra are held in memory: simulated tissue, and the small cases of tests."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray, frozen
from napari_ims_tumor.msi.ion_image import ion_images
from napari_ims_tumor.msi.mass_axis import MassAxis, MassWindow
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax, mean_and_max
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import (
    Layout,
    Mode,
    RaggedBlock,
    SharedAxisBlock,
    Spectrum,
    SpectrumBlock,
)
from napari_ims_tumor.msi.synthetic.origin import SlideOrigin

BLOCK_VALUES = 2**21


@dataclass(frozen=True, eq=False)
class InMemoryDataset:
    """An :class:`~napari_ims_tumor.msi.dataset.MsiDataset` without a file.

    Attributes
    ----------
    name
        Short name for titles.
    mode
        ``"profile"`` or ``"centroid"``.
    pixels
        Where the spectra lie, one entry per spectrum.
    content
        All spectra as one block: a shared axis (continuous) or end to end (processed).
    source
        Always ``None``: there is no file.
    warnings
        What is off, one sentence each.
    origin
        How a simulated slide was made; ``None`` for any other.
    """

    name: str
    mode: Mode
    pixels: PixelGrid
    content: SpectrumBlock
    source: Path | None = None
    warnings: tuple[str, ...] = ()
    origin: SlideOrigin | None = None

    @classmethod
    def from_matrix(
        cls,
        axis: MassAxis,
        matrix: ArrayLike,
        pixels: PixelGrid,
        name: str = "in memory",
        mode: Mode = "profile",
    ) -> InMemoryDataset:
        """Make a continuous dataset from a (n_spectra, bins) matrix on one axis."""
        values = _held(matrix, _float_kind(matrix))
        if values.shape != (len(pixels), len(axis)):
            raise SlideError(
                f"a matrix of {values.shape} for {len(pixels)} spectra on {len(axis)} m/z values"
            )
        content = SharedAxisBlock(_arange(len(pixels)), axis.mz, values)
        return cls(name, mode, pixels, content)

    @classmethod
    def from_spectra(
        cls, spectra: Sequence[Spectrum], pixels: PixelGrid, name: str = "in memory"
    ) -> InMemoryDataset:
        """Make a processed dataset; the first spectrum tells profile from centroid."""
        bounds = np.concatenate([[0], np.cumsum([len(s) for s in spectra], dtype=np.int64)])
        mz = np.concatenate([s.mz for s in spectra]) if spectra else np.zeros(0)
        parts = [s.intensity for s in spectra]
        intensity = np.concatenate(parts) if parts else np.zeros(0)
        mode = spectra[0].mode if spectra else "centroid"
        block = RaggedBlock(_arange(len(spectra)), mz, intensity, bounds)
        return cls.from_ragged(block, pixels, name, mode)

    @classmethod
    def from_ragged(
        cls, block: RaggedBlock, pixels: PixelGrid, name: str = "in memory", mode: Mode = "centroid"
    ) -> InMemoryDataset:
        """Make a processed dataset from spectra that already lie end to end, each ascending."""
        bounds = frozen(block.bounds, np.int64)
        if bounds.size != len(pixels) + 1 or bounds[-1] != block.mz.size:
            raise SlideError(f"{bounds.size - 1} spectra for {len(pixels)} pixels")
        mz = _held(block.mz, np.float64)
        if mz.shape != np.shape(block.intensity):
            raise SlideError(f"{mz.size} m/z values for {np.size(block.intensity)} intensities")
        falls = np.flatnonzero(mz[1:] < mz[:-1]) + 1
        if np.setdiff1d(falls, bounds).size:
            raise SlideError("the m/z values of every spectrum must ascend")
        intensity = _held(block.intensity, _float_kind(block.intensity))
        content = RaggedBlock(_arange(len(pixels)), mz, intensity, bounds)
        return cls(name, mode, pixels, content)

    @property
    def layout(self) -> Layout:
        """``"continuous"`` (one shared axis) or ``"processed"`` (an axis per spectrum)."""
        return "continuous" if isinstance(self.content, SharedAxisBlock) else "processed"

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""
        return len(self.pixels)

    @cached_property
    def mass_axis(self) -> MassAxis | None:
        """The shared axis of a continuous dataset; ``None`` for a processed one."""
        return MassAxis(self.content.mz) if isinstance(self.content, SharedAxisBlock) else None

    @cached_property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of any spectrum; NaN where there is no peak at all."""
        mz = self.content.mz
        return (float(mz.min()), float(mz.max())) if mz.size else (float("nan"), float("nan"))

    def spectrum(self, i: int) -> Spectrum:
        """Spectrum ``i``, exact."""
        if not 0 <= i < self.n_spectra:
            raise SlideError(f"there is no spectrum {i}: {self.name} has {self.n_spectra}")
        content = self.content
        if isinstance(content, SharedAxisBlock):
            return Spectrum(content.mz, content.intensity[i], self.mode)
        part = slice(content.bounds[i], content.bounds[i + 1])
        return Spectrum(content.mz[part], content.intensity[part], self.mode)

    def blocks(self, indices: IntArray | None = None) -> Iterator[SpectrumBlock]:
        """Read spectra (all, or those given) in blocks of bounded memory, in the given order."""
        wanted = _arange(self.n_spectra) if indices is None else np.asarray(indices, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self.n_spectra:
            raise SlideError(f"{self.name} has spectra 0 to {self.n_spectra - 1}")
        content = self.content
        for part in _parts(_lengths(content, wanted)):
            chosen = wanted[part]
            if isinstance(content, SharedAxisBlock):
                yield SharedAxisBlock(chosen, content.mz, content.intensity[chosen])
            else:
                yield _ragged_part(content, chosen)

    def ion_images(self, windows: Sequence[MassWindow], reduce: Reduction = "sum") -> FloatArray:
        """Raw intensity inside each window, as (windows, *image_shape); NaN = unmeasured."""
        return ion_images(self, windows, reduce)

    def total_ion_current(self) -> Float64Array:
        """Sum of each spectrum's finite intensities, shape (n_spectra,)."""
        sums = np.zeros(self.n_spectra, np.float64)
        for block in self.blocks():
            values = np.where(np.isfinite(block.intensity), block.intensity, 0.0)
            if isinstance(block, SharedAxisBlock):
                sums[block.indices] = values.sum(axis=1, dtype=np.float64)
            else:
                owner = np.repeat(_arange(block.indices.size), np.diff(block.bounds))
                sums[block.indices] = np.bincount(owner, values, block.indices.size)
        return sums

    def digest(self) -> str:
        """SHA-256 of pixels and spectra, hexadecimal: two slides that share it are the same."""
        content, pixels = self.content, self.pixels
        parts = [pixels.rows, pixels.columns, pixels.planes, content.mz, content.intensity]
        if isinstance(content, RaggedBlock):
            parts.append(content.bounds)
        found = hashlib.sha256(repr((self.mode, pixels.shape)).encode())
        for part in parts:
            found.update(np.ascontiguousarray(part).data)
        return found.hexdigest()

    def mean_spectrum(self) -> Spectrum:
        """Mean over all spectra."""
        return self._mean_and_max.mean

    def max_spectrum(self) -> Spectrum:
        """Largest intensity of any spectrum, on the m/z values of the mean."""
        return self._mean_and_max.max

    @cached_property
    def _mean_and_max(self) -> MeanAndMax:
        return mean_and_max(self)


def _arange(n: int) -> IntArray:
    return np.arange(n, dtype=np.int64)


def _float_kind(values: Any) -> np.dtype[Any]:
    """Keep the floating type that came in; whole numbers become float32."""
    kind = np.asarray(values).dtype
    return kind if kind.kind == "f" else np.dtype(np.float32)


def _held(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Like ``frozen``, but an array already read-only and of its own is not copied again."""
    array = np.asarray(values)
    if array.dtype == dtype and array.flags.owndata and not array.flags.writeable:
        return array
    return frozen(array, dtype)


def _lengths(content: SpectrumBlock, wanted: IntArray) -> IntArray:
    if isinstance(content, SharedAxisBlock):
        return np.full(wanted.size, content.mz.size, np.int64)
    return np.diff(content.bounds)[wanted]


def _parts(lengths: IntArray) -> Iterator[slice]:
    """Cut a list of spectra into runs that hold about :data:`BLOCK_VALUES` values each."""
    number = np.cumsum(lengths) // BLOCK_VALUES
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), lengths.size]
    for start, stop in itertools.pairwise(edges):
        if stop > start:
            yield slice(start, stop)


def _ragged_part(content: RaggedBlock, chosen: IntArray) -> RaggedBlock:
    """Gather the chosen spectra end to end."""
    starts, lengths = content.bounds[chosen], np.diff(content.bounds)[chosen]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    take = np.repeat(starts - bounds[:-1], lengths) + _arange(int(bounds[-1]))
    return RaggedBlock(chosen, content.mz[take], content.intensity[take], bounds)
