from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import make_dataset, painted
from tests.widgets.test_fit_panel import STROKES

from napari_ims_tumor.model.abstention import AnswerCurve
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.predict_panel import STALE, PredictPanel
from napari_ims_tumor.widgets.wiring import Wiring

DATASET = make_dataset()


@dataclass(frozen=True)
class Made:
    """The attributes of a prediction that are looked at."""

    probabilities: np.ndarray
    calibrated: bool
    class_names: tuple[str, ...] = ("healthy", "tumor")
    disagreement: np.ndarray | None = None
    why_no_disagreement: str | None = "Only one answers."
    unfamiliarity: np.ndarray | None = None
    alone: np.ndarray | None = None
    why_no_unfamiliarity: str | None = "Too few strokes."
    why_no_alone: str | None = "Each answers alone."
    unfamiliar_words: str | None = None

    @property
    def unfamiliar(self) -> np.ndarray:
        none = np.full(self.probabilities.shape[1:], np.nan)
        return (none if self.unfamiliarity is None else self.unfamiliarity) > 1

    def why_no_abstention(self, accuracy: float) -> str | None:
        return "Too few strokes." if accuracy > 0.9 else None

    @property
    def uncertainty(self) -> np.ndarray:
        return 1 - np.abs(2 * self.probabilities[1] - 1)


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> PredictPanel:
    made = PredictPanel(wiring)
    qtbot.addWidget(made)
    made.show()
    return made


def show_prediction(
    session: Session, calibrated: bool = True, revision: int | None = 0, apart: bool = False
) -> None:
    slide = session.adopt(DATASET)
    tumor = slide.dataset.pixels.as_image(np.linspace(0, 1, 79).astype(np.float32))
    made = Made(np.stack([1 - tumor, tumor]), calibrated)
    if apart:
        made = replace(made, disagreement=tumor / 2, why_no_disagreement=None)
    changed = session.update(slide, prediction=made, prediction_revision=revision)
    assert changed is not None
    session.predicted.emit(changed)


def test_why_not_is_shown_word_for_word(panel: PredictPanel, session: Session) -> None:
    assert panel.reason.text() == session.classifier.why_not_predict()
    session.adopt(make_dataset())
    assert panel.reason.text() == session.classifier.why_not_predict()
    assert not panel.predict.isEnabled()
    assert panel.form.isHidden()


