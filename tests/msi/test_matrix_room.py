from __future__ import annotations

import errno
import gc
import mmap
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.errors import MemoryBudgetError
from napari_ims_tumor.msi.matrix_room import MatrixRoom, pieces


def is_in_a_file(matrix) -> bool:
    while isinstance(matrix.base, np.ndarray):
        matrix = matrix.base
    return isinstance(matrix.base, mmap.mmap)


def test_matrices_go_to_a_file_once_memory_is_taken_and_back_once_it_is_free(tmp_path):
    room = MatrixRoom(100 * 40 * 4, tmp_path / "new")
    first = room.matrix(60, 40)
    second = room.matrix(60, 40)
    assert (is_in_a_file(first), is_in_a_file(second)) == (False, True)
    assert room.in_files == second.nbytes
    part = first[10:20]
    del first
    gc.collect()
    assert is_in_a_file(room.matrix(60, 40))  # a view still holds the first
    del part
    gc.collect()
    assert not is_in_a_file(room.matrix(60, 40))


def test_a_matrix_in_a_file_is_zeros_that_can_be_written_and_leaves_nothing(tmp_path):
    room = MatrixRoom(0, tmp_path)
    matrix = room.matrix(7, 5)
    assert (matrix.shape, matrix.dtype, matrix.any()) == ((7, 5), np.float32, np.False_)
    matrix[3] = 2.5
    assert matrix.sum() == 12.5
    del matrix
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_without_a_limit_all_is_in_memory():
    assert not is_in_a_file(MatrixRoom().matrix(1000, 1000))
    assert MatrixRoom(0).matrix(0, 10).shape == (0, 10)


@given(st.integers(0, 700), st.integers(1, 5000), st.booleans())
def test_a_change_in_pieces_is_the_change_of_the_whole(rows, columns, in_memory):
    room = MatrixRoom(None if in_memory else 0)
    matrix = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    wanted = np.random.default_rng(columns).permutation(rows)[: rows // 2]
    np.testing.assert_array_equal(room.changed(matrix, np.sqrt), np.sqrt(matrix))
    np.testing.assert_array_equal(room.taken(matrix, wanted), matrix[wanted])
    covered = [i for part in pieces(rows, columns) for i in range(part.start, part.stop)]
    assert covered == list(range(rows))


def test_a_disk_without_room_is_one_message_with_the_sizes(tmp_path, monkeypatch):
    full = shutil._ntuple_diskusage(100, 100, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(MemoryBudgetError) as error:
        MatrixRoom(2 * 10**6, tmp_path).matrix(1000, 2000)
    assert str(error.value) == (
        "1,000 spectra of 2,000 bins take 8 MB, more than is left of the 2 MB that spectra may "
        f"take in memory, and the disk of {tmp_path} has no room for them either: allow more "
        "memory, label fewer pixels, or make room on that disk"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="only where space is reserved")
@pytest.mark.parametrize(("number", "works"), [(errno.EOPNOTSUPP, True), (errno.ENOSPC, False)])
def test_a_file_system_that_cannot_reserve_is_written_to(tmp_path, monkeypatch, number, works):
    def fail(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    room = MatrixRoom(0, tmp_path)
    if works:
        assert room.matrix(700, 2000).any() == np.False_
    else:
        with pytest.raises(MemoryBudgetError, match="has no room for them either"):
            room.matrix(700, 2000)
