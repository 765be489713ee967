from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.cross_validation import evaluate
from napari_ims_tumor.cohort.explaining import How, explain_pixel
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.table import read_cohort
from napari_ims_tumor.errors import CohortError, FitRefused
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.model import predictor, relevance
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.msi import matrix_room

LINEAR = ("linear",)


def test_every_patient_is_judged_once_by_models_that_never_saw_her(cohorts: Any) -> None:
    report = run_inline(evaluate(cohorts.cohort(), LINEAR))
    facts = report.as_dict()
    held_out = [name for fold in facts["folds"] for name in fold["held_out"]]
    assert sorted(held_out) == [f"patient {k}" for k in range(5)]
    found = facts["networks"]["linear"]
    assert found["n"] == facts["n"] == 5 * 38
    assert found["balanced_accuracy"] > 0.9
    assert np.sum(found["confusion"]) == facts["n"]
    assert set(found["per_group"]) == set(held_out)


def test_figures_can_be_computed_again_from_the_predictions(cohorts: Any, tmp_path: Path) -> None:
    report = run_inline(evaluate(cohorts.cohort(), ("linear", "default"), FitConfig(epochs=1)))
    path = report.write(tmp_path / "out")
    facts = json.loads(path.read_text())
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    truth = np.array([row["label"] == "tumor" for row in rows])
    for network in ("linear", "default"):
        tumor = np.array([float(row[f"{network}: tumor"]) for row in rows])
        stored = facts["networks"][network]
        assert balanced_accuracy_score(truth, tumor > 0.5) == pytest.approx(
            stored["balanced_accuracy"]
        )
        assert roc_auc_score(truth, tumor) == pytest.approx(stored["auroc"])
    for fold, entry in enumerate(facts["folds"]):
        assert {r["group"] for r in rows if r["fold"] == str(fold)} == set(entry["held_out"])
    assert any("balanced accuracy" in line for line in report.summary())


def test_permuted_labels_bring_the_score_to_chance(cohorts: Any) -> None:
    scores = [
        run_inline(evaluate(cohorts.cohort(), LINEAR, permute_labels=seed)).as_dict()
        for seed in range(4)
    ]
    found = [facts["networks"]["linear"]["balanced_accuracy"] for facts in scores]
    assert abs(np.mean(found) - 0.5) < 0.06
    assert scores[1]["permute_labels"] == 1


def test_one_patient_gives_no_number_but_the_reason(cohorts: Any, tmp_path: Path) -> None:
    report = run_inline(evaluate(cohorts.cohort(1), LINEAR))
    facts = report.as_dict()
    found = facts["networks"]["linear"]
    assert "one group" in facts["why_not"]
    assert found["balanced_accuracy"] is found["auroc"] is found["ece"] is None
    assert report.summary() == (facts["why_not"],)
    assert json.loads(report.write(tmp_path).read_text())["folds"] == []


def test_external_validation_of_a_model(cohorts: Any) -> None:
    model = run_inline(fit_cohort(cohorts.cohort(), FitConfig(network="linear")))
    report = run_inline(validate(model, (cohorts.slide(20, "new"), cohorts.slide(21, "newer"))))
    facts = report.as_dict()
    assert facts["kind"] == "external validation"
    assert facts["networks"]["linear"]["balanced_accuracy"] > 0.9
    assert set(facts["networks"]["linear"]["per_group"]) == {"new", "newer"}


def test_a_network_is_judged_beside_its_own_linear_path_on_new_slides(cohorts: Any) -> None:
    linear = run_inline(fit_cohort(cohorts.cohort(), FitConfig(network="linear")))
    model = run_inline(fit_cohort(cohorts.cohort(), FitConfig(network="isotopenet", epochs=1)))
    new = tuple(cohorts.slide(20 + n, f"new {n}") for n in range(5))
    facts = run_inline(validate(model, new)).as_dict()
    asks = model.neighbor_temperature is not None
    own = ["isotopenet", *(["isotopenet + neighbors"] if asks else [])]
    assert list(facts["networks"]) == [*own, "linear"]
    assert facts["networks"]["linear"]["calibrated"] is False
    alone = run_inline(validate(linear, new)).as_dict()["networks"]["linear"]
    assert facts["networks"]["linear"]["auroc"] == alone["auroc"]
    assert list(facts["differences"]) == own


