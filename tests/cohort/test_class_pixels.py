from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.class_pixels import ClassPixels, Compared, paired, spread
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


@pytest.fixture(scope="module")
def slide(cohorts: Any) -> CohortSlide:
    made: CohortSlide = cohorts.slide(0)
    return made


@pytest.fixture(scope="module")
def model(cohorts: Any) -> FittedModel:
    return run_inline(fit_cohort(cohorts.cohort(4), FitConfig("linear", device="cpu")))


def compared(
    model: FittedModel, slide: CohortSlide, labels: Any, name: str = "tumor", most: int = 200
) -> Compared:
    dataset = slide.slide
    assert isinstance(dataset, InMemoryDataset)
    annotation = None if labels is None else Annotation(labels)
    return run_inline(ClassPixels(model, dataset, annotation, "cpu").compared(name, most))


def labels_at(slide: CohortSlide, indices: Any) -> set[int]:
    dataset = slide.slide
    assert isinstance(dataset, InMemoryDataset)
    pixels = dataset.pixels
    return set(labels_of(slide)[pixels.rows[indices], pixels.columns[indices]].tolist())


def labels_of(slide: CohortSlide) -> Any:
    assert isinstance(slide.labels, Annotation)
    return slide.labels.labels


def test_each_labelled_pixel_stands_beside_one_of_the_other_class(
    model: FittedModel, slide: CohortSlide
) -> None:
    found = compared(model, slide, labels_of(slide))
    assert found.against is not None
    assert found.indices.size == found.against.size
    assert labels_at(slide, found.indices) == {2}
    assert labels_at(slide, found.against) == {1}
    # The larger class takes part as a whole, each pixel once.
    assert np.unique(found.against).size == found.against.size == (measured(slide) == 1).sum()
    assert np.unique(found.indices).size == (measured(slide) == 2).sum()


def measured(slide: CohortSlide) -> Any:
    dataset = slide.slide
    assert isinstance(dataset, InMemoryDataset)
    return labels_of(slide)[dataset.pixels.rows, dataset.pixels.columns]


def test_at_most_so_many_pairs_evenly_spread(model: FittedModel, slide: CohortSlide) -> None:
    found = compared(model, slide, labels_of(slide), most=5)
    every = np.flatnonzero(measured(slide) == 2)
    assert found.indices.size == 5
    assert (found.indices[0], found.indices[-1]) == (every[0], every[-1])
    assert found.about == (
        f"5 of {every.size} pixels labelled as tumor on slide0, each against one of "
        f"{(measured(slide) == 1).sum()} labelled as healthy"
    )


def test_what_is_not_labelled_is_predicted(model: FittedModel, slide: CohortSlide) -> None:
    found = compared(model, slide, np.where(labels_of(slide) == 2, 2, 0).astype(np.uint8))
    assert "pixels labelled as tumor" in found.about
    assert " predicted as healthy" in found.about
    assert found.against is not None
    assert labels_at(slide, found.against) <= {0, 1}
    found = compared(model, slide, None)
    assert "predicted as tumor" in found.about


def test_without_another_class_the_mean_is_compared_with(model: FittedModel, cohorts: Any) -> None:
    """All of this slide is tumor."""
    whole = cohorts.slide(3)
    tumor = np.flatnonzero(measured(whole) == 2)
    values = np.concatenate([b.intensity for b in whole.slide.blocks(np.resize(tumor, 42))])
    axis = whole.slide.spectrum(0).mz
    dataset = InMemoryDataset.from_matrix(model.axis, values, whole.slide.pixels, "all tumor")
    assert np.array_equal(axis, model.axis.mz)
    found = run_inline(ClassPixels(model, dataset, None, "cpu").compared("tumor", 200))
    assert found.against is None
    assert "against" not in found.about
    with pytest.raises(QueryError, match="no pixel of all tumor is predicted as healthy"):
        run_inline(ClassPixels(model, dataset, None, "cpu").compared("healthy", 200))


def test_one_pixel_stands_beside_labelled_pixels_of_another_class(
    model: FittedModel, slide: CohortSlide
) -> None:
    dataset = slide.slide
    assert isinstance(dataset, InMemoryDataset)
    pixels = ClassPixels(model, dataset, Annotation(labels_of(slide)), "cpu")
    found = pixels.compared_one(3, "healthy", 4)
    assert found.indices.tolist() == [3, 3, 3, 3]
    assert found.against is not None
    assert labels_at(slide, found.against) == {2}
    assert found.about == f"against 4 of {(measured(slide) == 2).sum()} pixels labelled as tumor"
    only = Annotation(np.where(labels_of(slide) == 1, 1, 0).astype(np.uint8))
    assert ClassPixels(model, dataset, only, "cpu").compared_one(3, "healthy", 4).against is None


def test_several_other_classes_have_the_same_weight() -> None:
    many, few = np.arange(100), np.arange(100, 103)
    found = paired([many, few], 20)
    assert (found < 100).sum() == (found >= 100).sum() == 10
    assert set(found[found >= 100].tolist()) == {100, 101, 102}


def test_fewer_take_part_more_than_once() -> None:
    assert spread(np.array([3, 8]), 4).tolist() == [3, 3, 8, 8]
    assert spread(np.array([3]), 3).tolist() == [3, 3, 3]
