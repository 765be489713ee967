"""What an export is told of the screen is what the screen shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.shown import shown_image, view_of
from napari_ims_tumor.viewer.slide_tag import first_of


def test_the_rule_of_the_classes_says_which_pixels_have_none(
    session: Session, binding: Binding, dataset, build
) -> None:
    slide = session.adopt(dataset)
    fake = build.prediction(dataset.pixels, tumor=0.55)
    made = Prediction(fake.probabilities, fake.class_names, True, "model")
    session.predicted.emit(session.update(slide, prediction=made, prediction_revision=1))
    plain = view_of(binding, None)
    assert plain.rule == "tumor from a probability of 0.5 on"
    assert set(plain.classes[dataset.pixels.measured]) == {2}
    binding.overlays.set_threshold(0.5, 0.1)
    careful = view_of(binding, None)
    assert careful.rule == f"{plain.rule}; none where it is closer to that than 0.1"
    assert set(careful.classes[dataset.pixels.measured]) == {0}


def test_a_prediction_without_a_tumor_is_exported_without_classes(
    session: Session, binding: Binding, dataset, build, heard: list[str], tmp_path: Path
) -> None:
    slide = session.adopt(dataset)
    fake = build.prediction(dataset.pixels)
    made = Prediction(fake.probabilities, ("epithelium", "stroma"), True, "model")
    session.predicted.emit(session.update(slide, prediction=made, prediction_revision=1))
    view = view_of(binding, None)
    assert view.classes is None
    heard.clear()
    session.exports.write("prediction", tmp_path / "a.csv", view)
    assert heard == [f"Exported a.csv to the folder {tmp_path.name}."]


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_a_picture_has_the_gamma_of_the_screen(
    viewer: ViewerModel, session: Session, binding: Binding, dataset, gamma: float
) -> None:
    session.adopt(dataset)
    layer = first_of(viewer.layers, dataset, "tic")
    layer.gamma = gamma
    low, high = layer.contrast_limits
    image = shown_image(layer)
    painted = image.scale.paint(np.array([[low + 0.25 * (high - low)]]))[0, 0]
    # As napari's shader: the colormap at the value's share to the power of gamma.
    assert painted[:3] == pytest.approx(layer.colormap.map(0.25**gamma)[0][:3], abs=0.01)
