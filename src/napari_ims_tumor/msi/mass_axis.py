"""The m/z axis, and the window that is cut from it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from napari_ims_tumor.errors import QueryError, SlideError
from napari_ims_tumor.msi.arrays import Float64Array, frozen

ToleranceUnit = Literal["ppm", "Da"]

_TOLERANCE = re.compile(r"^\s*([-+0-9.eE]+|nan|inf)\s*(ppm|da|th|mda)\s*$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class MassAxis:
    """Strictly increasing m/z values shared by many spectra.

    Attributes
    ----------
    mz
        Shape (bins,), float64, read-only, in Th (Da per charge).
    """

    mz: Float64Array

    def __post_init__(self) -> None:
        values = frozen(self.mz, np.float64)
        if values.ndim != 1 or values.size == 0:
            raise SlideError("an m/z axis needs at least one value in one dimension")
        if not np.isfinite(values).all() or (np.diff(values) <= 0).any():
            raise SlideError("an m/z axis must be finite and strictly increasing")
        object.__setattr__(self, "mz", values)

    def __len__(self) -> int:
        return int(self.mz.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MassAxis) and np.array_equal(self.mz, other.mz)

    __hash__ = None  # type: ignore[assignment]

    @property
    def low(self) -> float:
        """The first m/z."""
        return float(self.mz[0])

    @property
    def high(self) -> float:
        """The last m/z."""
        return float(self.mz[-1])

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all steps are the same to one part in a thousand (a plain profile axis)."""
        if self.mz.size < 3:
            return False
        steps = np.diff(self.mz)
        return bool(np.ptp(steps) <= 1e-3 * float(np.median(steps)))

    def nearest(self, mz: float) -> int:
        """Index of the bin whose m/z is closest to ``mz``; the lower one on a tie."""
        right = int(np.searchsorted(self.mz, mz))
        if right == 0:
            return 0
        if right == self.mz.size:
            return right - 1
        return right if self.mz[right] - mz < mz - self.mz[right - 1] else right - 1


@dataclass(frozen=True, slots=True)
class MassTolerance:
    """Half the width of an m/z window.

    Attributes
    ----------
    value
        At least 0 and finite.
    unit
        ``"Da"`` (Th) or ``"ppm"`` of the window's center.
    """

    value: float
    unit: ToleranceUnit = "Da"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or self.value < 0:
            raise QueryError(f"tolerance {self.value} {self.unit}: give a number that is 0 or more")
        if self.unit not in ("ppm", "Da"):
            raise QueryError(f"tolerance unit {self.unit!r}: use Da or ppm")

    @classmethod
    def parse(cls, text: str) -> MassTolerance:
        """Read ``"0.3Da"``, ``"20 ppm"`` or ``"5mDa"``."""
        match = _TOLERANCE.match(text)
        if match is None:
            raise QueryError(f"tolerance {text!r}: write it like 0.3Da or 20ppm")
        try:
            value = float(match[1])
        except ValueError:
            raise QueryError(
                f"tolerance {text!r}: {match[1]!r} is not a number; write it like 0.3Da or 20ppm"
            ) from None
        unit = match[2].lower()
        if unit == "ppm":
            return cls(value, "ppm")
        return cls(value / 1000 if unit == "mda" else value, "Da")

    def half_width(self, mz: float) -> float:
        """Half-width in Da at ``mz``: the one place where ppm becomes Da."""
        return abs(mz) * self.value * 1e-6 if self.unit == "ppm" else self.value

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class MassWindow:
    """An m/z interval, bounds inclusive: ``center`` ± ``tolerance``."""

    center: float
    tolerance: MassTolerance

    def __post_init__(self) -> None:
        if not math.isfinite(self.center):
            raise QueryError(f"m/z {self.center}: give a finite number")

    @property
    def low(self) -> float:
        """Lowest m/z inside."""
        return self.center - self.tolerance.half_width(self.center)

    @property
    def high(self) -> float:
        """Highest m/z inside."""
        return self.center + self.tolerance.half_width(self.center)

    def __str__(self) -> str:
        return f"m/z {self.center:.4f} ± {self.tolerance}"
