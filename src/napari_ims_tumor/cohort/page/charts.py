"""Curves of the page as SVG paths: drawn by hand, so that they follow the page's light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

SIDE: Final = 260.0
"""Length of a square plot's axes."""
STRIP: Final = 180.0
"""Length of the accuracy axis in the table of groups."""
COUNTS: Final = 46.0
"""Height of the counts under the calibration curve."""


@dataclass(frozen=True)
class Curve:
    """One network's line.

    Attributes
    ----------
    name
        The network.
    style
        Number of its color, dash and marker.
    path
        SVG path data; empty where there is nothing to draw.
    points
        Markers as (x, y).
    counts
        Path of the counts, for calibration.
    """

    name: str
    style: int
    path: str
    points: tuple[tuple[float, float], ...] = ()
    counts: str = ""


def roc_curves(networks: dict[str, Any]) -> list[Curve]:
    """One curve per network: false positive rate to the right, true positive rate up."""
    return [
        Curve(name, style, _path([_at(x, y) for x, y in found["roc"]]))
        for style, (name, found) in enumerate(networks.items())
    ]


def coverage_curves(networks: dict[str, Any]) -> list[Curve]:
    """Share of right answers, from one half up, over the share of the pixels that are answered."""
    return [
        Curve(name, style, _path([_at(x, max(0.0, 2 * y - 1)) for _, x, y in found["coverage"]]))
        for style, (name, found) in enumerate(networks.items())
    ]


def calibration_curves(networks: dict[str, Any]) -> list[Curve]:
    """Observed share of tumor over the predicted one, and how many pixels lie in each bin."""
    most = most_in_a_bin(networks)
    curves = []
    for style, (name, found) in enumerate(networks.items()):
        filled = [b for b in found["calibration"] if b["n"]]
        points = tuple(_at(b["predicted"], b["observed"]) for b in filled)
        counts = _steps(found["calibration"], most)
        curves.append(Curve(name, style, _path(points), points, counts))
    return curves


def most_in_a_bin(networks: dict[str, Any]) -> int:
    """Highest count of any network in any bin, at least 1."""
    return (
        max((b["n"] for found in networks.values() for b in found["calibration"]), default=1) or 1
    )


def strip_start(networks: dict[str, Any]) -> float | int:
    """Where the axis of the strip begins: at one half, or lower where a group is judged worse."""
    worst = min(
        (own["accuracy"] for found in networks.values() for own in found["per_group"].values()),
        default=0.5,
    )
    return 0.5 if worst >= 0.5 else 0


def strip_place(accuracy: float, start: float) -> float:
    """Where an accuracy lies on the strip of the table of groups."""
    return round(STRIP * (accuracy - start) / (1 - start), 1)


def _at(x: float, y: float) -> tuple[float, float]:
    return round(SIDE * x, 1), round(SIDE * (1 - y), 1)


def _steps(bins: Sequence[dict[str, Any]], most: int) -> str:
    """Outline of a histogram that stands on its axis."""
    corners: list[tuple[float, float]] = [(0.0, COUNTS)]
    for b in bins:
        top = round(COUNTS * (1 - b["n"] / most), 1)
        corners += [(round(SIDE * b["low"], 1), top), (round(SIDE * b["high"], 1), top)]
    return _path([*corners, (SIDE, COUNTS)])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points) if points else ""
