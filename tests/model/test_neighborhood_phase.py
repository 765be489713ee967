"""A fit judges its neighbors, and a prediction keeps what each pixel says alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.split import fold_of_each, grouped_folds
from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model import linear_answer
from napari_ims_tumor.model.checkpoint import model_bytes, model_from_bytes
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FORMER_LIKENESS, FORMER_STRENGTH, FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.neighborhood import LIKENESS, STRENGTHS, USUAL_STRENGTH
from napari_ims_tumor.model.neighborhood_phase import (
    CARD_ENTRY,
    HARM,
    HELP,
    MOST_NEAR_BORDERS,
    STRENGTH_ENTRY,
    UNJUDGED,
)
from napari_ims_tumor.model.predicting import predict
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

AXIS = MassAxis(np.linspace(700.0, 900.0, 40))
SIDE = 8


def spectra_of(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weak signal on bin 5, so that single pixels are often wrong."""
    values = rng.gamma(4.0, 1.0, (classes.size, len(AXIS)))
    values[:, 5] *= 1 + 0.9 * classes
    return values.astype(np.float32)


def labelled(
    seed: int = 0, groups: int = 8, mixed: bool = False, halves: bool = False
) -> LabelledSpectra:
    """Cores of SIDE × SIDE pixels side by side, whole ones of a class.

    Or with both classes in halves, or with every pixel of either at random.
    """
    rng = np.random.default_rng(seed)
    n = SIDE * SIDE
    whole = np.repeat(np.arange(groups) % 2, n)
    classes = rng.integers(0, 2, groups * n) if mixed else whole
    row, column = (a.ravel() for a in np.mgrid[:SIDE, :SIDE])
    places = np.stack(
        [np.repeat(np.arange(groups), n), np.tile(row, groups), np.tile(column, groups)], axis=1
    )
    core = np.repeat(np.arange(groups), n)
    if halves:
        classes = (np.tile(row, groups) >= SIDE // 2).astype(np.int64)
    return LabelledSpectra(spectra_of(classes, rng), classes, core, AXIS, places=places)


def fitted(spectra: LabelledSpectra) -> FittedModel:
    return run_inline(fit(spectra, FitConfig("linear", device="cpu")))


def predicted(model: FittedModel, values: np.ndarray) -> Prediction:
    row, column = (a.ravel() for a in np.mgrid[:SIDE, :SIDE])
    pixels = PixelGrid(row, column, (SIDE, SIDE))
    return run_inline(predict(model, InMemoryDataset.from_matrix(AXIS, values, pixels), "cpu"))


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return fitted(labelled())


def test_where_tissue_is_coherent_neighbors_are_asked(model: FittedModel) -> None:
    assert model.card[CARD_ENTRY] == HELP
    assert model.neighbor_temperature is not None
    alone = model.card["held-out balanced accuracy"]
    together = model.card["held-out balanced accuracy, with neighbors"]
    assert isinstance(alone, float)
    assert isinstance(together, float)
    assert together > alone + 0.02


def test_where_neighbors_say_nothing_they_are_not_asked() -> None:
    model = fitted(labelled(mixed=True))
    assert model.card[CARD_ENTRY] == HARM
    assert model.neighbor_temperature is None


def test_in_coherent_tissue_neighbors_are_as_strong_as_they_may_be(model: FittedModel) -> None:
    assert model.neighbor_strength == model.card[STRENGTH_ENTRY] == max(STRENGTHS)


def test_models_of_before_answer_as_they_did(model: FittedModel) -> None:
    values = labelled(groups=1).values
    before = replace(model, neighbor_likeness=FORMER_LIKENESS)
    kept = model_from_bytes(model_bytes(before), "m")
    found = predicted(kept, values).probabilities
    assert np.array_equal(found, predicted(before, values).probabilities, equal_nan=True)
    assert not np.array_equal(found, predicted(model, values).probabilities, equal_nan=True)


def test_labels_near_borders_tell_how_strong_neighbors_may_be() -> None:
    straight = fitted(labelled(halves=True, groups=16))
    assert straight.neighbor_temperature is not None
    assert straight.neighbor_strength in STRENGTHS
    assert straight.neighbor_strength <= MOST_NEAR_BORDERS, "no matter how low the log loss is"
    # Every pixel of a core lies near the border: what is asked there did no harm there.
    alone = straight.card["held-out balanced accuracy"]
    together = straight.card["held-out balanced accuracy, with neighbors"]
    assert isinstance(alone, float)
    assert isinstance(together, float)
    assert together >= alone


def test_too_few_groups_cannot_tell_and_unknown_places_are_not_guessed() -> None:
    model = fitted(labelled(groups=2))
    assert model.card[CARD_ENTRY] == UNJUDGED
    assert not model.calibrated
    assert model.neighbor_strength == USUAL_STRENGTH
    assert fitted(replace(labelled(), places=None)).neighbor_temperature is None


def test_a_model_file_keeps_it(model: FittedModel) -> None:
    again = model_from_bytes(model_bytes(model), "m")
    assert again.neighbor_temperature == model.neighbor_temperature
    assert again.model_id == model.model_id
    assert replace(model, neighbor_temperature=None).model_id != model.model_id
    assert again.neighbor_strength == model.neighbor_strength
    assert replace(model, neighbor_strength=0.25).model_id != model.model_id
    assert again.neighbor_likeness == model.neighbor_likeness == LIKENESS
    softer = replace(model, neighbor_likeness=FORMER_LIKENESS)
    assert softer.model_id != model.model_id
    assert "neighbor_likeness" not in softer.settings(), "older files do not say it"
    former = replace(model, neighbor_strength=FORMER_STRENGTH)
    assert "neighbor_strength" not in former.settings(), "older files do not say it"
    assert model_from_bytes(model_bytes(former), "m").neighbor_strength == FORMER_STRENGTH
    with pytest.raises(ModelFileError):
        model_from_bytes(model_bytes(replace(model, neighbor_strength=3.0)), "m")


def test_a_prediction_has_both_answers(model: FittedModel) -> None:
    classes = np.ones(SIDE * SIDE, np.int64)
    values = spectra_of(classes, np.random.default_rng(7))
    made = predicted(model, values)
    single = predicted(replace(model, neighbor_temperature=None), values)
    assert made.alone is not None
    assert np.array_equal(made.alone, single.probabilities)
    assert single.alone is None
    assert single.why_no_alone is not None
    right = [(p[1] > 0.5).mean() for p in (made.probabilities, made.alone)]
    assert right[0] > right[1]
    planes, names = made.planes(uncertainty=True)
    assert "tumor, each pixel alone" in names
    assert np.array_equal(planes[names.index("tumor, each pixel alone")], made.alone[1])


def test_no_pixel_of_the_training_side_speaks_for_one_that_judges(monkeypatch: Any) -> None:
    """Cores that touch and lie in different folds are no neighbors for the judgement."""
    seen: list[Any] = []
    original = linear_answer.with_neighbors_judged

    def spy(model: Any, near: Any, spectra: Any, held_out: Any) -> Any:
        seen.append((near, spectra))
        return original(model, near, spectra, held_out)

    monkeypatch.setattr(linear_answer, "with_neighbors_judged", spy)
    spectra = labelled()
    row_by_row = np.array(spectra.places)
    row_by_row[:, 1] += row_by_row[:, 0] * SIDE
    row_by_row[:, 0] = 0
    fitted(replace(spectra, places=row_by_row))
    near, given = seen[0]
    found = grouped_folds(given.classes, given.groups, 5, given.group_kind)
    fold_of = fold_of_each(found.folds, len(given))
    everybody = given.neighbors
    assert (fold_of[everybody.pixel] != fold_of[everybody.neighbor]).any()
    assert (fold_of[near.pixel] == fold_of[near.neighbor]).all()
