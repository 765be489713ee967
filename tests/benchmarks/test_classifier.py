"""The classifier's bench: right figures, honest divisions, answers that can be continued."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from classifying import border_tables, changes, plain, plots, store, tables, writing
from classifying.cohorts import FAR, SIMULATED, Cohort, simulated
from classifying.figures import Judged, Run, runs_of
from classifying.models import MAJORITY, learner
from classifying.neighbors import mean_of_neighbors
from classifying.problems import (
    Problem,
    assignments,
    by_slide,
    every_third,
    few_labels,
    one_sided,
    strokes,
)
from classifying.rivals import RIVALS, on_principal_axes
from classifying.store import Store, Unit
from classifying.suites import Asked
from classifying.suites import run as run_suite
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares


@pytest.fixture(scope="module")
def tiny() -> Cohort:
    return simulated("tiny")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on the tiny cohort."""
    folder = tmp_path_factory.mktemp("results")
    run_suite("tiny", ASKED, Store(folder))
    return folder


ASKED = Asked(None, models=("linear", "PLS-DA"))


def a_run(results: Path, model: str, treatment: str = "pixel") -> Run:
    found = runs_of(Store(results).all())
    return next(r for r in found if (r.unit.model, r.unit.treatment) == (model, treatment))


def test_figures_are_those_of_sklearn(results: Path) -> None:
    run = a_run(results, "PLS-DA")
    found, p, y = run.figures("pixel"), run.probabilities("pixel"), run.classes
    assert found["balanced accuracy"] == pytest.approx(balanced_accuracy_score(y, p[:, 1] > 0.5))
    assert found["auroc"] == pytest.approx(roc_auc_score(y, p[:, 1]))
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (p.max(axis=1) > low) & (p.max(axis=1) <= low + 1 / 15)
        if inside.any():
            right = (p.argmax(axis=1) == y)[inside].mean()
            expected += inside.mean() * abs(right - p.max(axis=1)[inside].mean())
    assert found["ece"] == pytest.approx(expected, abs=1e-6)


def test_differences_are_drawn_in_pairs(results: Path) -> None:
    """Each draw takes the same groups for both models, as copying their pixels would."""
    judged = Judged(runs_of(Store(results).all()))
    found = judged.difference("linear", "PLS-DA", "pixel")
    assert found is not None
    first, second = a_run(results, "linear"), a_run(results, "PLS-DA")
    draws, n = [], first.groups.max() + 1
    for drawn in np.random.default_rng(0).integers(n, size=(2000, n))[:40]:
        rows = np.concatenate([np.flatnonzero(first.groups == g) for g in drawn])
        scores = [
            balanced_accuracy_score(r.classes[rows], r.probabilities("pixel").argmax(1)[rows])
            for r in (first, second)
        ]
        draws.append(scores[0] - scores[1])
    own = first.draws("pixel")["balanced_accuracy"] - second.draws("pixel")["balanced_accuracy"]
    np.testing.assert_allclose(own[:40], draws, atol=1e-9)
    low, high = np.quantile(own, [0.025, 0.975])
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))


def test_every_pixel_is_held_out_once_and_no_group_is_on_both_sides(tiny: Cohort) -> None:
    for split in ("stratified", "random 0", "random 1"):
        parts = [p for p in assignments(tiny, 2) if p.split == split]
        held_out = np.concatenate([p.held_out for p in parts])
        assert sorted(held_out) == list(range(len(tiny.spectra)))
        for problem in parts:
            groups = tiny.spectra.groups
            assert not np.intersect1d(groups[problem.training], groups[problem.held_out]).size


