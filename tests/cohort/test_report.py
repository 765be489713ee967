"""The figures of a report equal those that scikit-learn finds in its predictions.csv."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata, t
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    recall_score,
    roc_auc_score,
)

from napari_ims_tumor.cohort.cross_validation import evaluate
from napari_ims_tumor.cohort.report import EvaluationReport, NetworkResult
from napari_ims_tumor.cohort.table import read_cohort
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import run_inline

EXACT = 1e-9


class Peer:
    """Everything from the written files alone, in the plainest way."""

    def __init__(self, folder: Path, network: str) -> None:
        self.facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        self.classes = self.facts["classes"]
        with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["fold"] != "-1"]
        self.group = np.array([row["group"] for row in rows])
        self.truth = np.array([self.classes.index(row["judged_against"]) for row in rows])
        columns = [f"{network}: {name}" for name in self.classes]
        self.p = np.array([[float(row[column]) for column in columns] for row in rows])
        self.stored = self.facts["networks"][network]
        self.behind = self.groups_behind()
        assert self.behind == self.facts["bootstrap"]["groups_behind"]

    def groups_behind(self) -> dict[str, int]:
        """Figure → groups that hold what it needs."""
        every, tumor, healthy = (
            len(set(self.group[where]))
            for where in (self.truth >= 0, self.truth == 1, self.truth == 0)
        )
        of_all = dict.fromkeys(("ece", "tumor_ece", "brier"), every)
        of_both = dict.fromkeys(("balanced_accuracy", "auroc"), min(tumor, healthy))
        return {**of_all, **of_both, "sensitivity": tumor, "specificity": healthy}

    def figures(self, at: np.ndarray) -> dict[str, float]:
        """By scikit-learn; a figure that a missing class leaves undefined is left out."""
        truth, p = self.truth[at], self.p[at]
        guess = p.argmax(axis=1)
        found = {**eces(p, truth), "brier": np.mean((p[:, 1] - truth) ** 2)}
        for name, label in (("sensitivity", 1), ("specificity", 0)):
            if (truth == label).any():
                found[name] = recall_score(truth, guess, pos_label=label)
        if np.unique(truth).size == 2:
            found["brier"] = brier_score_loss(truth, p[:, 1])
            found["balanced_accuracy"] = balanced_accuracy_score(truth, guess)
            found["auroc"] = roc_auc_score(truth, p[:, 1])
        return found

    def plainly(self, at: np.ndarray) -> dict[str, float]:
        """The same without scikit-learn, which takes minutes for thousands of draws."""
        truth, p = self.truth[at], self.p[at]
        right = p.argmax(axis=1) == truth
        found = {**eces(p, truth), "brier": np.mean((p[:, 1] - truth) ** 2)}
        n = int(truth.sum())
        if n:
            found["sensitivity"] = right[truth == 1].mean()
        if n < truth.size:
            found["specificity"] = right[truth == 0].mean()
        if 0 < n < truth.size:
            found["balanced_accuracy"] = (found["sensitivity"] + found["specificity"]) / 2
            ranks = rankdata(p[:, 1])[truth == 1].sum()
            found["auroc"] = (ranks - n * (n + 1) / 2) / (n * (truth.size - n))
        return found

    def drawn(self) -> list[dict[str, float]]:
        """The figures of each draw of groups, their pixels copied together."""
        boot = self.facts["bootstrap"]
        names = list(dict.fromkeys(self.group))
        places = [np.flatnonzero(self.group == name) for name in names]
        random = np.random.default_rng(boot["seed"])
        chosen = random.integers(len(names), size=(boot["draws"], len(names)))
        draws = [np.concatenate([places[g] for g in draw]) for draw in chosen]
        for draw in draws[:25]:
            assert self.plainly(draw) == pytest.approx(self.figures(draw), abs=1e-12)
        return [self.plainly(draw) for draw in draws]


def eces(p: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {
        "ece": ece(p.max(axis=1), p.argmax(axis=1) == truth),
        "tumor_ece": ece(p[:, 1], truth == 1),
    }


def ece(claimed: np.ndarray, came_true: np.ndarray) -> float:
    edges = np.arange(1, 15) / 15
    place = np.searchsorted(edges, claimed, side="left")
    gaps = np.bincount(place, weights=came_true.astype(float) - claimed, minlength=15)
    return np.abs(gaps).sum() / claimed.size


def percentiles(values: list[float], n_groups: int) -> tuple[float, float]:
    """Hesterberg's expanded percentile interval, by scipy's distributions."""
    beyond = norm.sf(t.ppf(0.975, n_groups - 1) * (n_groups / (n_groups - 1)) ** 0.5)
    return np.percentile(values, 100 * beyond), np.percentile(values, 100 * (1 - beyond))


def check_against_scikit_learn(folder: Path, networks: tuple[str, ...]) -> None:
    peers = {name: Peer(folder, name) for name in networks}
    draws = {name: peer.drawn() for name, peer in peers.items()}
    for name, peer in peers.items():
        everything = np.arange(peer.truth.size)
        for metric, value in peer.figures(everything).items():
            assert peer.stored[metric] == pytest.approx(value, abs=EXACT), metric
            known = [draw[metric] for draw in draws[name] if metric in draw]
            found = peer.stored["intervals"][metric]
            ends = percentiles(known, peer.behind[metric])
            assert (found["low"], found["high"]) == pytest.approx(ends, abs=EXACT)
            assert found["undefined_draws"] == len(draws[name]) - len(known)
        guess = peer.p.argmax(axis=1)
        assert peer.stored["confusion"] == confusion_matrix(peer.truth, guess).tolist()
        for group in set(peer.group):
            own = peer.group == group
            mine = peer.stored["per_group"][group]
            assert mine["n"] == own.sum()
            assert mine["accuracy"] == pytest.approx((guess == peer.truth)[own].mean(), abs=EXACT)
            balanced = peer.figures(np.flatnonzero(own)).get("balanced_accuracy")
            assert mine["balanced_accuracy"] == (
                None if balanced is None else pytest.approx(balanced, abs=EXACT)
            )
    for name, found in peers[networks[0]].facts["differences"].items():
        for metric, difference in found.items():
            both = zip(draws[name], draws["linear"], strict=True)
            known = [a[metric] - b[metric] for a, b in both if metric in a and metric in b]
            low, high = percentiles(known, peers[networks[0]].behind[metric])
            assert (difference["low"], difference["high"]) == pytest.approx((low, high), abs=EXACT)
            assert (difference["shown"] is not None) == (low > 0 or high < 0)


def test_figures_equal_scikit_learn_on_simulated_slides(cohorts: Any, tmp_path: Path) -> None:
    # A weak signal: figures of exactly 1 would prove nothing.
    report = run_inline(evaluate(cohorts.cohort(6, signal=6.0), ("linear",)))
    linear = report.results["linear"].probabilities[:, 1]
    noise = np.random.default_rng(0).normal(0, 0.15, linear.size)
    tumor = np.clip(linear + noise, 0, 1).astype(np.float32)
    other = NetworkResult(np.stack([1 - tumor, tumor], axis=1), 0.0)
    replace(report, results={**report.results, "default": other}).write(tmp_path)
    check_against_scikit_learn(tmp_path, ("linear", "linear + neighbors", "default"))


def test_groups_of_one_class_make_draws_that_cannot_be_judged(cohorts: Any, tmp_path: Path) -> None:
    report = _groups_of_one_class(cohorts, 10, 5)
    report.write(tmp_path)
    undefined = report.as_dict()["networks"]["linear"]["intervals"]["auroc"]["undefined_draws"]
    assert undefined > 0
    check_against_scikit_learn(tmp_path, ("linear",))


def test_a_class_of_few_groups_has_no_interval_however_many_others_there_are(cohorts: Any) -> None:
    facts = _groups_of_one_class(cohorts, 8, 2).as_dict()
    intervals = facts["networks"]["linear"]["intervals"]
    known = {metric for metric, found in intervals.items() if found["low"] is not None}
    assert known == {"specificity", "ece", "tumor_ece", "brier"}
    said = " ".join(facts["verdict"])
    assert (
        "No interval of balanced accuracy, AUROC and sensitivity is given: tumor lies in 2 groups "
        "only, and at least 5 are needed."
    ) in said
    assert "95 % interval" not in said
    few_healthy = _groups_of_one_class(cohorts, 8, 7).as_dict()
    assert few_healthy["bootstrap"]["scarce"] == dict.fromkeys(
        ("balanced_accuracy", "auroc", "specificity"), "healthy lies in 1 group only"
    )


def test_a_difference_in_a_class_of_few_groups_is_never_claimed(cohorts: Any) -> None:
    base = _groups_of_one_class(cohorts, 8, 2)
    other = NetworkResult(np.eye(2, dtype=np.float32)[base.classes] * 0.9 + 0.05, 1.0)
    facts = replace(base, results={**base.results, "default": other}).as_dict()
    found = facts["differences"]["default"]
    assert found["sensitivity"]["value"] > 0.1
    assert (found["sensitivity"]["low"], found["sensitivity"]["shown"]) == (None, None)
    assert found["brier"]["shown"] == "better"


def _groups_of_one_class(cohorts: Any, n: int, n_tumor: int) -> EvaluationReport:
    """Patients; some have tumor alone, the others healthy tissue alone, and ties abound."""
    report = run_inline(evaluate(cohorts.cohort(n), ("linear",)))
    groups = report.gathered.spectra.groups
    classes = (groups < n_tumor).astype(np.int64)
    tumor = np.random.default_rng(0).integers(0, 5, classes.size) / np.float32(4)
    probabilities = np.stack([1 - tumor, tumor], axis=1).astype(np.float32)
    result = NetworkResult(probabilities, 0.0)
    gathered = report.gathered
    return EvaluationReport("grouped cross-validation", gathered, classes, report.fold,
                            {"linear": result}, options={"folds": 5})  # fmt: skip


@pytest.mark.real_data
def test_figures_equal_scikit_learn_on_the_bladder_array(real_data: Path, tmp_path: Path) -> None:
    table = tmp_path / "cohort.csv"
    array = real_data / "bladder_tma1"
    row = f"{array}/TMA1.imzML,{array}/TMA1_labels.npy,{array}/TMA1_cores.npy"
    table.write_text(f"slide,labels,groups\n{row}\n")
    report = run_inline(evaluate(read_cohort(table), ("linear",)))
    assert set(report.results) == {"linear", "linear + neighbors"}
    report.write(tmp_path / "report")
    check_against_scikit_learn(tmp_path / "report", ("linear", "linear + neighbors"))


def test_the_same_input_gives_the_same_facts_apart_from_provenance(cohorts: Any) -> None:
    first, second = (run_inline(evaluate(cohorts.cohort(3), ("linear",))).as_dict() for _ in "ab")
    provenance = first.pop("provenance")
    assert provenance["seconds"].keys() == {"linear", "linear + neighbors"}
    assert provenance["versions"]["numpy"] == np.__version__
    second.pop("provenance")
    assert json.dumps(first) == json.dumps(second)


def test_too_few_groups_give_figures_but_no_interval(cohorts: Any) -> None:
    facts = run_inline(evaluate(cohorts.cohort(4), ("linear",))).as_dict()
    assert facts["networks"]["linear"]["intervals"] == {}
    assert "too few groups for an interval: 4" in facts["bootstrap"]["why_not"]
    assert any("No interval is given" in sentence for sentence in facts["verdict"])


def test_a_gain_is_claimed_only_where_the_interval_excludes_0(cohorts: Any) -> None:
    base = run_inline(evaluate(cohorts.cohort(8, signal=3.0), ("linear",)))
    linear = base.results["linear"].probabilities
    perfect = np.eye(2, dtype=np.float32)[base.classes] * 0.9 + 0.05
    for other, shown in ((perfect, "better"), (1 - perfect, "worse"), (linear, None)):
        results = {"linear": base.results["linear"], "default": NetworkResult(other, 1.0)}
        report = EvaluationReport("external validation", base.gathered, base.classes, base.fold,
                                  results)  # fmt: skip
        facts = report.as_dict()
        assert facts["differences"]["default"]["balanced_accuracy"]["shown"] == shown
        said = " ".join(facts["verdict"])
        assert (f"default is {shown}" in said) == (shown is not None)
        assert ("No gain of default over linear is claimed" in said) == (shown is None)


def test_the_worst_group_comes_first_and_is_called_hard(cohorts: Any) -> None:
    base = run_inline(evaluate(cohorts.cohort(6), ("linear",)))
    p = np.array(base.results["linear"].probabilities)
    worst = base.gathered.spectra.groups == 3
    p[worst] = 1 - p[worst]
    report = EvaluationReport("grouped cross-validation", base.gathered, base.classes, base.fold,
                              {"linear": NetworkResult(p, 0.0)}, options={"folds": 5})  # fmt: skip
    groups = report.as_dict()["groups"]
    assert (groups[0]["name"], groups[0]["hard"]) == ("patient 3", True)
    assert not any(group["hard"] for group in groups[1:])
    assert any("Hard for every network: patient 3" in s for s in report.as_dict()["verdict"])


def test_unfamiliar_shares_and_the_curve_are_those_of_the_table(
    cohorts: Any, tmp_path: Path
) -> None:
    written = tmp_path
    slides = cohorts.cohort(6, signal=6.0)
    run_inline(evaluate(slides, ("linear",))).write(written)
    facts = json.loads((written / "report.json").read_text(encoding="utf-8"))
    with (written / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["fold"] != "-1"]
    for network, stored in facts["networks"].items():
        strange = np.array([float(row[f"{network}: unfamiliarity"]) for row in rows])
        known = strange[np.isfinite(strange)]
        expected = float((known > 1).mean()) if known.size else None
        assert stored["unfamiliar"] == expected
        peer = Peer(written, network)
        least, share, right = stored["coverage"][10]
        sure = peer.p.max(axis=1) >= np.float32(least)
        weights = 1 / np.bincount(peer.truth)[peer.truth]
        assert share == pytest.approx((weights * sure).sum() / weights.sum(), abs=1e-5)
        hits = weights * sure * (peer.p.argmax(axis=1) == peer.truth)
        assert right == pytest.approx(hits.sum() / (weights * sure).sum(), abs=1e-5)
    assert all("unfamiliar" in group for group in facts["groups"])


def test_held_out_pixels_without_an_answer_are_told_and_not_counted(cohorts: Any) -> None:
    base = run_inline(evaluate(cohorts.cohort(6), ("linear",)))
    assert base.as_dict()["warnings"] == []
    p = np.array(base.results["linear"].probabilities)
    p[:3] = np.nan
    facts = replace(base, results={"linear": NetworkResult(p, 0.0)}).as_dict()
    assert (facts["n"], facts["n_judged"]) == (6 * 38, 6 * 38 - 3)
    assert (
        "3 of 228 held-out pixels got no answer that is a number (patient 0)"
        in (facts["warnings"][0])
    )
    assert facts["verdict"][0].startswith("225 labelled pixels of 6 groups were judged")


def test_the_files_of_a_report_are_written_together_or_not_at_all(
    cohorts: Any, tmp_path: Path
) -> None:
    report = run_inline(evaluate(cohorts.cohort(2), ("linear",)))
    report.write(tmp_path)
    names = ("predictions.csv", "report.html")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    (tmp_path / "report.json").unlink()
    (tmp_path / "report.json").mkdir()
    other = run_inline(evaluate(cohorts.cohort(3), ("linear",)))
    with pytest.raises(ImsTumorError, match=r"report\.json is a folder"):
        other.write(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    assert len(list(tmp_path.iterdir())) == 3
