"""One spectrum in a plot, drawn with as many lines as there are columns of pixels.

A mean spectrum has hundreds of thousands of points, a plot some hundred columns. What falls into
one column is one line from its lowest to its highest point, so nothing that can be seen is left out
and a repaint takes a few milliseconds, whatever the spectrum's length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QLineF, QRectF

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import Spectrum

_POINTS_PER_COLUMN = 2
"""Up to here every point is drawn by itself."""


class SpectrumCurve(pg.GraphicsObject):
    """A profile as a line, centroids as stems that stand on the zero line."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrum: Spectrum | None = None
        self._pen = pg.mkPen("w")
        self._bounds = QRectF()
        self._drawn: tuple[tuple[float, float, int], list[QLineF]] | None = None

    def show_spectrum(self, spectrum: Spectrum | None) -> None:
        """Draw a spectrum, or nothing."""
        self.prepareGeometryChange()
        self.spectrum = spectrum if spectrum is not None and len(spectrum) else None
        self._drawn = None
        self._bounds = QRectF() if self.spectrum is None else _bounds(self.spectrum)
        self.informViewBoundsChanged()
        self.update()

    def setPen(self, pen: Any) -> None:
        """Take a color and a width."""
        self._pen = pg.mkPen(pen)
        self.update()

    def boundingRect(self) -> QRectF:
        """Where something may be drawn, in m/z and intensity."""
        return self._bounds

    def dataBounds(
        self,
        ax: int,
        frac: float = 1.0,  # noqa: ARG002 - pyqtgraph's names
        orthoRange: tuple[float, float] | None = None,  # noqa: N803
    ) -> tuple[float | None, float | None]:
        """Lowest and highest m/z (axis 0) or intensity (1), the latter in a range of m/z."""
        spectrum = self.spectrum
        if spectrum is None:
            return None, None
        if ax == 0:
            return float(spectrum.mz[0]), float(spectrum.mz[-1])
        low, high = orthoRange or (-np.inf, np.inf)
        first, last = np.searchsorted(spectrum.mz, [low, high])
        seen = spectrum.intensity[first : max(last, first + 1)]
        return min(0.0, _lowest(seen)), max(0.0, _highest(seen))

    def paint(self, painter: Any, *_: object) -> None:
        """Draw the lines of the range in view."""
        box = self.getViewBox()
        if self.spectrum is None or box is None:
            return
        (low, high), width = box.viewRange()[0], max(int(box.width()), 1)
        view = (float(low), float(high), width)
        if self._drawn is None or self._drawn[0] != view:
            lines = lines_of(self.spectrum, *view)
            self._drawn = (view, [QLineF(*line) for line in lines.tolist()])
        painter.setPen(self._pen)
        painter.drawLines(self._drawn[1])


def lines_of(spectrum: Spectrum, low: float, high: float, width: int) -> Float64Array:
    """Choose the lines that show a spectrum in a plot.

    Parameters
    ----------
    spectrum
        What to draw.
    low, high
        The range of m/z in view.
    width
        Columns of pixels in the plot.

    Returns
    -------
    ndarray
        Shape (lines, 4): m/z and intensity of one end, then of the other. Values that are not
        finite are left out.
    """
    first, last = np.searchsorted(spectrum.mz, [low, high])
    if spectrum.mode == "profile":
        # The line enters and leaves the view at points outside it.
        first, last = max(int(first) - 1, 0), int(last) + 1
    part = slice(int(first), int(last))
    mz, values = spectrum.mz[part], spectrum.intensity[part].astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros((0, 4))
    if spectrum.mode == "centroid":
        mz, values = mz[finite], values[finite]
        return _stems(mz, values, _columns(mz, low, high, width))
    return _polyline(mz, np.where(finite, values, np.nan), _columns(mz, low, high, width))


def _columns(mz: Float64Array, low: float, high: float, width: int) -> IntArray:
    """Where each column of pixels begins among the points; every point, where there are few."""
    if mz.size <= _POINTS_PER_COLUMN * width or high <= low:
        return np.arange(mz.size)
    column = np.floor((mz - low) * (width / (high - low))).astype(np.int64)
    return np.flatnonzero(np.diff(column, prepend=column[0] - 1))


def _stems(mz: Float64Array, values: Float64Array, starts: IntArray) -> Float64Array:
    top = np.maximum(np.maximum.reduceat(values, starts), 0)
    bottom = np.minimum(np.minimum.reduceat(values, starts), 0)
    return np.stack([mz[starts], bottom, mz[starts], top], axis=1)


def _polyline(mz: Float64Array, values: Float64Array, starts: IntArray) -> Float64Array:
    """Upright lines within columns, and lines from each column's end to the next one's begin."""
    ends = np.append(starts[1:], mz.size) - 1
    top, bottom = np.fmax.reduceat(values, starts), np.fmin.reduceat(values, starts)
    upright = np.stack([mz[starts], bottom, mz[starts], top], axis=1)[ends > starts]
    here, there = ends[:-1], starts[1:]
    across = np.stack([mz[here], values[here], mz[there], values[there]], axis=1)
    lines = np.concatenate([upright, across])
    whole: Float64Array = lines[np.isfinite(lines).all(axis=1)]
    return whole


def _bounds(spectrum: Spectrum) -> QRectF:
    low, high = float(spectrum.mz[0]), float(spectrum.mz[-1])
    bottom, top = min(0.0, _lowest(spectrum.intensity)), max(0.0, _highest(spectrum.intensity))
    return QRectF(low, bottom, high - low, top - bottom)


def _highest(values: Any) -> float:
    highest = float(np.fmax.reduce(values, initial=-np.inf))
    return highest if np.isfinite(highest) else 0.0


def _lowest(values: Any) -> float:
    lowest = float(np.fmin.reduce(values, initial=np.inf))
    return lowest if np.isfinite(lowest) else 0.0
