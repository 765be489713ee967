from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.annotation.split import grouped_folds, held_out_groups

labelled = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7)), min_size=1, max_size=60)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    classes, groups = np.array(pairs, np.int64).T
    return classes, groups


@given(labelled, st.integers(2, 6))
def test_no_group_is_ever_on_both_sides(pairs: list[tuple[int, int]], n_folds: int) -> None:
    classes, groups = columns(pairs)
    validation = grouped_folds(classes, groups, n_folds)
    assert bool(validation.folds) == (validation.why_not is None)
    held_out: list[int] = []
    for fold in validation.folds:
        assert not set(groups[fold.training]) & set(groups[fold.held_out])
        assert set(classes[fold.training]) == set(classes)
        assert fold.training.size + fold.held_out.size == classes.size
        held_out += fold.held_out.tolist()
    if validation.folds:
        assert sorted(held_out) == list(range(classes.size))


@given(labelled)
def test_validation_exists_exactly_where_each_class_has_two_groups(
    pairs: list[tuple[int, int]],
) -> None:
    classes, groups = columns(pairs)
    enough = len(set(classes)) == 2 and all(len(set(groups[classes == c])) > 1 for c in (0, 1))
    assert bool(grouped_folds(classes, groups).folds) == enough


@given(labelled)
def test_early_stopping_set_keeps_groups_whole(pairs: list[tuple[int, int]]) -> None:
    classes, groups = columns(pairs)
    validation = held_out_groups(classes, groups)
    assert len(validation.folds) <= 1
    for fold in validation.folds:
        assert not set(groups[fold.training]) & set(groups[fold.held_out])


def test_the_same_labels_give_the_same_folds() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 12, 200)
    classes = (groups % 2 + (rng.random(200) < 0.1)) % 2
    first, second = (grouped_folds(classes, groups) for _ in range(2))
    for a, b in zip(first.folds, second.folds, strict=True):
        assert np.array_equal(a.held_out, b.held_out)


def test_reasons_are_sentences() -> None:
    one_class = grouped_folds(np.zeros(4, int), np.arange(4))
    assert "only one class" in str(one_class.why_not)
    one_stroke = grouped_folds(np.array([0, 1]), np.zeros(2, int), group_word="region")
    assert "one piece of tissue" in str(one_stroke.why_not)
    lonely = grouped_folds(np.array([0, 0, 1]), np.array([0, 1, 2]), group_word="stroke")
    assert "at least two strokes" in str(lonely.why_not)
