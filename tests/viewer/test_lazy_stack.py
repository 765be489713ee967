from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.overview import channel_windows
from napari_ims_tumor.msi.peak_table import NO_PEAKS
from napari_ims_tumor.viewer import lazy_stack
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack


class Counting:
    """A dataset that remembers which windows were asked for."""

    def __init__(self, dataset):
        self.dataset, self.asked = dataset, []
        self.name, self.pixels = dataset.name, dataset.pixels

    def ion_images(self, windows, reduce="sum"):
        self.asked.append([w.center for w in windows])
        return self.dataset.ion_images(windows, reduce)


@pytest.fixture
def counting(dataset):
    return Counting(dataset)


@pytest.fixture
def stack(counting, dataset):
    return LazyIonStack(counting, channel_windows(dataset, NO_PEAKS))


@pytest.fixture
def whole(dataset, stack):
    return np.asarray(dataset.ion_images(stack.channels), np.float32)


KEYS = [
    0,
    -1,
    np.int64(2),
    slice(2, 3),
    (slice(1, 2), slice(None), slice(None)),
    (3, slice(2, 5), 7),
    (slice(None), 4, slice(None)),
    (slice(None), slice(None), slice(3, 4)),
    (slice(None, None, 2), Ellipsis, 5),
    (Ellipsis, slice(0, 2)),
    (np.array([3, 1, 1]), slice(None)),
    slice(0, 0),
    Ellipsis,
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_every_index_gives_what_the_whole_array_gives(stack, whole, key):
    np.testing.assert_array_equal(stack[key], whole[key])
    assert np.asarray(stack[key]).dtype == np.float32


def test_it_looks_like_an_array(stack, whole):
    assert (stack.shape, stack.ndim, stack.size, len(stack)) == ((5, 8, 12), 3, 480, 5)
    assert (stack.chunks, stack.nbytes) == ((1, 8, 12), 1920)
    np.testing.assert_array_equal(stack.astype(np.int64), np.nan_to_num(whole).astype(np.int64))
    np.testing.assert_array_equal(np.asarray(stack), whole)
    assert np.asarray(stack, dtype=np.float64).dtype == np.float64


def test_only_what_is_looked_at_is_made_and_only_once(stack, counting):
    stack[2:3]
    stack[2]
    stack[1:4]
    assert counting.asked == [[700.0], [601.5, 750.25]]


def test_the_cache_forgets_the_oldest_image(stack, counting, monkeypatch):
    monkeypatch.setattr(lazy_stack, "CACHE_BYTES", 2 * 8 * 12 * 4)
    for channel in (0, 1, 0, 2, 0, 1):
        stack[channel]
    assert counting.asked == [[600.0], [601.5], [700.0], [601.5]]


def test_a_part_is_made_in_pieces(stack, counting, whole, monkeypatch):
    monkeypatch.setattr(lazy_stack, "_PIECE_BYTES", 2 * 8 * 12 * 4)
    np.testing.assert_array_equal(stack[:, 2, :], whole[:, 2, :])
    assert [len(asked) for asked in counting.asked] == [2, 2, 1]


def test_images_of_the_cache_cannot_be_changed(stack):
    with pytest.raises(ValueError, match="read-only"):
        stack[0][1, 1] = 5


@pytest.mark.parametrize("key", [slice(None), (slice(None), 3, slice(None))])
def test_a_request_over_the_budget_is_refused_without_making_it(counting, stack, monkeypatch, key):
    said: list[str] = []
    guarded = LazyIonStack(counting, stack.channels, said.append)
    monkeypatch.setattr(lazy_stack, "WHOLE_BYTES", 4 * 8 * 12 * 4)
    answer = guarded[key]
    assert answer.shape[0] == 1
    assert np.isnan(answer).all()
    guarded[key]
    assert counting.asked == []
    assert len(said) == 1
    assert "5 ion images of slide" in said[0]
    np.testing.assert_array_equal(guarded[1:4], stack[1:4])
    guarded[key]
    assert len(said) == 2


def test_a_copy_of_the_whole_over_the_budget_raises(stack, monkeypatch):
    monkeypatch.setattr(lazy_stack, "WHOLE_BYTES", 100)
    for make in (np.asarray, np.max, lambda s: s.astype(int), lambda s: np.take(s, [0], axis=0)):
        with pytest.raises(QueryError, match="one at a time"):
            make(stack)


def test_indices_outside_are_an_error(stack):
    with pytest.raises(IndexError):
        stack[5]
    with pytest.raises(IndexError):
        stack[0, 0, 0, 0]


def test_many_threads_read_the_right_images(stack, whole):
    with ThreadPoolExecutor(8) as pool:
        channels = [i % 5 for i in range(400)]
        for channel, image in zip(channels, pool.map(stack.image, channels), strict=True):
            np.testing.assert_array_equal(image, whole[channel])


def test_duplicating_the_layer_shares_the_stack(stack):
    assert copy.deepcopy(stack) is stack
