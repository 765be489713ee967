"""Reads the pixel size in µm out of the scan settings, or says why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_ims_tumor.io.imzml import vocabulary as cv
from napari_ims_tumor.io.imzml.terms import Header, Term

Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Length:
    """A length as stated. ``um`` is NaN where the unit is not a length."""

    um: float
    is_area: bool = False


def pixel_size_um(header: Header) -> tuple[Size | None, list[str]]:
    """Find the pixel size.

    A size without a unit is in µm; without a y size the pixels are square (imzML 1.1.1).

    Returns
    -------
    tuple
        (row, column) size in µm or ``None``, and notes on what was off.
    """
    sizes: list[Size] = []
    notes: list[str] = []
    for settings in _settings(header):
        size, note = _size(settings)
        notes.extend(note)
        if size is not None and size not in sizes:
            sizes.append(size)
    if len(sizes) == 1:
        return sizes[0], list(dict.fromkeys(notes))
    if sizes:
        said = " and ".join(f"{column:g} × {row:g} µm" for row, column in sizes)
        notes.append(
            f"different pixel sizes are stated ({said}), so distances are in pixels. Export it "
            "with one pixel size to see µm."
        )
    elif not notes:
        notes.append(
            "no pixel size is stated, so distances are in pixels. Export it with its pixel size "
            "to see µm."
        )
    return None, list(dict.fromkeys(notes))


def _settings(header: Header) -> Sequence[list[Term]]:
    """The scan settings of the run's instrument where it names them, else all."""
    chosen = header.settings_of_instrument.get(header.default_instrument, "")
    if chosen in header.scan_settings:
        return [header.expanded(header.scan_settings[chosen])]
    return [header.expanded(entries) for entries in header.scan_settings.values()]


def _size(terms: list[Term]) -> tuple[Size | None, list[str]]:
    x = _length(terms, cv.PIXEL_SIZE_X)
    y = _length(terms, cv.PIXEL_SIZE_Y)
    if x is None and y is None:
        return None, []
    if not all(_is_size(length.um) for length in (x, y) if length is not None):
        return None, [
            "the stated pixel size is not a length above 0, so distances are in pixels. Export it "
            "with its pixel size to see µm."
        ]
    column, x_note = _side(x, _extent(terms, cv.MAX_DIMENSION_X, cv.MAX_COUNT_X))
    row, y_note = _side(y, _extent(terms, cv.MAX_DIMENSION_Y, cv.MAX_COUNT_Y))
    notes = [*x_note, *y_note]
    if x is None:
        notes.append("only a pixel height is stated; the width is taken to be the same")
    return (row or column, column or row), notes


def _is_size(um: float) -> bool:
    return math.isfinite(um) and um > 0


def _length(terms: list[Term], accession: str) -> _Length | None:
    """The stated length; ``None`` where there is none, or no number (an old image shape)."""
    for term in terms:
        if term.accession != accession:
            continue
        try:
            value = float(term.value)
        except ValueError:
            continue
        per, is_area = _um_per(term)
        return _Length(value * (per**2 if is_area else per), is_area)
    return None


def _um_per(term: Term) -> tuple[float, bool]:
    """µm in the stated unit, and whether that unit is squared; the unit's accession wins."""
    if term.unit in cv.MICROMETRES_PER:
        return cv.MICROMETRES_PER[term.unit], False
    name = term.unit_name.strip().lower()
    is_area = name.startswith("square ") or name.endswith(("2", "²"))
    plain = name.removeprefix("square ").rstrip("^2²").strip()
    unnamed = not term.unit and not name
    return (1.0 if unnamed else cv.MICROMETRES_BY_NAME.get(plain, math.nan)), is_area


def _side(length: _Length | None, extent: float | None) -> tuple[float, list[str]]:
    """The side of a pixel, 0 if not stated.

    Old exporters wrote the area of a pixel; the slide's stated extent gives that away.
    """
    if length is None:
        return 0.0, []
    plausible = extent is None or extent <= 1 or math.isclose(length.um, extent, rel_tol=0.01)
    if length.is_area:
        side = math.sqrt(length.um)
    elif not plausible and extent and math.isclose(length.um, extent**2, rel_tol=0.01):
        side = extent
    else:
        return length.um, []
    return side, [f"the stated pixel size is an area; its side of {side:g} µm is used"]


def _extent(terms: list[Term], dimension: str, count: str) -> float | None:
    """Pixel size that follows from the slide's stated extent and pixel count."""
    across = _length(terms, dimension)
    pixels = next((term.value for term in terms if term.accession == count), "")
    if across is None or not pixels.strip().isdecimal() or int(pixels) == 0:
        return None
    return across.um / int(pixels)
