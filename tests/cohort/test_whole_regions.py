"""Regions of slides that are roughly of a class, from the table to the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.cohort import labelled_slide, region_numbers
from napari_ims_tumor.cohort.cross_validation import evaluate, permuted
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy


def whole(row: CohortSlide, said: str) -> CohortSlide:
    return replace(row, labels=None, regions=said)


def test_a_word_says_roughly_what_a_whole_slide_is(cohorts: Any) -> None:
    rows = (whole(cohorts.slide(0, "x"), "Tumor"), cohorts.slide(1, "y"))
    gathered = run_inline(gather(rows))
    spectra, first = gathered.spectra, gathered.slide == 0
    assert (spectra.classes[first] == 1).all()
    assert not spectra.by_hand[first].any()
    assert spectra.by_hand[~first].all()
    assert first.sum() == 42, "every measured pixel"
    with pytest.raises(CohortError, match="'cancer' in the column regions is no class"):
        run_inline(gather((whole(cohorts.slide(0), "cancer"),)))


def test_strokes_win_inside_a_region(cohorts: Any) -> None:
    row = cohorts.slide(0)
    strokes = np.zeros((6, 8), np.uint8)
    strokes[0, :3] = 1
    gathered = run_inline(gather((replace(row, labels=Annotation(strokes), regions="tumor"),)))
    by_hand = gathered.spectra.by_hand
    assert by_hand.sum() == 3
    assert (gathered.spectra.classes[by_hand] == 0).all()
    assert (gathered.spectra.classes[~by_hand] == 1).all()
    assert np.unique(gathered.spectra.groups).size == 1, "never on both sides of a validation"


def test_regions_of_two_slides_are_two_and_no_group_divides_one(cohorts: Any) -> None:
    image = np.tile(np.arange(8) // 4, (6, 1)).astype(np.int64)
    rows = (whole(cohorts.slide(0, image), "tumor"), whole(cohorts.slide(1, image + 5), "healthy"))
    spectra = run_inline(gather(rows)).spectra
    assert spectra.regions is not None
    pairs = set(zip(spectra.regions.tolist(), spectra.groups.tolist(), strict=True))
    assert len(pairs) == len({region for region, _ in pairs}) == 4


def test_of_a_large_region_some_pixels_are_read(
    cohorts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_slide, "PIXELS_OF_A_REGION", 10)
    assert region_numbers.PIXELS_OF_A_REGION == 1000
    assert len(run_inline(gather((whole(cohorts.slide(0), "tumor"),))).spectra) == 10


def test_only_strokes_judge_and_a_report_says_when_there_are_none(cohorts: Any) -> None:
    tumor = tuple(whole(cohorts.slide(n, f"p{n}"), "tumor") for n in range(3))
    healthy = tuple(whole(cohorts.slide(n, f"p{n}", 0.0), "healthy") for n in range(3, 6))
    by_hand = tuple(cohorts.slide(n, f"p{n}") for n in range(6, 10))
    config = FitConfig(network="linear", device="cpu")
    none = run_inline(evaluate((*tumor, *healthy), ("linear",), config))
    assert none.why_not is not None
    assert "no pixel was labelled by hand" in none.why_not
    report = run_inline(evaluate((*tumor, *healthy, *by_hand), ("linear",), config))
    assert report.judged.sum() == report.gathered.spectra.by_hand.sum()
    assert (report.judged == report.gathered.spectra.by_hand).all()
    model = run_inline(fit_cohort((*tumor, *healthy), config))
    outside = run_inline(validate(model, (*tumor[:1], *by_hand), "cpu"))
    assert len(outside.gathered.spectra) == report.gathered.spectra.by_hand.sum()
    assert any("not 42 of whole regions" in notice for notice in outside.gathered.notices)


def test_shuffled_labels_stay_whole_regions(cohorts: Any) -> None:
    rows = (*(whole(cohorts.slide(n, f"p{n}"), "tumor") for n in range(3)),
            *(whole(cohorts.slide(n, f"p{n}"), "healthy") for n in range(3, 6)),
            cohorts.slide(7, "p7"))  # fmt: skip
    spectra = run_inline(gather(rows)).spectra
    shuffled = permuted(spectra, np.random.default_rng(0))
    assert shuffled.counts == spectra.counts
    assert spectra.regions is not None
    for region in range(6):
        assert np.unique(shuffled.classes[spectra.regions == region]).size == 1


@pytest.mark.real_data
def test_what_cores_of_an_array_roughly_are_teaches_nearly_what_all_pixels_do(
    real_data: Path,
) -> None:
    """Most cores of the bladder array that are called tumor hold stroma, too."""
    slide, labels, cores = (
        real_data / "bladder_tma1" / f"TMA1{what}"
        for what in (".imzML", "_labels.npy", "_cores.npy")
    )
    spectra = run_inline(gather((CohortSlide(slide, labels, cores),))).spectra
    told = np.array([spectra.classes[spectra.groups == group].max() for group in spectra.groups])
    folds = grouped_folds(told, spectra.groups, 5).folds
    certain = replace(spectra, classes=told)
    scores = []
    for taught in (certain, replace(certain, regions=spectra.groups)):
        answers = np.zeros((len(spectra), 2), np.float32)
        for fold in folds:
            model = run_inline(fit(taught.take(fold.training), FitConfig("linear", device="cpu")))
            answers[fold.held_out] = predict_matrix(model, spectra.values[fold.held_out])
        scores.append(balanced_accuracy(answers, spectra.classes))
    as_certain, roughly = scores
    assert roughly is not None
    assert as_certain is not None
    assert roughly >= 0.92
    assert roughly >= as_certain + 0.1
