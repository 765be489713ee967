"""Bring spectra to a common scale: one rule for what is seen, fitted, predicted and exported.

A factor multiplies a spectrum. Its reference is the spectrum's total ion current, the root mean
square or the median of its intensities, or the summed intensity of a reference peak; the factor is
the slide's mean reference over the spectrum's own, so a normalized slide keeps its order of
magnitude. A spectrum whose reference is zero or not finite gets the factor 0, never NaN.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Final, Literal, TypeAlias, get_args
from weakref import WeakKeyDictionary

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, frozen
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, SpectrumBlock

Normalization = Literal["none", "tic", "rms", "median"]
NORMALIZATIONS: Final[tuple[Normalization, ...]] = get_args(Normalization)
Normalizer: TypeAlias = Normalization | MassWindow
"""By what spectra are scaled; a window is that of a reference peak."""

_REFERENCE: Final = "reference"
_EXAMPLE: Final = "reference:885.55 or reference:885.55:0.1Da"
_MOST_KNOWN: Final = 8
"""Normalizers of a slide whose factors are kept."""
_known: WeakKeyDictionary[Any, dict[Normalizer, Float64Array]] = WeakKeyDictionary()
_lock = Lock()


def read_normalizer(text: str, tolerance: MassTolerance) -> Normalizer:
    """Read ``"none"``, ``"tic"``, ``"rms"``, ``"median"`` or a reference peak.

    Parameters
    ----------
    text
        A peak is ``"reference:885.55"``, or with a tolerance of its own,
        ``"reference:885.55:0.1Da"``.
    tolerance
        Of a reference peak that is given without one.
    """
    kind, *rest = text.strip().split(":")
    if kind in NORMALIZATIONS and not rest:
        return kind
    if kind != _REFERENCE or not 1 <= len(rest) <= 2:
        known = ", ".join(NORMALIZATIONS)
        raise QueryError(f"normalization {text!r}: use {known} or reference:MZ, such as {_EXAMPLE}")
    try:
        center = float(rest[0])
    except ValueError:
        raise QueryError(
            f"normalization {text!r}: {rest[0]!r} is not a number; write it like {_EXAMPLE}"
        ) from None
    return MassWindow(center, MassTolerance.parse(rest[1]) if rest[1:] else tolerance)


def normalizer_text(kind: Normalizer) -> str:
    """Write a normalizer as :func:`read_normalizer` reads it."""
    if isinstance(kind, str):
        return kind
    center, half = float(kind.center), float(kind.tolerance.value)
    return f"{_REFERENCE}:{center!r}:{half!r}{kind.tolerance.unit}"


def factors_of(dataset: MsiDataset, kind: Normalizer) -> Float64Array:
    """Like :func:`scale_factors` of a slide; those asked for last cost nothing a second time.

    Returns
    -------
    ndarray
        Shape (n_spectra,), float64, read-only.
    """
    with _lock:
        found = _known.get(dataset, {}).get(kind)
    if found is not None:
        return found
    # Made outside the lock: another slide's reading must not wait for this one's.
    made: Float64Array = frozen(scale_factors(dataset, kind), np.float64)
    with _lock:
        kept = _known.setdefault(dataset, {})
        kept[kind] = made
        while len(kept) > _MOST_KNOWN:
            del kept[next(iter(kept))]
    return made


def scale_factors(
    source: MsiDataset | FloatArray, kind: Normalizer, target: float | None = None
) -> Float64Array:
    """One factor per spectrum that brings its reference to ``target``.

    Parameters
    ----------
    source
        A dataset, or the references themselves (the TIC vector), shape (n_spectra,).
    kind
        ``"none"`` gives 1 everywhere; a window, the summed intensity inside it as the reference.
    target
        The reference every spectrum shall have; by default the mean reference of the spectra
        whose reference is above zero.

    Returns
    -------
    ndarray
        Shape (n_spectra,), float64, finite, at least 0; 0 where a spectrum has no usable reference.
    """
    if isinstance(kind, str) and kind not in NORMALIZATIONS:
        raise QueryError(f"normalization {kind!r}: use {', '.join(NORMALIZATIONS)} or a window")
    if kind == "none":
        return np.ones(source.size if isinstance(source, np.ndarray) else source.n_spectra)
    values = source if isinstance(source, np.ndarray) else references(source, kind)
    return _factors(np.asarray(values, np.float64), target)


def references(dataset: MsiDataset, kind: Normalizer) -> Float64Array:
    """What each spectrum is divided by: TIC, RMS, median or reference peak, shape (n_spectra,)."""
    if isinstance(kind, MassWindow):
        vector: Float64Array = dataset.pixels.as_vector(dataset.ion_images([kind])[0])
        return vector
    if kind == "tic":
        return dataset.total_ion_current()
    found = np.zeros(dataset.n_spectra, np.float64)
    for block in dataset.blocks():
        found[block.indices] = [_reference(values, kind) for values in _rows(block)]
    return found


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
