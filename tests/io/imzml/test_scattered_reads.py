"""Arrays read to where they belong by one call of the system for many of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import arrays, vectors
from napari_ims_tumor.io.imzml.arrays import Encoding, IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable
from napari_ims_tumor.io.imzml.scatter import Target, scatter

BYTES = np.random.default_rng(0).integers(0, 256, 40_000).astype(np.uint8)

pytestmark = pytest.mark.skipif(
    not vectors.HAS_VECTORS, reason="this system reads to one place at a time"
)


@pytest.fixture(scope="module")
def ibd(tmp_path_factory) -> IbdFile:
    path: Path = tmp_path_factory.mktemp("scatter") / "slide.ibd"
    path.write_bytes(BYTES.tobytes())
    return IbdFile(path)


def table_of(offsets: list[int], lengths: list[int]) -> ArrayTable:
    encodings = [Encoding(np.dtype(np.uint8))]
    sizes = np.array(lengths, np.int64)
    kinds = np.zeros(sizes.size, np.uint8)
    return ArrayTable(np.array(offsets, np.int64), sizes, sizes, kinds, encodings)


def wanted(table: ArrayTable, rows: np.ndarray) -> np.ndarray:
    parts = [BYTES[table.offsets[i] : table.offsets[i] + table.lengths[i]] for i in rows]
    return np.concatenate(parts)


def read(ibd: IbdFile, *tables: ArrayTable, rows: np.ndarray) -> list[np.ndarray] | None:
    outs = [np.zeros(int(table.nbytes[rows].sum()), np.uint8) for table in tables]
    targets = tuple(Target(t, rows, out) for t, out in zip(tables, outs, strict=True))
    return outs if scatter(ibd, targets) else None


@given(data=st.data())
def test_values_end_where_they_belong(ibd, data) -> None:
    """In any order, some empty, with gaps of any size and more arrays than one call takes."""
    n = data.draw(st.sampled_from([1, 7, 3000]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    gaps = rng.choice([0, 0, 0, 1, 7000] if n < 100 else [0, 0, 1, 2], (n, 2))
    lengths = rng.integers(0, 6, (n, 2))
    ends = np.cumsum((gaps + lengths).ravel()).reshape(n, 2)
    if ends[-1, 1] > BYTES.size:
        lengths, ends = lengths * 0, ends * 0
    place = rng.permutation(n)
    tables = [table_of((ends - lengths)[place, k], lengths[place, k]) for k in range(2)]
    rows = rng.permutation(n)[: rng.integers(1, n + 1)]
    found = read(ibd, *tables, rows=rows)
    assert found is not None
    for table, values in zip(tables, found, strict=True):
        assert np.array_equal(values, wanted(table, rows))


@pytest.mark.parametrize("missing", [1, -1])
def test_nothing_is_ever_written_past_the_memory_that_is_meant(ibd, missing) -> None:
    table = table_of([0, 10], [10, 10])
    target = Target(table, np.arange(2), np.zeros(20 - missing, np.uint8))
    with pytest.raises(ValueError, match="arrays of 20 bytes do not fit"):
        scatter(ibd, (target,))
    apart = Target(table, np.arange(2), np.zeros((20, 2), np.uint8)[:, 0])
    with pytest.raises(ValueError, match="do not fit"):
        scatter(ibd, (apart,))


def test_arrays_that_share_bytes_are_left_to_others(ibd) -> None:
    assert read(ibd, table_of([0, 5], [10, 10]), rows=np.arange(2)) is None


def test_a_call_that_reads_less_is_made_up_for(ibd, monkeypatch) -> None:
    """As after an interruption, or from a network drive."""
    table = table_of(list(range(0, 3000, 3)), [3] * 1000)
    monkeypatch.setattr(arrays, "fill", lambda number, places, offset: 17)
    found = read(ibd, table, rows=np.arange(1000))
    assert found is not None
    assert np.array_equal(found[0], BYTES[:3000])


def test_a_file_that_got_shorter_is_an_error_that_says_so(tmp_path) -> None:
    path = tmp_path / "slide.ibd"
    path.write_bytes(BYTES.tobytes())
    opened = IbdFile(path)
    path.write_bytes(BYTES[:100].tobytes())
    with pytest.raises(SlideError, match=r"slide.ibd was changed by another program"):
        read(opened, table_of([0, 50], [50, 100]), rows=np.arange(2))
