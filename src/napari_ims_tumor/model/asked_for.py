"""What somebody asked a fit for, held to what it can be: Python checks no types by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from napari_ims_tumor.errors import FitRefused

LARGEST_SEED = 2**63 - 1


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """Read a whole number, of NumPy's kinds as well; 2.5, "3" and True are none."""
    fits = isinstance(value, Integral) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):  # type: ignore[operator]
        range_words = f"from {least} on" if most is None else f"from {least} to {most}"
        raise FitRefused(f"{name} is {value!r}: give a whole number {range_words}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def number(name: str, value: object, least: float, most: float = math.inf) -> float:
    """Read a finite number from ``least`` to ``most``."""
    is_one = isinstance(value, Real) and not isinstance(value, bool)
    if not is_one or not math.isfinite(value) or not least <= value <= most:  # type: ignore[arg-type, operator]
        words = f"{least:g} or more" if most == math.inf else f"from {least:g} to {most:g}"
        raise FitRefused(f"{name} is {value!r}: give a number {words}")
    return float(value)  # type: ignore[arg-type]


def yes_or_no(name: str, value: object) -> bool:
    """Read True or False; "no" would count as yes."""
    if not isinstance(value, (bool, np.bool_)):
        raise FitRefused(f"{name} is {value!r}: give True or False")
    return bool(value)


def one_of(what: str, value: object, known: Sequence[str]) -> None:
    """Refuse a word that is not known."""
    if not isinstance(value, str) or value not in known:
        raise FitRefused(f"there is no {what} {value!r}: use {' or '.join(known)}")


def some_of(what: str, values: object, known: Sequence[str]) -> tuple[str, ...]:
    """Read words that are known, each once; one word alone is not a list of its letters."""
    given = (values,) if isinstance(values, str) else values
    if not isinstance(given, (tuple, list, set, frozenset)):
        raise FitRefused(f"{what} is {values!r}: give some of {' and '.join(known)}")
    unknown = sorted(str(value) for value in given if value not in known)
    if unknown:
        raise FitRefused(f"there is no {what} {unknown[0]!r}: use some of {' and '.join(known)}")
    return tuple(str(value) for value in given)
