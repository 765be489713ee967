"""Axes, tolerances and windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.errors import QueryError, SlideError
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow

finite = st.floats(0.1, 1e5, allow_nan=False)


@given(st.lists(finite, min_size=1, max_size=30, unique=True), finite)
def test_nearest_is_the_closest_value(values: list[float], mz: float) -> None:
    axis = MassAxis(np.sort(values))
    assert abs(axis.mz[axis.nearest(mz)] - mz) == np.abs(axis.mz - mz).min()


def test_axis_refuses_what_is_no_axis() -> None:
    for bad in ([], [[1.0]], [2.0, 1.0], [1.0, 1.0], [1.0, np.nan]):
        with pytest.raises(SlideError):
            MassAxis(np.array(bad))


def test_axis_is_a_read_only_copy() -> None:
    values = np.array([1.0, 2.0, 4.0])
    axis = MassAxis(values)
    values[0] = 9
    assert axis.low == 1
    assert axis.high == 4
    assert len(axis) == 3
    with pytest.raises(ValueError, match="read-only"):
        axis.mz[0] = 0
    assert axis == MassAxis(np.array([1.0, 2.0, 4.0]))
    assert axis != MassAxis(np.array([1.0, 2.0]))


def test_uniform_axes() -> None:
    assert MassAxis(np.linspace(600, 1000, 8000)).is_uniform
    assert not MassAxis(np.geomspace(100, 1000, 50)).is_uniform
    assert not MassAxis(np.array([1.0, 2.0])).is_uniform


@given(finite, st.floats(0, 1000), st.sampled_from(["ppm", "Da"]))
def test_window_contains_its_center(center: float, value: float, unit: str) -> None:
    window = MassWindow(center, MassTolerance(value, unit))
    assert window.low <= center <= window.high
    assert window.high - center == pytest.approx(center - window.low, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [("0.3Da", 0.3, "Da"), ("20 ppm", 20, "ppm"), ("5mDa", 0.005, "Da"), ("1e-3 th", 1e-3, "Da")],
)
def test_tolerances_are_parsed(text: str, value: float, unit: str) -> None:
    parsed = MassTolerance.parse(text)
    assert parsed.value == pytest.approx(value)
    assert parsed.unit == unit


@pytest.mark.parametrize("text", ["", "3", "ppm", "-1Da", "nan ppm", "1e Da", "3 furlongs"])
def test_other_tolerances_are_refused(text: str) -> None:
    with pytest.raises(QueryError):
        MassTolerance.parse(text)


def test_ppm_is_of_the_center() -> None:
    assert MassTolerance(10, "ppm").half_width(500) == pytest.approx(0.005)
    assert str(MassWindow(885.5499, MassTolerance(10, "ppm"))) == "m/z 885.5499 ± 10 ppm"


@pytest.mark.parametrize("center", [np.nan, np.inf])
def test_centers_must_be_finite(center: float) -> None:
    with pytest.raises(QueryError):
        MassWindow(center, MassTolerance(1))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: MassTolerance(-1), "tolerance -1 Da: give a number that is 0 or more"),
        (
            lambda: MassTolerance(np.nan, "ppm"),
            "tolerance nan ppm: give a number that is 0 or more",
        ),
        (lambda: MassTolerance(np.inf), "tolerance inf Da: give a number that is 0 or more"),
        (lambda: MassTolerance.parse("3"), "tolerance '3': write it like 0.3Da or 20ppm"),
        (
            lambda: MassTolerance.parse("1e Da"),
            "tolerance '1e Da': '1e' is not a number; write it like 0.3Da or 20ppm",
        ),
        (lambda: MassWindow(np.nan, MassTolerance(1)), "m/z nan: give a finite number"),
    ],
)
def test_a_question_without_an_answer_says_what_to_type(ask, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask()
    assert str(caught.value) == message
