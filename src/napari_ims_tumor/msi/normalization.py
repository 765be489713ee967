"""Bring spectra to a common scale, for ion images that can be compared.

A factor multiplies a spectrum. Its reference is the spectrum's total ion current, the root mean
square or the median of its intensities; the factor is the slide's mean reference over the
spectrum's own, so a normalized slide keeps its order of magnitude. A spectrum whose reference is
zero or not finite gets the factor 0, never NaN.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, SpectrumBlock

Normalization = Literal["none", "tic", "rms", "median"]
NORMALIZATIONS: Final[tuple[Normalization, ...]] = get_args(Normalization)


def scale_factors(
    source: MsiDataset | FloatArray, kind: Normalization, target: float | None = None
) -> Float64Array:
    """One factor per spectrum that brings its reference to ``target``.

    Parameters
    ----------
    source
        A dataset, or the references themselves (the TIC vector), shape (n_spectra,).
    kind
        ``"none"`` gives 1 everywhere.
    target
        The reference every spectrum shall have; by default the mean reference of the spectra
        whose reference is above zero.

    Returns
    -------
    ndarray
        Shape (n_spectra,), float64, finite, at least 0; 0 where a spectrum has no usable reference.
    """
    if kind not in NORMALIZATIONS:
        raise QueryError(f"normalization {kind!r}: use {', '.join(NORMALIZATIONS)}")
    if kind == "none":
        return np.ones(source.size if isinstance(source, np.ndarray) else source.n_spectra)
    values = source if isinstance(source, np.ndarray) else references(source, kind)
    return _factors(np.asarray(values, np.float64), target)


def references(dataset: MsiDataset, kind: Normalization) -> Float64Array:
    """What each spectrum is divided by: its TIC, RMS or median, shape (n_spectra,)."""
    if kind == "tic":
        return dataset.total_ion_current()
    found = np.zeros(dataset.n_spectra, np.float64)
    for block in dataset.blocks():
        found[block.indices] = [_reference(values, kind) for values in _rows(block)]
    return found


def row_references(values: FloatArray, kind: Normalization) -> Float64Array:
    """The references of a (n, bins) matrix, row by row, shape (n,)."""
    return np.array([_reference(row, kind) for row in values], np.float64)


def normalized_rows(values: FloatArray, kind: Normalization, target: float = 1.0) -> FloatArray:
    """Normalize a (n, bins) matrix row by row, each to the reference ``target``.

    Unlike :func:`scale_factors` of a dataset, the result of a row does not depend on the other
    rows: what a model sees of a spectrum is the same alone and among thousands.
    """
    if kind == "none":
        return values
    factors = _factors(row_references(values, kind), target)
    scaled: FloatArray = (values * factors[:, None]).astype(values.dtype)
    return scaled


def _factors(reference: Float64Array, target: float | None) -> Float64Array:
    usable = np.isfinite(reference) & (reference > 0)
    if target is None:
        target = float(reference[usable].mean()) if usable.any() else 0.0
    factors = np.zeros(reference.shape, np.float64)
    # A reference so small that the quotient overflows is as good as none.
    with np.errstate(over="ignore"):
        np.divide(target, reference, out=factors, where=usable)
    factors[~np.isfinite(factors)] = 0.0
    return factors


def _rows(block: SpectrumBlock) -> list[FloatArray]:
    if isinstance(block, SharedAxisBlock):
        return list(block.intensity)
    return np.split(block.intensity, block.bounds[1:-1])


def _reference(values: FloatArray, kind: Normalization) -> float:
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0:
        return 0.0
    if kind == "tic":
        return float(finite.sum())
    if kind == "rms":
        return float(np.sqrt(np.mean(finite**2)))
    return _median_of_signal(finite)


def _median_of_signal(values: Float64Array) -> float:
    """Median of the values above zero: with mostly empty bins the plain median would be zero."""
    signal = values[values > 0]
    return float(np.median(signal)) if signal.size else 0.0
