"""Answers that are no finding are not shown as one, and that can be switched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ims_tumor.model.abstention import AnswerCurve
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.shown import view_of
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.viewer.withheld import Withholding, withheld_words

CURVE = AnswerCurve(np.array([[0.5, 1.0, 0.8], [0.7, 0.5, 0.96]], np.float32))


@pytest.fixture
def made(dataset: MsiDataset) -> Prediction:
    """The first third of the spectra is unfamiliar, the second unsure, the last one tumor."""
    pixels, n = dataset.pixels, len(dataset.pixels)
    third = np.arange(n) * 3 // n
    tumor = pixels.as_image(np.array([0.9, 0.6, 0.9], np.float32)[third])
    strange = pixels.as_image(np.array([4.0, 0.5, 0.5], np.float32)[third])
    probabilities = np.stack([1 - tumor, tumor])
    names = ("healthy", "tumor")
    return Prediction(probabilities, names, True, "model", unfamiliarity=strange, answers=CURVE)


def shown(session: Session, dataset: MsiDataset, made: Prediction) -> None:
    slide = session.adopt(dataset)
    session.predicted.emit(session.update(slide, prediction=made, prediction_revision=1))


def test_unfamiliar_pixels_show_the_tissue_until_they_are_asked_for(
    session: Session, binding: Binding, viewer: ViewerModel, dataset: MsiDataset, made: Prediction
) -> None:
    shown(session, dataset, made)
    tumor, classes = (first_of(viewer.layers, dataset, role) for role in ("tumor", "class"))
    assert tumor is not None
    assert classes is not None
    measured = dataset.pixels.measured
    familiar = measured & ~made.unfamiliar
    assert np.array_equal(np.isfinite(tumor.data), familiar)
    assert np.array_equal(np.asarray(classes.data) > 0, familiar)
    assert np.array_equal(tumor.data[familiar], made.probabilities[1][familiar])
    binding.overlays.withhold(Withholding(unfamiliar=False))
    assert np.array_equal(np.isfinite(tumor.data), measured)
    assert np.array_equal(np.asarray(classes.data) > 0, measured)


def test_each_pixel_alone_is_withheld_where_the_answer_is(
    session: Session, binding: Binding, viewer: ViewerModel, dataset: MsiDataset, made: Prediction
) -> None:
    shown(session, dataset, replace(made, alone=1 - made.probabilities))
    slide = session.active
    assert slide is not None
    binding.overlays.look_as(slide, "alone")
    layer = first_of(viewer.layers, dataset, "alone")
    assert layer is not None
    assert layer.visible
    measured = dataset.pixels.measured
    familiar = measured & ~made.unfamiliar
    assert np.array_equal(np.isfinite(layer.data), familiar)
    assert np.array_equal(layer.data[familiar], made.probabilities[0][familiar])
    binding.overlays.withhold(Withholding(unfamiliar=False))
    assert np.array_equal(np.isfinite(layer.data), measured)
    session.predicted.emit(session.update(slide, prediction=made, prediction_revision=1))
    assert first_of(viewer.layers, dataset, "alone") is None


def test_unsure_pixels_show_the_tissue_and_get_no_class(
    session: Session, binding: Binding, viewer: ViewerModel, dataset: MsiDataset, made: Prediction
) -> None:
    shown(session, dataset, made)
    binding.overlays.withhold(Withholding(False, 0.95))
    tumor, classes = (first_of(viewer.layers, dataset, role) for role in ("tumor", "class"))
    assert tumor is not None
    assert classes is not None
    unsure = made.unsure(0.95)
    assert unsure.any()
    assert (np.asarray(classes.data)[unsure] == 0).all()
    assert np.isnan(np.asarray(tumor.data)[unsure]).all()
    assert np.isfinite(np.asarray(tumor.data)[dataset.pixels.measured & ~unsure]).all()
    # A new prediction is looked at as the one before.
    shown(session, dataset, replace(made, model_id="next"))
    assert np.isnan(np.asarray(tumor.data)[unsure]).all()


def test_what_the_model_cannot_tell_is_not_withheld(
    session: Session, binding: Binding, viewer: ViewerModel, dataset: MsiDataset, made: Prediction
) -> None:
    binding.overlays.withhold(Withholding(True, 0.999))
    shown(session, dataset, made)
    tumor = first_of(viewer.layers, dataset, "tumor")
    assert tumor is not None
    familiar = dataset.pixels.measured & ~made.unfamiliar
    assert np.isfinite(np.asarray(tumor.data)[familiar]).all()
    assert "At no confidence" in withheld_words(made, binding.overlays.withholding)


def test_the_exported_classes_are_those_on_screen_and_the_rule_says_so(
    session: Session, binding: Binding, dataset: MsiDataset, made: Prediction
) -> None:
    shown(session, dataset, made)
    binding.overlays.withhold(Withholding(True, 0.95))
    view = view_of(binding, None)
    assert view.classes is not None
    hidden = made.unfamiliar | made.unsure(0.95)
    assert (view.classes[hidden] == 0).all()
    assert (view.classes[dataset.pixels.measured & ~hidden] == 2).all()
    assert "unlike anything labelled" in view.rule
    assert "95%" in view.rule


def test_unfamiliarity_is_a_layer_made_when_it_is_looked_at(
    session: Session, binding: Binding, viewer: ViewerModel, dataset: MsiDataset, made: Prediction
) -> None:
    shown(session, dataset, made)
    assert first_of(viewer.layers, dataset, "unfamiliarity") is None
    binding.look_as("unfamiliarity")
    layer = first_of(viewer.layers, dataset, "unfamiliarity")
    assert layer is not None
    assert tuple(layer.contrast_limits) == (0.0, 2.0)
    assert np.array_equal(layer.data, made.unfamiliarity, equal_nan=True)
    shown(session, dataset, replace(made, unfamiliarity=None))
    assert first_of(viewer.layers, dataset, "unfamiliarity") is None


def test_what_is_withheld_is_said_in_words(made: Prediction) -> None:
    said = withheld_words(made, Withholding(True, 0.95))
    assert "unlike anything that was labelled" in said
    assert said.count("(shown in gray)") == 2
    assert "shown all the same" in withheld_words(made, Withholding(unfamiliar=False))
    assert withheld_words(replace(made, unfamiliarity=None), Withholding()) == ""


def test_a_saved_view_withholds_the_same(binding: Binding) -> None:
    binding.overlays.withhold(Withholding(False, 0.98))
    state = binding.view.capture()
    binding.overlays.withhold(Withholding())
    binding.view.restore(state)
    assert binding.overlays.withholding == Withholding(False, 0.98)
