from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.cross_validation import evaluate
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import JobStopped, Progress, run_inline
from napari_ims_tumor.model.config import FitConfig

PLANTED = 511.0
"""The one peak of these slides that knows the tumor."""


def test_the_models_of_a_validation_look_at_the_planted_peak(cohorts: Any) -> None:
    facts = run_inline(evaluate(cohorts.cohort(6), ("linear",))).as_dict()
    found = facts["relevance"]
    json.dumps(found, allow_nan=False)
    first, second = found["networks"]["linear"]["peaks"][:2]
    assert first["mz"] == PLANTED
    # All the way from healthy to tumor, in logits.
    assert 8 < first["relevance"] < 14
    assert first["share"] > 3 * second["share"]
    assert first["adjusted"] <= 2 / 2**6 * 40
    alone = found["alone"]
    assert alone["peaks"][0]["mz"] == PLANTED
    assert alone["peaks"][0]["auc"] > 0.95
    assert "within 6 groups" in alone["words"]
    assert "not what causes" in found["caveats"][0]


def test_only_pixels_that_were_held_out_are_looked_at(cohorts: Any) -> None:
    """With a label that a model cannot know, it speaks neither for nor against it."""
    facts = run_inline(evaluate(cohorts.cohort(6), ("linear",), permute_labels=3)).as_dict()
    peaks = facts["relevance"]["networks"]["linear"]["peaks"]
    total = np.sum([peak["relevance"] for peak in peaks])
    honest = run_inline(evaluate(cohorts.cohort(6), ("linear",))).as_dict()
    real = honest["relevance"]["networks"]["linear"]["peaks"][0]["relevance"]
    assert abs(total) < 0.3 * real


def test_a_finished_model_is_looked_at_too(cohorts: Any) -> None:
    model = run_inline(fit_cohort(cohorts.cohort(4), FitConfig("linear", device="cpu")))
    others = tuple(cohorts.slide(seed, f"patient {seed}") for seed in (11, 12))
    facts = run_inline(validate(model, others)).as_dict()
    found = facts["relevance"]
    assert found["networks"]["linear"]["peaks"][0]["mz"] == PLANTED
    assert "descriptive only" in found["alone"]["words"]
    assert found["alone"]["n_adjusted_below_05"] is None


def test_where_groups_are_of_one_class_others_are_compared_with(cohorts: Any) -> None:
    slides = tuple(of_one_class(cohorts.cohort(6)[k], 1 + k % 2) for k in range(6))
    report = run_inline(evaluate(slides, ("linear",), n_folds=6))
    found = report.as_dict()["relevance"]["networks"]["linear"]
    assert "of some pairs only one" in found["pixels"]
    assert found["peaks"][0]["mz"] == PLANTED
    assert found["peaks"][0]["relevance"] > 4


def of_one_class(slide: CohortSlide, value: int) -> CohortSlide:
    assert isinstance(slide.labels, Annotation)
    image = slide.labels.labels
    return replace(slide, labels=Annotation(np.where(image == value, image, 0)))


def test_where_nothing_is_judged_nothing_is_looked_at(cohorts: Any) -> None:
    facts = run_inline(evaluate(cohorts.cohort(1), ("linear",))).as_dict()
    assert facts["why_not"] is not None
    assert facts["relevance"] is None


def test_it_can_be_stopped(cohorts: Any) -> None:
    seen: list[Progress] = []
    job = evaluate(cohorts.cohort(4), ("linear",))
    with pytest.raises(JobStopped):
        run_inline(job, seen.append, lambda: "looks at" in seen[-1].phase)
