"""The ions that show a tissue best: not noise, not the matrix, not the same picture twice."""

from __future__ import annotations

from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_image import ion_vectors
from napari_ims_tumor.msi.peaks import Peak, pick_peaks
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum

_CANDIDATES: Final = 40


def strongest_tissue_peaks(
    dataset: MsiDataset, n: int = 3, mean: Spectrum | None = None
) -> tuple[Peak, ...]:
    """Find strong ions whose images show structure: not noise, not the same picture twice.

    Parameters
    ----------
    dataset
        The slide.
    n
        How many.
    mean
        The slide's mean spectrum, if it is at hand.

    Returns
    -------
    tuple of Peak
        Best first; fewer than ``n`` where the slide has fewer peaks.
    """
    peaks = pick_peaks(dataset.mean_spectrum() if mean is None else mean, _CANDIDATES)
    if len(peaks) <= 1:
        return peaks[:n]
    values = np.sqrt(np.maximum(ion_vectors(dataset, [peak.window for peak in peaks]), 0))
    score = np.array([_score(dataset.pixels, row) for row in values])
    return tuple(peaks[i] for i in _different(values, np.argsort(-score, kind="stable"), n))


def _score(pixels: PixelGrid, values: Float64Array) -> float:
    """Height of the bright pixels times the likeness of neighbors (0 noise, 1 smooth regions).

    An ion that is bright along the border of the image comes from the matrix or the glass around a
    tissue, and counts a quarter.
    """
    image = pixels.as_image(values)
    like = _likeness(image)
    rim = _rim(image)
    if rim.any() and not rim.all():
        inside = image[np.isfinite(image) & ~rim]
        if inside.size and image[rim].mean() > 1.3 * inside.mean():
            like /= 4
    return (max(like, 0.0) + 1e-3) * float(np.percentile(values, 95))


def _likeness(image: Float64Array) -> float:
    pairs = [(image[..., 1:], image[..., :-1]), (image[..., 1:, :], image[..., :-1, :])]
    one = np.concatenate([a.ravel() for a, _ in pairs])
    other = np.concatenate([b.ravel() for _, b in pairs])
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    if one.size < 3 or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _rim(image: Float64Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Measured pixels at the border of the image."""
    rim = np.zeros(image.shape, bool)
    rim[..., [0, -1], :] = True
    rim[..., :, [0, -1]] = True
    return rim & np.isfinite(image)


def _different(values: Float64Array, ranked: IntArray, n: int) -> list[int]:
    """Take ions in rank order, passing over pictures like one already taken (isotopes)."""
    chosen: list[int] = []
    for limit in (0.9, 1.1):
        for i in ranked.tolist():
            if len(chosen) < n and i not in chosen and _unlike(values, i, chosen, limit):
                chosen.append(i)
    return chosen


def _unlike(values: Float64Array, i: int, chosen: list[int], limit: float) -> bool:
    for j in chosen:
        spread = values[i].std() * values[j].std()
        if spread > 0:
            product = (values[i] - values[i].mean()) * (values[j] - values[j].mean())
            if float(product.mean() / spread) > limit:
                return False
    return True
