"""One spectrum, and blocks of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_ims_tumor.msi.arrays import FLOAT64, Float64Array, FloatArray, IntArray, frozen

Mode = Literal["profile", "centroid"]
Layout = Literal["continuous", "processed"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Intensity over m/z.

    Attributes
    ----------
    mz
        Shape (n,), float64, ascending.
    intensity
        Shape (n,), floating, in the file's own units.
    mode
        ``"profile"`` (a sampled curve) or ``"centroid"`` (one value per peak).
    """

    mz: Float64Array
    intensity: FloatArray
    mode: Mode = "centroid"

    def __post_init__(self) -> None:
        intensity = np.asarray(self.intensity)
        kind = intensity.dtype if intensity.dtype.kind == "f" else FLOAT64
        object.__setattr__(self, "mz", frozen(self.mz, FLOAT64))
        object.__setattr__(self, "intensity", frozen(intensity, kind))

    @classmethod
    def adopt(cls, mz: Float64Array, intensity: FloatArray, mode: Mode) -> Spectrum:
        """Make a spectrum of arrays as they are, if they are read-only; else copy them.

        They must be of the types above, and must not be views of memory that others may change.
        """
        if mz.flags.writeable or intensity.flags.writeable:
            return cls(mz, intensity, mode)
        spectrum = object.__new__(cls)
        # A frozen dataclass sets each attribute through a call: a third of the time of a read.
        attributes = spectrum.__dict__
        attributes["mz"], attributes["intensity"], attributes["mode"] = mz, intensity, mode
        return spectrum

    def __len__(self) -> int:
        return int(self.mz.size)


@dataclass(frozen=True, slots=True, eq=False)
class SharedAxisBlock:
    """Consecutive spectra of a continuous dataset: one axis, a dense matrix.

    Attributes
    ----------
    indices
        Shape (k,): which spectra.
    mz
        Shape (n,), float64.
    intensity
        Shape (k, n), the file's dtype. A buffer may be reused by the next block: copy to keep.
    """

    indices: IntArray
    mz: Float64Array
    intensity: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RaggedBlock:
    """Spectra of a processed dataset, end to end.

    Spectrum ``indices[j]`` holds ``mz[bounds[j]:bounds[j + 1]]`` (ascending) and the intensities of
    the same slice. A buffer may be reused by the next block: copy to keep.
    """

    indices: IntArray
    mz: Float64Array
    intensity: FloatArray
    bounds: IntArray


SpectrumBlock = SharedAxisBlock | RaggedBlock
