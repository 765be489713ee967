"""Tables say what they hold, and give the same numbers back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.table_file import Table, pixel_table, write_table
from napari_ims_tumor.msi.pixel_grid import PixelGrid


def read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    return head, list(csv.DictReader(lines[len(head) :]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    values=arrays(
        st.sampled_from([np.float32, np.float64]),
        st.integers(0, 9),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_numbers_come_back_to_the_last_bit(tmp_path: Path, values):
    write_table(tmp_path / "a.csv", Table({"v": values, "n": np.arange(len(values))}))
    _, rows = read(tmp_path / "a.csv")
    back = np.array([float(row["v"] or "nan") for row in rows], values.dtype)
    assert np.array_equal(back, np.where(np.isfinite(values), values, np.nan), equal_nan=True)


def test_one_row_per_measured_pixel_with_its_place_in_the_file(tmp_path: Path):
    pixels = PixelGrid(
        np.array([0, 2, 1]), np.array([1, 0, 1]), (3, 2), origin=(9, 19), planes=np.array([0, 0, 1])
    )
    image = np.arange(12.0).reshape(2, 3, 2)
    table = pixel_table(pixels, {"tic": image}, {"slide": "a\nb"})
    write_table(tmp_path / "a.csv", table)
    head, rows = read(tmp_path / "a.csv")
    assert head[0] == "# slide: a b"
    assert [list(row.values()) for row in rows] == [
        ["0", "0", "1", "21", "10", "1.0"],
        ["0", "2", "0", "20", "12", "4.0"],
        ["1", "1", "1", "21", "11", "9.0"],
    ]
    assert list(rows[0]) == ["plane", "row", "column", "x", "y", "tic"]


def test_names_are_cells_whatever_they_hold(tmp_path: Path):
    names = ['a "b", c', "=1+1", "ä"]
    write_table(tmp_path / "a.csv", Table({"m/z 5, 6": names}))
    _, rows = read(tmp_path / "a.csv")
    assert [row["m/z 5, 6"] for row in rows] == ['a "b", c', "'=1+1", "ä"]


def test_columns_of_different_lengths_and_other_endings_are_refused(tmp_path: Path):
    with pytest.raises(ImsTumorError, match="different lengths"):
        Table({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ImsTumorError, match=r"\.csv"):
        write_table(tmp_path / "a.imzML", Table({"a": np.zeros(2)}))
    assert not list(tmp_path.iterdir())


def test_long_tables_are_whole(tmp_path: Path):
    write_table(tmp_path / "a.csv", Table({"n": np.arange(25_001)}))
    _, rows = read(tmp_path / "a.csv")
    assert [int(row["n"]) for row in rows] == list(range(25_001))
