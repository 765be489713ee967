"""What a model looks at is what the simulator planted, on a short axis."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_ims_tumor as ims
from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME, ClassScheme
from napari_ims_tumor.cohort.explaining import (
    How,
    explain_class,
    explain_pixel,
    model_peaks,
    univariate_job,
)
from napari_ims_tumor.cohort.gathering import Gathered, gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import LabelsError, QueryError
from napari_ims_tumor.job import JobStopped, run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.relevance import Attribution, attribute
from napari_ims_tumor.msi.synthetic.planted import recovery
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide


@pytest.fixture(scope="module")
def slide() -> SimulatedSlide:
    return simulate_slide(make_recipe(rows=36, columns=48, channels=1200, signal="local", seed=3))


@pytest.fixture(scope="module")
def gathered(slide: SimulatedSlide) -> Gathered:
    one = CohortSlide(slide.dataset, Annotation(slide.labels), slide.patients)
    return run_inline(gather((one,)))


@pytest.fixture(scope="module")
def model(gathered: Gathered) -> FittedModel:
    return run_inline(fit(gathered.spectra, FitConfig("linear", device="cpu")))


def test_the_planted_peaks_stand_first(
    slide: SimulatedSlide, model: FittedModel, gathered: Gathered
) -> None:
    found = run_inline(explain_class(model, slide.dataset, "tumor", Annotation(slide.labels)))
    ranked = np.array([row.mz for row in found.top(len(found.peaks.envelopes))])
    seen = recovery(slide.truth, ranked, tolerance=0.2)
    assert seen.wanted >= 5
    assert seen.share >= 0.8, seen
    assert seen.by_chance < 0.4 * seen.wanted
    alone = run_inline(univariate_job(gathered.spectra, found.peaks, "tumor"))
    best = found.top(3)
    with_alone = replace(found, univariate=alone).top(3)
    assert [row.mz for row in with_alone] == [row.mz for row in best]
    for row in with_alone:
        assert abs((row.auc or 0.5) - 0.5) > 0.2
        assert (row.adjusted or 1) < 0.05


def test_a_class_is_the_mean_of_its_pixels_against_the_others(
    slide: SimulatedSlide, model: FittedModel, gathered: Gathered
) -> None:
    how = How(most_pixels=10_000)
    labels = Annotation(slide.labels)
    found = run_inline(explain_class(model, slide.dataset, "healthy", labels, how))
    spectra = gathered.spectra
    # A linear answer does not know who is whose partner: means are compared.
    healthy, tumor = (
        attribute(model, spectra.values[spectra.classes == c], "healthy", device="cpu")
        for c in (0, 1)
    )
    expected = healthy.bins.mean(axis=0) - tumor.bins.mean(axis=0)
    # The fewer pixels take part twice, some of them once more than others.
    assert abs(found.bins - expected).max() < 0.05 * abs(expected).max()
    assert found.moved == pytest.approx(healthy.moved.mean() - tumor.moved.mean(), rel=0.03)
    assert f"{spectra.counts['healthy']:,} pixels labelled as healthy" in found.about
    assert f"one of {spectra.counts['tumor']:,} labelled as tumor" in found.about


def test_without_labels_the_predicted_pixels_are_explained(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    found = run_inline(explain_class(model, slide.dataset, "tumor", how=How(most_pixels=20)))
    assert "20 of" in found.about
    assert "predicted as tumor" in found.about


def test_one_pixel_is_explained_and_shares_add_up(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    pixels = slide.dataset.pixels
    place = (int(pixels.rows[7]), int(pixels.columns[7]))
    found = run_inline(explain_pixel(model, slide.dataset, place))
    values = slide.dataset.spectrum(7).intensity[None]
    assert np.allclose(found.bins, attribute(model, values, "tumor", device="cpu").bins[0])
    assert found.shares.sum() == pytest.approx(1)
    assert found.left_over < 1e-4
    rows = found.top(20)
    assert [row.share for row in rows] == sorted((row.share for row in rows), reverse=True)
    assert found.relevance.sum() + found.bins[found.peaks.owner < 0].sum() == pytest.approx(
        found.moved, abs=1e-3
    )


def test_with_labels_one_pixel_is_compared_with_those_of_the_other_class(
    slide: SimulatedSlide, model: FittedModel, gathered: Gathered
) -> None:
    pixels, spectra, labels = slide.dataset.pixels, gathered.spectra, Annotation(slide.labels)
    for value, other in ((1, 2), (2, 1)):
        # One that the model is sure of: it is compared with the class that it is not.
        every = np.argwhere(slide.labels == value)
        sure = attribute(model, spectra.values[spectra.classes == value - 1], "tumor", device="cpu")
        row, column = every[int((sure.moved * (2 * value - 3)).argmax())]
        place = (int(row), int(column))
        found = run_inline(explain_pixel(model, slide.dataset, place, annotation=labels))
        against = np.sort(pixels.lookup[slide.labels == other])
        chosen = against[np.linspace(0, against.size - 1, 8).round().astype(int)]
        values, others = (
            np.stack([slide.dataset.spectrum(int(i)).intensity for i in indices])
            for indices in ([pixels.lookup[place]], chosen)
        )
        own, beside = (attribute(model, v, "tumor", device="cpu").bins for v in (values, others))
        assert np.allclose(found.bins, own[0] - beside.mean(axis=0), atol=1e-4)
        assert "against 8 of" in found.about
        assert "against" not in run_inline(explain_pixel(model, slide.dataset, place)).about


def test_it_can_point_to_the_other_class(slide: SimulatedSlide, model: FittedModel) -> None:
    pixels = slide.dataset.pixels
    place = (int(pixels.rows[7]), int(pixels.columns[7]))
    tumor, healthy = (
        run_inline(explain_pixel(model, slide.dataset, place, How(target=name)))
        for name in ("tumor", "healthy")
    )
    assert np.allclose(tumor.bins, -healthy.bins, atol=1e-6)


def test_what_cannot_be_explained_says_why(slide: SimulatedSlide, model: FittedModel) -> None:
    measured = slide.dataset.pixels.measured
    if not measured.all():
        row, column = (int(i) for i in np.argwhere(~measured)[0])
        with pytest.raises(QueryError, match=f"row {row}, column {column} .* was not measured"):
            run_inline(explain_pixel(model, slide.dataset, (row, column)))
    with pytest.raises(QueryError, match="no class 'cancer'"):
        run_inline(explain_class(model, slide.dataset, "cancer"))
    with pytest.raises(JobStopped):
        run_inline(explain_class(model, slide.dataset, "tumor"), should_stop=lambda: True)


def test_the_peaks_are_the_models_and_not_the_slides(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    place = (int(slide.dataset.pixels.rows[7]), int(slide.dataset.pixels.columns[7]))
    found = run_inline(explain_pixel(model, slide.dataset, place))
    assert np.array_equal(found.peaks.mz, model_peaks(model).mz)


def test_the_table_on_disk_holds_every_peak_and_the_caveats(
    slide: SimulatedSlide, model: FittedModel, tmp_path: Path
) -> None:
    found = run_inline(explain_class(model, slide.dataset, "tumor", how=How(most_pixels=5)))
    path = tmp_path / "relevance.csv"
    found.write(path)
    text = path.read_text()
    assert "not what causes or marks the tumor" in text
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert rows[0] == "mz,isotopes,charge,relevance,share,auc,p,adjusted"
    assert len(rows) == 1 + len(found.peaks.envelopes)
    assert float(rows[1].split(",")[4]) == pytest.approx(found.shares.max())
    json.dumps([row.as_dict() for row in found.top(3)])


def test_the_words_say_how_it_was_made(slide: SimulatedSlide, model: FittedModel) -> None:
    place = (int(slide.dataset.pixels.rows[7]), int(slide.dataset.pixels.columns[7]))
    quick = How(attribution=Attribution("gradient x input"))
    found = run_inline(explain_pixel(model, slide.dataset, place, quick))
    assert "its relevance is exact" in " ".join(found.notes())


@pytest.mark.parametrize("place", [(3,), (3.5, 1), (1, 2, 0, 4), "12", ("1", "2"), 3])
def test_what_is_no_place_is_said_to_be_none(
    slide: SimulatedSlide, model: FittedModel, place: Any
) -> None:
    with pytest.raises(QueryError, match="is no pixel: give its row and column"):
        run_inline(explain_pixel(model, slide.dataset, place))


def test_a_place_of_numpy_s_numbers(slide: SimulatedSlide, model: FittedModel) -> None:
    pixels = slide.dataset.pixels
    place = np.array([pixels.rows[0], pixels.columns[0]])
    found = run_inline(explain_pixel(model, slide.dataset, place))  # type: ignore[arg-type]
    assert found.about.startswith(f"row {pixels.rows[0]}, column {pixels.columns[0]}")


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_no_pixels_of_a_class_are_too_few(n: Any) -> None:
    with pytest.raises(QueryError, match="1 or more"):
        How(most_pixels=n)


def test_labels_that_do_not_fit_are_named(slide: SimulatedSlide, model: FittedModel) -> None:
    other = Annotation(np.ones((3, 4), np.uint8))
    with pytest.raises(LabelsError, match=r"labels of \(3, 4\) on the slide"):
        run_inline(explain_class(model, slide.dataset, "tumor", other))
    pixels = slide.dataset.pixels
    place = (int(pixels.rows[0]), int(pixels.columns[0]))
    with pytest.raises(LabelsError, match=r"labels of \(3, 4\) on the slide"):
        run_inline(explain_pixel(model, slide.dataset, place, annotation=other))


def test_a_class_that_the_labels_do_not_know(
    slide: SimulatedSlide, model: FittedModel, gathered: Gathered
) -> None:
    classes = tuple(replace(c, name=f"other {c.name}") for c in TUMOR_SCHEME.classes)
    labels = Annotation(slide.labels, ClassScheme(classes))
    with pytest.raises(QueryError, match="labels know no class 'tumor', only other healthy and"):
        ims.explain(model, slide.dataset, class_name="tumor", labels=labels)
    with pytest.raises(QueryError, match="labels know no class 'stroma'"):
        run_inline(univariate_job(gathered.spectra, model_peaks(model), "stroma"))


def test_the_most_relevant_peaks_are_none_or_more(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    found = run_inline(explain_class(model, slide.dataset, "tumor", Annotation(slide.labels)))
    assert found.top(0) == ()
    assert len(found.top(10**6)) == found.size
    with pytest.raises(QueryError, match="give 0 or more"):
        found.top(-1)