@given(
    st.sets(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 5)), min_size=1),
    st.integers(0, 2**31),
    st.sampled_from([3, 5]),
)
def test_neighbors_are_those_around_on_the_same_side(
    pixels: set[tuple[int, int, int]], seed: int, window: int
) -> None:
    image, row, column = np.array(sorted(pixels)).T
    sides = np.random.default_rng(seed).integers(0, 2, len(image))
    found = mean_of_neighbors((image, row, column), sides, window).toarray()
    away = np.maximum(abs(row[:, None] - row), abs(column[:, None] - column))
    near = (away <= window // 2) & (image[:, None] == image) & (sides[:, None] == sides)
    np.testing.assert_allclose(found, near / near.sum(axis=1, keepdims=True))


def test_smoothing_never_looks_across_the_border(tiny: Cohort) -> None:
    """All pixels of the tiny cohort touch; a border through a core must stop the averaging."""
    left = tiny.gathered.column < np.median(tiny.gathered.column)
    training, held_out = np.flatnonzero(left), np.flatnonzero(~left)
    problem = Problem(tiny, "cut", 0, training, held_out, left.astype(int))
    p = np.tile([0.0, 1.0], (len(held_out), 1))
    np.testing.assert_allclose(problem.smoothed(p), p)


def test_smoothing_is_two_means_over_nine_pixels(tiny: Cohort) -> None:
    problem = next(assignments(tiny, 0))
    own = problem.held_out
    images, row, column = tiny.images[own], tiny.gathered.row[own], tiny.gathered.column[own]
    p = np.random.default_rng(0).random((len(own), 2))
    expected = p
    for _ in range(2):
        near = (abs(row[:, None] - row) <= 1) & (abs(column[:, None] - column) <= 1)
        near &= images[:, None] == images
        expected = near / near.sum(axis=1, keepdims=True) @ expected
    np.testing.assert_allclose(problem.smoothed(p), expected)


def test_a_rival_learns_nothing_from_what_it_must_answer(tiny: Cohort) -> None:
    """Other labels and spectra of held-out pixels leave what it learned as it was."""
    problem = next(assignments(tiny, 0))
    asked = problem.held_out[:1]
    one = replace(problem, held_out=asked)
    for treatment in ("pixel", "neighborhood"):
        whole = learner("PLS-DA")(problem, treatment, 0)
        alone = learner("PLS-DA")(one, treatment, 0)
        np.testing.assert_allclose(whole.probabilities[""][:1], alone.probabilities[""], rtol=1e-5)
        assert whole.setting == alone.setting


def test_axes_change_no_distance() -> None:
    draw = np.random.default_rng(0)
    for shape in ((20, 50), (50, 20)):
        x, asked = draw.normal(size=shape), draw.normal(size=(7, shape[1]))
        turned, also = on_principal_axes(x, [asked])
        np.testing.assert_allclose(turned @ turned.T, x @ x.T, atol=1e-8)
        np.testing.assert_allclose(also @ turned.T, asked @ x.T, atol=1e-8)


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_find_what_is_there(name: str, tiny: Cohort) -> None:
    problem = next(assignments(tiny, 0))
    found = learner(name)(problem, "pixel", 0).probabilities[""]
    assert balanced_accuracy_score(tiny.truth[problem.held_out], found.argmax(axis=1)) > 0.85


def test_an_aligned_rival_forgives_a_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bins are samples of a curve; on the coarse axis of the tiny cohort nothing is moved."""
    monkeypatch.setitem(SIMULATED, "fine", {**SIMULATED["tiny"], "channels": 800})
    fine = simulated("fine")
    changed = {"": lambda v: v, "shift +3": changes.shifted(3)}
    problem = replace(next(assignments(fine, 0)), changes=changed)
    y = fine.truth[problem.held_out]
    lost = []
    for name in ("PLS-DA", "PLS-DA + alignment"):
        found = learner(name)(problem, "pixel", 0).probabilities
        scores = [balanced_accuracy_score(y, found[c].argmax(axis=1)) for c in changed]
        lost.append(scores[0] - scores[1])
    assert lost[0] > 0.2
    assert lost[1] < 0.05


def test_one_fit_of_ours_answers_with_neighbors_and_without(tiny: Cohort) -> None:
    """And nobody on the other side speaks: with one pixel asked alone, both answers are equal."""
    problem = next(assignments(tiny, 0))
    found = learner("linear")(problem, "pixel", 0)
    together = found.besides["linear", "neighborhood"]
    assert (together.probabilities[""] != found.probabilities[""]).any() == (
        "neighbors asked" in together.setting
    )
    one = learner("linear")(replace(problem, held_out=problem.held_out[:1]), "neighborhood", 0)
    alone = one.besides["linear", "pixel"]
    np.testing.assert_allclose(one.uncalibrated[""], alone.probabilities[""], atol=1e-5)


def test_the_majority_is_one_answer_for_all(tiny: Cohort) -> None:
    found = learner(MAJORITY)(next(assignments(tiny, 0)), "pixel", 0).probabilities[""]
    assert np.unique(found, axis=0).shape == (1, 2)


@pytest.mark.parametrize("name", ["isotopenet", plain.TWIN])
def test_networks_alone_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    values = draw.gamma(1.0, size=(80, 40)).astype(np.float32)
    classes = np.repeat([0, 1], 40)
    values[classes == 1, 20:24] *= 8
    short = {k: replace(recipe, epochs=8) for k, recipe in plain.RECIPES.items()}
    monkeypatch.setattr(plain, "RECIPES", short)
    roots = root_of_shares(values)
    made = plain.fit_plain(name, roots, InputNormalization.learn(roots), classes, 0)
    reached, ask = next(made)
    assert reached == name
    assert (ask(roots).argmax(axis=1) == classes).mean() > 0.9


def test_a_long_fit_gives_the_usual_one_on_its_way(
    tiny: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {k: replace(recipe, epochs=1) for k, recipe in plain.RECIPES.items()}
    monkeypatch.setattr(plain, "RECIPES", short)
    problem = next(assignments(tiny, 0))
    long, usual = (learner(n)(problem, "pixel", 0) for n in ("isotopenet x4", "isotopenet"))
    assert list(long.besides) == [("isotopenet", "pixel")]
    found = long.besides["isotopenet", "pixel"].probabilities[""]
    np.testing.assert_array_equal(found, usual.probabilities[""])
    assert (found != long.probabilities[""]).any()


def test_the_twin_sees_little(tiny: Cohort) -> None:
    shape = plain.NetworkConfig.for_axis("default", 3000, 2)
    assert set(plain.UndilatedTwin(shape).config.dilations) == {1}
    assert max(shape.dilations) > 1


def test_strokes_end_where_the_groups_are_full(tiny: Cohort) -> None:
    names, sizes = np.unique(tiny.spectra.groups, return_counts=True)
    # The smallest comes last: it is full long before the others.
    groups = names[np.argsort(sizes)[[1, 0]]]
    everything = int(np.sort(sizes)[:2].sum())
    for wanted in (everything - 1, everything + 50):
        painted = strokes(tiny, groups, wanted, np.random.default_rng(0))
        assert len(np.unique(painted)) == len(painted) == min(wanted, everything)


def test_strokes_are_of_one_class_and_many_as_asked(tiny: Cohort) -> None:
    for problem in few_labels(tiny, 30, 6, 3):
        assert len(problem.training) == len(set(problem.training)) == 30
        groups = tiny.spectra.groups
        assert not np.intersect1d(groups[problem.training], groups[problem.held_out]).size
        assert np.bincount(tiny.spectra.classes[problem.training]).min() >= 5


def test_shifts_move_peaks() -> None:
    values = np.eye(3, 9, 4, dtype=np.float32)
    for bins in (-4, -1, 0, 2):
        assert (changes.shifted(bins)(values).argmax(axis=1) == np.arange(4, 7) + bins).all()
    assert changes.with_changed_copies(values, 0).shape == (15, 9)
    assert (changes.bent(0.5)(values) > 0).sum() == 3


class NearBorders(NamedTuple):
    """What the tables of borders ask of a run."""

    unit: Unit
    near: float

    def figures(self, view: str) -> dict[str, float]:
        return {"balanced accuracy": 0.9 if view == "pixel" else 0.92}

    def near_border(self, view: str, _near: int) -> float:
        return 0.8 if view == "pixel" else self.near


def test_what_neighbors_add_near_borders_is_averaged_over_cohorts() -> None:
    runs = [
        NearBorders(Unit("border", f"fingers (seed {seed})", "s", 0, "linear", treatment, 0), near)
        for seed, near in ((1, 0.79), (2, 0.81), (3, 0.83))
        for treatment in ("pixel", "neighborhood")
    ]
    lines = border_tables.borders_over_cohorts(runs).splitlines()
    (row,) = [line for line in lines if line.startswith("| fingers | linear | neighborhood | 3 ")]
    assert "| +0.0200 | +0.0100 | (-.0100 to .0300) | -0.0100 to +0.0300 |" in row


def test_distance_to_the_border_is_counted_in_pixels(tiny: Cohort) -> None:
    row, column = tiny.gathered.row, tiny.gathered.column
    apart = np.maximum(abs(row[:, None] - row), abs(column[:, None] - column))
    apart[tiny.truth[:, None] == tiny.truth] = FAR
    assert (tiny.to_border == apart.min(axis=1)).all()


def test_wrong_labels_are_scored_by_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        SIMULATED,
        "noisy",
        {"rows": 24, "columns": 40, "channels": 60, "slides": 2, "label_noise": 0.2},
    )
    noisy = simulated("noisy")
    assert (noisy.truth != noisy.spectra.classes).mean() == pytest.approx(0.2, abs=0.02)
    assert [p.split for p in by_slide(noisy)] == ["by slide"] * 2


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two processes share the fits; a line cut off and a file missing are made again."""
    for shard in range(2):
        run_suite("tiny", ASKED, Store(tmp_path, f"{shard + 1}/2"), (shard, 2))
    lines = sorted(tmp_path.glob("answers*.jsonl"))
    assert len(lines) == 2
    assert len(runs_of(Store(tmp_path).all())) == 4
    capsys.readouterr()
    run_suite("tiny", ASKED, Store(tmp_path))
    assert "part" not in capsys.readouterr().out
    lines[0].write_text(lines[0].read_text()[:-30])
    next(iter(tmp_path.glob("*.npz"))).unlink()
    run_suite("tiny", ASKED, Store(tmp_path))
    assert 1 <= capsys.readouterr().out.count("part") <= 2
    assert len(runs_of(Store(tmp_path).all())) == 4


def test_answers_of_other_code_do_not_count(results: Path, monkeypatch) -> None:
    assert list(Store(results).all())
    monkeypatch.setattr("classifying.store.code_of", lambda model: "other")
    assert not list(Store(results).all())
    assert list(Store(results, accept_older=True).all())


def test_tables_and_pictures_are_written(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "accuracy.md"
    page.write_text("# Mine\n\n<!-- measured: accuracy of tiny -->\nold\n<!-- end -->\n\nKept.\n")
    written = writing.write(runs_of(Store(results).all()), tmp_path)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("# Mine")
    assert "Kept." in text
    score = a_run(results, "PLS-DA").figures("pixel")["balanced accuracy"]
    assert f"| PLS-DA | {tables.number(score)}" in text
    assert (tmp_path / "accuracy.json") in written


def test_one_sided_strokes_are_few_of_one_class_and_many_of_the_other(tiny: Cohort) -> None:
    for problem in one_sided(tiny, 2, 9, 4):
        counts = np.bincount(problem.spectra.classes, minlength=2)
        assert counts[int(problem.fold % 2 == 0)] == 2
        assert counts[int(problem.fold % 2 != 0)] in range(3, 10)
        painted = set(problem.spectra.groups)
        assert not painted & set(problem.cohort.spectra.groups[problem.held_out])


def test_few_labels_are_compared_stroke_by_stroke(tiny: Cohort, tmp_path: Path) -> None:
    problems = list(few_labels(tiny, 30, 6, 2))
    for problem in problems:
        for model in ("linear", MAJORITY):
            unit = Unit("few", "tiny", problem.split, problem.fold, model, "pixel", 0)
            Store(tmp_path).keep(unit, problem, learner(model)(problem, "pixel", 0))
    runs = runs_of(Store(tmp_path).all())
    assert len(runs) == 4
    text = tables.few_label_differences(runs)
    lost = [0.5 - r.figures("pixel")["balanced accuracy"] for r in runs if r.unit.model == "linear"]
    assert f"| 30 pixels | majority | pixel | 2 | {np.mean(lost):+.4f} |" in text
    plots.few_labels(runs, tmp_path / "few.svg")
    assert "<svg" in (tmp_path / "few.svg").read_text()


def test_pictures_of_every_kind(results: Path, tmp_path: Path) -> None:
    runs = runs_of(Store(results).all())
    plots.accuracies(Judged(runs), tmp_path / "a.svg")
    plots.differences(Judged(runs), tmp_path / "d.svg", "linear")
    for name in ("a.svg", "d.svg"):
        assert "<svg" in (tmp_path / name).read_text()


def test_a_network_with_shifts_is_taught_with_its_own_ways_and_these(tiny: Cohort) -> None:
    assert plain.augment_of("isotopenet", "isotopenet") is None
    assert plain.augment_of("isotopenet + shifts", "isotopenet") == ("shift", "gain")
    own = ("shift", "gain", "peaks", "mixing")
    assert plain.augment_of("default + shifts", "default") == own
    assert store.code_of("isotopenet + shifts") != store.code_of("isotopenet")
    for unknown in ("linear + shifts", "undilated twin + shifts", "default + alignment"):
        with pytest.raises(SystemExit, match="no model is called"):
            learner(unknown)


def test_every_third_of_the_groups_is_held_out_once(tiny: Cohort) -> None:
    parts = list(every_third(tiny))
    assert len(parts) == parts[0].of == 3
    assert sorted(np.concatenate([p.held_out for p in parts])) == list(range(len(tiny.spectra)))


def test_a_cohort_is_compared_with_its_own_best_linear_rival(results: Path) -> None:
    runs = runs_of(Store(results).all())
    found = tables.cohort_differences(runs, "linear")
    judged = Judged(runs)
    expected = judged.difference("linear", "PLS-DA", "pixel")
    assert expected is not None
    assert f"| tiny | pixel | PLS-DA | {expected.value:+.4f} |" in found


def test_who_lies_on_a_held_out_slide_is_not_learned_from_elsewhere(tiny: Cohort) -> None:
    """Two slides, cut from the tiny one; one patient lies on both."""
    gathered, groups = tiny.gathered, np.array(tiny.spectra.groups)
    right = gathered.column > np.median(gathered.column)
    groups[groups == groups[right][0]] = groups[~right][0]
    spectra = replace(tiny.spectra, groups=groups)
    two = Cohort("two", replace(gathered, spectra=spectra, slide=right.astype(int)), tiny.truth)
    parts = list(by_slide(two))
    assert len(parts) == 2
    for problem in parts:
        assert np.unique(gathered.column[problem.held_out] > np.median(gathered.column)).size == 1
        assert not np.intersect1d(groups[problem.training], groups[problem.held_out]).size
        near = problem.neighbors(3)[problem.training]
        assert np.isin(near.indices, problem.training).all(), "looks at pixels that are left out"
