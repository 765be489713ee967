"""Spectra as another instrument, or the same one on another day, would have measured them."""

from __future__ import annotations

import numpy as np

from classifying.problems import Change

SHIFTS = (-8, -4, -2, -1, 1, 2, 4, 8)
GAINS = (0.25, 0.5, 1.0)
BENDS = 6
"""Knots of a gain that changes along the axis."""
MOST_SHIFT = 6
COPIES = 4
"""Changed copies of each spectrum that a rival may learn from, besides the spectrum itself."""


def shifted(bins: int) -> Change:
    """Every peak is found this many bins higher."""

    def change(values: np.ndarray) -> np.ndarray:
        moved = np.zeros_like(values)
        if bins >= 0:
            moved[:, bins:] = values[:, : values.shape[1] - bins]
        else:
            moved[:, :bins] = values[:, -bins:]
        return moved

    return change


def bent(strength: float, seed: int = 0) -> Change:
    """A gain that bends along the axis; ``strength`` is the spread of its logarithm."""

    def change(values: np.ndarray) -> np.ndarray:
        draw = np.random.default_rng(seed)
        knots = np.linspace(0, values.shape[1] - 1, BENDS)
        log = np.interp(np.arange(values.shape[1]), knots, draw.standard_normal(BENDS))
        curve = np.exp(strength * log).astype(values.dtype)
        return np.asarray(values * curve)

    return change


def all_changes() -> dict[str, Change]:
    """Nothing, every shift, every gain."""
    unchanged: dict[str, Change] = {"": lambda values: values}
    moves = {f"shift {bins:+d}": shifted(bins) for bins in SHIFTS}
    return {**unchanged, **moves, **{f"gain {spread:g}": bent(spread) for spread in GAINS}}


def with_changed_copies(values: np.ndarray, seed: int) -> np.ndarray:
    """(n, bins) → ((1 + COPIES) n, bins): each copy of a spectrum with a shift and gain of its own.

    What augmentation is to a network that sees its spectra many times.
    """
    draw = np.random.default_rng((seed, len(values)))
    parts = [values]
    for copy in range(COPIES):
        moves = draw.integers(-MOST_SHIFT, MOST_SHIFT + 1, len(values))
        changed = np.empty_like(values)
        for bins in np.unique(moves):
            changed[moves == bins] = shifted(int(bins))(values[moves == bins])
        parts.append(bent(0.25, seed * COPIES + copy + 1)(changed))
    return np.concatenate(parts)
