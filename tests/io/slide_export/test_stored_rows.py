"""A matrix that comes by columns is read by rows, whether it fits the buffer or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.io.slide_export import stored_rows
from napari_ims_tumor.io.slide_export.stored_rows import StoredRows


@pytest.mark.parametrize("buffer", [1, 200, 1 << 20])
@settings(max_examples=20)
@given(widths=st.lists(st.integers(1, 7), min_size=1, max_size=9), n_rows=st.integers(1, 11))
def test_rows_are_what_was_appended(tmp_path_factory, buffer, widths, n_rows):
    folder = tmp_path_factory.getbasetemp()
    whole = np.random.default_rng(0).random((n_rows, sum(widths)), np.float32)
    cuts = np.cumsum(widths)[:-1]
    before, stored_rows.BUFFER = stored_rows.BUFFER, buffer
    try:
        with StoredRows(folder, whole.shape, whole.dtype) as rows:
            for part in np.split(whole, cuts, axis=1):
                rows.append(part)
            assert np.array_equal(np.stack(list(rows)), whole)
            assert np.array_equal(rows.rows(n_rows // 2, n_rows), whole[n_rows // 2 :])
    finally:
        stored_rows.BUFFER = before


def test_a_buffer_of_the_reader_may_be_used_again(tmp_path):
    block = np.ones((3, 2))
    with StoredRows(tmp_path, (3, 4), np.dtype(np.float64)) as rows:
        rows.append(block)
        block[:] = 7
        rows.append(block)
        assert rows.rows(0, 1).tolist() == [[1, 1, 7, 7]]
