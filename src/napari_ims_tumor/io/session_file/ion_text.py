"""Which ion images a session shows, as JSON text and back; files of before know of none."""

from __future__ import annotations

from typing import Any, Final

from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, IonQuery
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.normalization import normalizer_text, read_normalizer
from napari_ims_tumor.msi.reduction import REDUCTIONS

_MOST: Final = 100
"""Images a damaged file may ask for."""


def window_text(window: MassWindow) -> list[Any]:
    """Write an m/z window."""
    return [window.center, window.tolerance.value, window.tolerance.unit]


def window(text: Any) -> MassWindow:
    """Read an m/z window."""
    center, half, unit = text
    return MassWindow(float(center), MassTolerance(float(half), unit))


def measure_text(measure: IonMeasure) -> list[str]:
    """Write a measure."""
    return [measure.reduce, normalizer_text(measure.normalize)]


def measure(text: Any) -> IonMeasure:
    """Read a measure; the raw sum where there is none."""
    if text is None:
        return PLAIN
    reduce, normalize = text
    if reduce not in REDUCTIONS:
        raise ValueError(f"{reduce!r} is no measure")
    return IonMeasure(reduce, read_normalizer(str(normalize), MassTolerance(0.0)))


def query_text(query: IonQuery) -> list[list[Any]]:
    """Write which ion image."""
    return [window_text(query.window), measure_text(query.measure)]


def queries(texts: Any) -> tuple[IonQuery, ...]:
    """Read which ion images."""
    if texts is None:
        return ()
    if not isinstance(texts, list) or len(texts) > _MOST:
        raise TypeError("not a list of ion images")
    return tuple(IonQuery(window(where), measure(how)) for where, how in texts)