def test_a_network_is_put_on_its_device_once_per_model_and_what_was_done_there_is_told(
    cohorts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    network = predictor._network

    def counted(model: FittedModel) -> Any:
        built.append(model)
        return network(model)

    def full(network: Any, device: object, notes: list[str]) -> Any:
        notes.append("GPU memory ran out: continuing on the CPU")
        return network

    monkeypatch.setattr(predictor, "_network", counted)
    for module in (predictor, relevance):
        monkeypatch.setattr(module, "placed", full)
    # Two spectra at a time, as of a wide axis.
    monkeypatch.setattr(matrix_room, "_ROWS_AT_ONCE", 2)
    config = FitConfig(network="isotopenet", epochs=1, device="cpu")
    facts = run_inline(evaluate(cohorts.cohort(), ("isotopenet",), config)).as_dict()
    models = facts["networks"]["isotopenet"]["models"]
    assert len(built) == len(models) == 5
    assert all("continuing on the CPU" in model["note"] for model in models)
    built.clear()
    model = run_inline(fit_cohort(cohorts.cohort(), config))
    new = tuple(cohorts.slide(20 + n, f"new {n}") for n in range(2))
    (own,) = run_inline(validate(model, new)).as_dict()["networks"]["isotopenet"]["models"]
    assert len(built) == 1
    assert "continuing on the CPU" in own["note"]
    dataset: Any = new[0].slide
    found = run_inline(explain_pixel(model, dataset, (3, 3), How(device="cpu")))
    assert found.method.endswith(" GPU memory ran out: continuing on the CPU.")


def test_stop_and_wrong_questions(cohorts: Any) -> None:
    with pytest.raises(FitRefused, match="no network 'resnet'"):
        run_inline(evaluate(cohorts.cohort(), ("resnet",)))
    with pytest.raises(CohortError, match="at least 2"):
        run_inline(evaluate(cohorts.cohort(), LINEAR, n_folds=1))
    job = evaluate(cohorts.cohort(), LINEAR)
    while "fold" not in next(job).phase:
        pass
    with pytest.raises(JobStopped):
        job.send(STOP)


BLADDER = "slide,labels,groups\n{0}/TMA1.imzML,{0}/TMA1_labels.npy,{0}/TMA1_cores.npy\n"


@pytest.mark.real_data
def test_bladder_array_with_cores_held_out(real_data: Path, tmp_path: Path) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text(BLADDER.format(real_data / "bladder_tma1"))
    slides = read_cohort(table)
    facts = run_inline(evaluate(slides, LINEAR)).as_dict()
    assert facts["networks"]["linear"]["balanced_accuracy"] >= 0.940
    assert len(facts["folds"]) == 5
    permuted = run_inline(evaluate(slides, LINEAR, permute_labels=0)).as_dict()
    assert 0.45 <= permuted["networks"]["linear"]["balanced_accuracy"] <= 0.55


@pytest.mark.real_data
def test_the_default_network_is_not_below_linear_on_the_bladder_array(
    real_data: Path, tmp_path: Path
) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text(BLADDER.format(real_data / "bladder_tma1"))
    report = run_inline(
        evaluate(read_cohort(table), ("linear", "default"), FitConfig(epochs=3), n_folds=3)
    )
    found = report.as_dict()["networks"]
    assert found["default"]["balanced_accuracy"] >= found["linear"]["balanced_accuracy"] - 0.01


def test_seeds_and_networks_that_cannot_be(cohorts: Any) -> None:
    slides = cohorts.cohort(2)
    with pytest.raises(CohortError, match="0 or more"):
        run_inline(evaluate(slides, ("linear",), permute_labels=-1))
    with pytest.raises(FitRefused, match="default or linear"):
        run_inline(evaluate(slides, ()))


@pytest.mark.parametrize("n", [2, 3])
def test_groups_of_two_or_three_pixels_are_judged_with_their_neighbors(
    cohorts: Any, n: int
) -> None:
    """So few spectra differ in no direction: neighbors speak as if they were all alike."""
    few = []
    for number, row in enumerate(cohorts.cohort(12, signal=8.0)):
        labels = np.zeros((6, 8), np.uint8)
        labels[0, 3 : 3 + n] = 1 + number % 2
        few.append(replace(row, labels=Annotation(labels)))
    report = run_inline(evaluate(tuple(few), LINEAR, n_folds=12))
    assert all(np.isfinite(found.probabilities).all() for found in report.results.values())
    facts = report.as_dict()
    assert facts["n_judged"] == facts["n"] == 12 * n
    assert len(facts["groups"]) == 12


def test_the_report_says_what_a_group_was_and_what_is_doubtful_about_them(cohorts: Any) -> None:
    slides = (*cohorts.cohort(3), cohorts.slide(3))
    report = run_inline(evaluate(slides, LINEAR))
    facts = report.as_dict()
    assert facts["group_means"] in facts["verdict"]
    assert "No group is named for slide3" in facts["warnings"][0]
    assert facts["warnings"][0] in report.summary()


def test_shuffled_labels_claim_nothing_of_how_groups_were_chosen(cohorts: Any) -> None:
    facts = run_inline(evaluate(cohorts.cohort(3), LINEAR, permute_labels=1)).as_dict()
    assert "no label leaks through the program" in facts["verdict"][0]
    assert "That the groups are well chosen they cannot show." in facts["verdict"][0]