def test_pressing_predict_predicts_the_other_slide_too(
    panel: PredictPanel, session: Session, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    session.adopt(make_dataset(name="another"))
    assert panel.form.isHidden()
    qtbot.mouseClick(panel.predict, Qt.MouseButton.LeftButton)
    assert session.active is not None
    assert session.active.prediction is not None
    assert panel.form.isVisible()


def test_uncalibrated_is_said(panel: PredictPanel, session: Session) -> None:
    show_prediction(session, calibrated=False)
    assert panel.uncalibrated.isVisible()
    assert "Uncalibrated" in panel.uncalibrated.text()


def test_stale_is_said_as_soon_as_strokes_change(panel: PredictPanel, session: Session) -> None:
    show_prediction(session)
    assert panel.uncalibrated.isHidden()
    assert panel.stale.isHidden()
    session.annotate(painted((8, 10), tumor=[(3, 3)]))
    assert panel.stale.text() == STALE


def test_a_model_that_never_saw_the_strokes_is_not_stale(
    panel: PredictPanel, session: Session
) -> None:
    show_prediction(session, revision=None)
    session.annotate(painted((8, 10), tumor=[(3, 3)]))
    assert panel.stale.isHidden()


def test_the_form_steers_the_layers(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    show_prediction(session)
    dataset = session.slides[0].dataset
    tumor, classes = (first_of(viewer.layers, dataset, r) for r in ("tumor", "class"))
    assert tumor is not None
    assert classes is not None
    panel.form["opacity"].value = 0.25
    assert (tumor.opacity, classes.opacity) == (0.25, 0.25)
    panel.form["show"].value = "class"
    assert (tumor.visible, classes.visible) == (False, True)
    for threshold in (0.2, 0.8):
        panel.form["threshold"].value = threshold
        probability = np.asarray(tumor.data)
        expected = np.where(probability >= threshold, 2, 1)
        expected[~np.isfinite(probability)] = 0
        assert np.array_equal(classes.data, expected)


def test_the_opacity_is_that_of_the_overlay_on_every_slide(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    show_prediction(session)
    first = session.active
    assert first is not None
    session.adopt(make_dataset(name="another"))
    panel.form["opacity"].value = 0.3
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    second = session.active
    assert second is not None
    made = [first_of(viewer.layers, slide.dataset, "tumor") for slide in (first, second)]
    assert [layer and layer.opacity for layer in made] == [0.3, 0.3]
    assert made[1] is not None
    made[1].opacity = 0.9  # in napari's own controls
    assert panel.form["opacity"].value == pytest.approx(0.9)
    session.activate(first)
    assert panel.form["opacity"].value == pytest.approx(0.3)


def test_the_form_is_made_without_a_warning(
    qtbot: QtBot, wiring: Wiring, recwarn: pytest.WarningsRecorder
) -> None:
    made = PredictPanel(wiring)
    qtbot.addWidget(made)
    assert not [w for w in recwarn if "synonymous" in str(w.message)]
    assert made.form["show"].native.currentText() == "tumor probability"


def test_uncertainty_is_shown_alone_with_its_meaning(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    show_prediction(session)
    panel.form["opacity"].value = 0.4
    panel.form["show"].value = "uncertainty"
    layer = first_of(viewer.layers, DATASET, "uncertainty")
    tumor = first_of(viewer.layers, DATASET, "tumor")
    assert layer is not None
    assert tumor is not None
    assert (layer.visible, tumor.visible, layer.opacity) == (True, False, 0.4)
    assert "next stroke where it is bright" in panel.meaning.text()
    assert "no idea" in panel.scale.text()
    panel.form["opacity"].value = 0.9
    assert layer.opacity == 0.9
    show_prediction(session)
    assert (layer.visible, tumor.visible) == (True, False)
    panel.form["show"].value = "tumor"
    assert (layer.visible, tumor.visible) == (False, True)
    assert panel.meaning.isHidden()


def test_an_ion_image_takes_the_place_of_the_overlay_until_it_is_chosen_again(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    show_prediction(session, calibrated=False)
    tumor = first_of(viewer.layers, DATASET, "tumor")
    assert tumor is not None
    session.show_ion(MassWindow(800.0, MassTolerance(0.3, "Da")))
    assert not tumor.visible
    assert panel.form["show"].native.currentText() == "nothing", "the dock speaks of what is hidden"
    assert panel.scale.isHidden()
    assert panel.withheld.isHidden()
    panel.form["show"].value = "tumor"
    assert tumor.visible
    assert panel.scale.isVisible()


def test_nothing_can_be_shown_over_the_tissue(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    show_prediction(session)
    panel.form["show"].value = "hidden"
    assert not [la for la in viewer.layers if la.visible and "probability" in la.name]
    tumor = first_of(viewer.layers, DATASET, "tumor")
    assert tumor is not None
    tumor.visible = True
    assert panel.form["show"].value == "tumor", "the eye in the layer list is not heard"
    viewer.layers.remove(tumor)
    assert panel.form["show"].value == "hidden"
    panel.form["show"].value = "tumor"
    assert first_of(viewer.layers, DATASET, "tumor") is not None


def test_disagreement_can_be_chosen_only_where_there_is_one(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    show_prediction(session)
    item = panel.form["show"].native.model().item(4)
    assert not item.isEnabled()
    assert item.toolTip() == "Only one answers."
    show_prediction(session, apart=True)
    assert item.isEnabled()
    panel.form["show"].value = "disagreement"
    layer = first_of(viewer.layers, DATASET, "disagreement")
    assert layer is not None
    assert layer.visible
    show_prediction(session)
    assert first_of(viewer.layers, DATASET, "disagreement") is None
    assert panel.form["show"].value == "tumor"


def test_the_most_uncertain_place_comes_into_the_middle(
    panel: PredictPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    show_prediction(session)
    slide = session.active
    assert slide is not None
    assert slide.prediction is not None
    qtbot.mouseClick(panel.next, Qt.MouseButton.LeftButton)
    row, column = (int(place / 50) for place in viewer.scene.camera.center[1:])
    assert slide.prediction.uncertainty[row, column] > 0.9
    assert session.picked == (row, column, 0), "nothing tells which pixel is meant"
    labels = painted((8, 10), tumor=[(row, column)])
    session.annotate(labels)
    qtbot.mouseClick(panel.next, Qt.MouseButton.LeftButton)
    assert tuple(int(place / 50) for place in viewer.scene.camera.center[1:]) != (row, column)


def test_what_is_unfamiliar_is_said_and_can_be_shown(
    panel: PredictPanel, session: Session, viewer: ViewerModel
) -> None:
    slide = session.adopt(DATASET)
    tumor = slide.dataset.pixels.as_image(np.linspace(0, 1, 79).astype(np.float32))
    points = np.array([[0.5, 1.0, 0.8], [0.8, 0.5, 0.96]], np.float32)
    made = Prediction(
        np.stack([1 - tumor, tumor]), ("healthy", "tumor"), True, "model",
        unfamiliarity=2 * tumor, answers=AnswerCurve(points),
    )  # fmt: skip
    changed = session.update(slide, prediction=made, prediction_revision=0)
    assert changed is not None
    session.predicted.emit(changed)
    n = int(made.unfamiliar.sum())
    assert f"{n} of 79 pixels are unlike anything that was labelled" in panel.withheld.text()
    layer = first_of(viewer.layers, DATASET, "tumor")
    assert layer is not None
    assert np.isfinite(layer.data).sum() == 79 - n
    assert "(shown in gray)" in panel.withheld.text()
    panel.form["show"].value = "unfamiliarity"
    assert f"{n} of 79 pixels are unlike" in panel.withheld.text()
    assert "gray" not in panel.withheld.text(), "they are bright in this view"
    panel.form["show"].value = "tumor"
    panel.form["hide_unfamiliar"].value = False
    assert np.isfinite(layer.data).sum() == 79
    assert "shown all the same" in panel.withheld.text()
    panel.form["answer"].value = "95 % right"
    assert "below 0.80, from which on 95%" in panel.withheld.text()
    assert np.isfinite(layer.data).sum() < 79
    panel.form["answer"].value = "99 % right"
    assert "At no confidence" in panel.withheld.text()
    panel.form["show"].value = "unfamiliarity"
    assert "is no finding" in panel.meaning.text()


def test_only_what_the_model_can_keep_is_offered(panel: PredictPanel, session: Session) -> None:
    show_prediction(session)
    items = panel.form["answer"].native.model()
    assert [items.item(row).isEnabled() for row in range(5)] == [True, True, False, False, False]
    assert items.item(3).toolTip() == "Too few strokes."


def test_a_model_of_other_mz_is_not_asked(panel: PredictPanel, session: Session) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    assert panel.predict.isEnabled()
    low = make_dataset()
    assert low.mass_axis is not None
    values = np.array([low.spectrum(i).intensity for i in range(low.n_spectra)])
    mz = MassAxis(low.mass_axis.mz + 1000)
    session.adopt(InMemoryDataset.from_matrix(mz, values, low.pixels, "high"))
    assert not panel.predict.isEnabled()
    assert "m/z 600.00 to 1000.00" in panel.reason.text()
    assert "1600.00 to 2000.00" in panel.reason.text()


def test_a_model_that_needs_more_mz_than_the_slide_has_is_not_asked(
    panel: PredictPanel, session: Session
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    whole = make_dataset()
    assert whole.mass_axis is not None
    values = np.array([whole.spectrum(i).intensity for i in range(whole.n_spectra)])
    half = len(whole.mass_axis) // 2
    mz = MassAxis(whole.mass_axis.mz[half:])
    session.adopt(InMemoryDataset.from_matrix(mz, values[:, half:], whole.pixels, "upper half"))
    assert not panel.predict.isEnabled()
    assert f"this slide goes from {mz.low:.2f} to 1000.00" in panel.reason.text()


def test_a_model_that_cannot_tell_says_why(panel: PredictPanel, session: Session) -> None:
    show_prediction(session)
    item = panel.form["show"].native.model().item(5)
    assert not item.isEnabled()
    assert item.toolTip() == "Too few strokes."
    assert panel.withheld.text() == "Too few strokes."
