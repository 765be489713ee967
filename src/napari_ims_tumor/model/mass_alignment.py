"""Move spectra along the axis until their peaks lie where a model's spectra have theirs.

The mass scale of an instrument moves with height, temperature and calibration: every peak of a
slide lies some bins beside its place, further at one end of the axis than at the other. Each
spectrum is moved as a whole, by numbers of bins at the two ends and straight in between, to where
it is most like the model's mean spectrum. Nothing is estimated from other spectra, so one is seen
the same alone and among thousands.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray

SEGMENTS: Final = 16
PEAKS_PER_SEGMENT: Final = 12
LEAST_SHARE: Final = 0.25
"""A move must bring so much of what it would bring for the mean spectrum itself: noise, or another
mixture of peaks, moves nothing."""
_GRAIN: Final = np.float32(64.0)
_WEIGHT_GRAIN: Final = 1024.0


class MassAlignment:
    """Finds and undoes the mass shift of single spectra.

    Parameters
    ----------
    template
        Mean rooted spectrum, shape (bins,).
    reach
        Most bins to move, at either end.
    """

    def __init__(self, template: Float32Array, reach: int) -> None:
        self.bins, self.reach = len(template), reach
        self.moves = _moves(reach)
        self._columns, self._weights = _weights_of(template.astype(np.float64), reach)
        shifts = np.arange(SEGMENTS)[:, None] * (2 * reach + 1)
        self._segment_shifts = shifts + _segment_moves(self.moves, reach)
        own = self._scores(template[None])[0]
        self._worth = own[0] - own

    def found(self, roots: Float32Array) -> IntArray:
        """Which of :attr:`moves` brings each of (n, bins) spectra into place; 0 = none."""
        scores = self._scores(roots)
        best = scores.argmax(axis=1)
        gain = scores[np.arange(len(roots)), best] - scores[:, 0]
        move: IntArray = np.where(gain > LEAST_SHARE * self._worth[best], best, 0)
        return move

    def aligned(self, roots: Float32Array) -> Float32Array:
        """Move (n, bins) spectra into place; where none has to be moved they are given back."""
        move = self.found(roots)
        if not move.any():
            return roots
        result = roots.copy()
        for number in np.unique(move[move > 0]).tolist():
            rows = np.flatnonzero(move == number)
            result[rows] = roots[rows].take(self._sources(number), axis=1)
        return result

    def _sources(self, number: int) -> IntArray:
        """Where the value of each bin comes from."""
        low, high = self.moves[number].tolist()
        by = np.rint(np.linspace(low, high, self.bins)).astype(np.int64)
        sources: IntArray = np.clip(np.arange(self.bins) + by, 0, self.bins - 1)
        return sources

    def _scores(self, roots: Float32Array) -> Float64Array:
        """How alike (n, bins) spectra and the template are after every move, (n, moves).

        In whole numbers, so that sums are exact and a spectrum's move never hangs on how many
        others it is computed with.
        """
        seen = roots.take(self._columns, axis=1)
        # A power of two times a number of 32 bits is exact, and so is rounding it.
        seen *= _GRAIN
        whole = np.rint(seen, out=seen).astype(np.float64)
        # Few calls for all segments: threads that come back from one wait for each other.
        alike = whole.transpose(1, 0, 2) @ self._weights
        by_segment = alike.transpose(1, 0, 2).reshape(len(roots), -1)
        scores: Float64Array = by_segment.take(self._segment_shifts, axis=1).sum(axis=1)
        return scores


def _moves(reach: int) -> IntArray:
    """Bins at the low and the high end, shape (moves, 2), the smallest first."""
    one = np.arange(-reach, reach + 1)
    every = np.stack(np.meshgrid(one, one, indexing="ij"), axis=2).reshape(-1, 2)
    # More than this would be another instrument, not another day.
    every = every[np.abs(every[:, 0] - every[:, 1]) <= reach]
    order: IntArray = every[np.argsort((every**2).sum(axis=1), kind="stable")]
    return order


def _segment_moves(moves: IntArray, reach: int) -> IntArray:
    """What each move is in the middle of each segment, counted from −reach: (segments, moves)."""
    middle = (np.arange(SEGMENTS)[:, None] + 0.5) / SEGMENTS
    along = moves[:, 0] + (moves[:, 1] - moves[:, 0]) * middle
    counted: IntArray = np.rint(along).astype(np.int64) + reach
    return counted


def _weights_of(template: Float64Array, reach: int) -> tuple[IntArray, Float64Array]:
    """Columns around the highest peaks of each segment, and their weights per shift.

    Peaks of every segment count, or the strong end of the axis would decide for both. Segments with
    fewer columns are filled up with some that weigh nothing.

    Returns
    -------
    columns, weights
        Shape (segments, most) and (segments, most, shifts).
    """
    bins = template.size
    floor = uniform_filter1d(template, 6 * reach + 1)
    is_top = template == maximum_filter1d(template, 2 * reach + 1)
    rise = np.where(is_top, template - floor, 0.0)
    rise[: 2 * reach] = rise[bins - 2 * reach :] = 0.0
    edges = np.linspace(0, bins, SEGMENTS + 1).astype(np.int64)
    found = [
        _segment_weights(template, rise, slice(low, high), reach)
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    most = max(len(columns) for columns, _ in found)
    every_column = np.zeros((SEGMENTS, most), np.int64)
    every_weight = np.zeros((SEGMENTS, most, 2 * reach + 1))
    for number, (columns, weights) in enumerate(found):
        every_column[number, : len(columns)] = columns
        every_weight[number, : len(columns)] = weights
    heaviest = np.abs(every_weight).max(initial=0.0)
    grain = _WEIGHT_GRAIN / heaviest if heaviest > 0 else 0.0
    return every_column, np.rint(every_weight * grain)


def _segment_weights(
    template: Float64Array, rise: Float64Array, segment: slice, reach: int
) -> tuple[IntArray, Float64Array]:
    tops = np.argsort(-rise[segment], kind="stable")[:PEAKS_PER_SEGMENT] + segment.start
    tops = np.sort(tops[rise[tops] > 0])
    around = np.arange(-reach, reach + 1)
    weights = np.zeros(template.size + 2 * reach)
    for top in tops:
        part = template[top + around]
        weights[top + around + reach] = part - part.mean()
    columns = np.unique(tops[:, None] + np.arange(-2 * reach, 2 * reach + 1))
    # A spectrum whose peaks lie s bins further is compared with the template s bins further.
    return columns, np.stack([weights[columns - s + reach] for s in around], axis=1)
