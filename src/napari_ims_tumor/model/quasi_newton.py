"""L-BFGS that can be stopped between two steps.

scipy's solver is a closed call; on large matrices a person would wait seconds for *Stop*. This one
is a generator: Nocedal and Wright, *Numerical Optimization*, algorithm 7.5, with backtracking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Final, TypeAlias

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array

Objective: TypeAlias = Callable[[Float64Array], tuple[float, Float64Array]]
_Pairs: TypeAlias = deque[tuple[Float64Array, Float64Array]]

MEMORY: Final = 10
MAX_STEPS: Final = 200
MIN_STEPS: Final = 3
GRADIENT_TOLERANCE: Final = 1e-4
LOSS_TOLERANCE: Final = 1e-7


def minimize(
    objective: Objective, start: Float64Array, should_stop: Callable[[], bool] = lambda: False
) -> Generator[float, None, Float64Array]:
    """Minimize a smooth convex function; yields its value after every step.

    Parameters
    ----------
    objective
        Vector → (value, gradient).
    start
        First vector.
    should_stop
        Asked after every step past the third; ``True`` ends the search where it is.

    Returns
    -------
    ndarray
        Where the gradient vanishes, or where steps stop lowering the value.
    """
    x, (value, slope) = start, objective(start)
    pairs: _Pairs = deque(maxlen=MEMORY)
    for step_number in range(MAX_STEPS):
        if step_number >= MIN_STEPS and should_stop():
            break
        if np.abs(slope).max(initial=0.0) < GRADIENT_TOLERANCE * max(1.0, abs(value)):
            break
        step = _backtrack(objective, x, value, slope, _direction(slope, pairs))
        if step is None:
            break
        new_x, new_value, new_slope = step
        pairs.append((new_x - x, new_slope - slope))
        gain = value - new_value
        x, value, slope = new_x, new_value, new_slope
        yield value
        if gain < LOSS_TOLERANCE * max(1.0, abs(value)):
            break
    return x


def _direction(slope: Float64Array, pairs: _Pairs) -> Float64Array:
    """The two-loop recursion: minus the approximate inverse Hessian times the gradient."""
    q = slope.copy()
    alphas = []
    for s, y in reversed(pairs):
        alpha = float(s @ q) / float(s @ y)
        alphas.append(alpha)
        q -= alpha * y
    if pairs:
        s, y = pairs[-1]
        q *= float(s @ y) / float(y @ y)
    else:
        q /= max(1.0, float(np.linalg.norm(q)))
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - float(y @ q) / float(s @ y)) * s
    return -q


def _backtrack(
    objective: Objective,
    x: Float64Array,
    value: float,
    slope: Float64Array,
    direction: Float64Array,
) -> tuple[Float64Array, float, Float64Array] | None:
    """Halve the step until the value falls enough (Armijo); ``None`` where it never does."""
    downhill = float(slope @ direction)
    length = 1.0
    for _ in range(30):
        candidate = x + length * direction
        new_value, new_slope = objective(candidate)
        curved = float((candidate - x) @ (new_slope - slope)) > 0
        if np.isfinite(new_value) and new_value <= value + 1e-4 * length * downhill and curved:
            return candidate, new_value, new_slope
        length /= 2
    return None
