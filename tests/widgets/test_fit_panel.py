from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import make_dataset, painted
from tests.widgets.test_fit_words import made_of

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress, run_inline
from napari_ims_tumor.model.checkpoint import write_model
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import NETWORKS, PLAIN, FitConfig
from napari_ims_tumor.model.device import DeviceNote
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import EpochReport
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.overview import survey
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session import classifier
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets.fit_options import FROM_FILE
from napari_ims_tumor.widgets.fit_panel import NO_BASE, FitPanel
from napari_ims_tumor.widgets.fit_words import OPTIMISTIC
from napari_ims_tumor.widgets.theme import palette
from napari_ims_tumor.widgets.wiring import Wiring
from napari_ims_tumor.widgets.workers import QtJobRunner

STROKES = painted(
    (8, 10),
    healthy=[(1, 1), (1, 2), (4, 1), (4, 2), (7, 1), (7, 2)],
    tumor=[(1, 8), (1, 9), (4, 8), (4, 9), (7, 8), (7, 9)],
)


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> FitPanel:
    return shown(FitPanel(wiring), qtbot)


def shown(panel: FitPanel, qtbot: QtBot) -> FitPanel:
    panel.paint_with(palette("dark"))
    qtbot.addWidget(panel)
    panel.resize(320, 700)
    panel.show()
    return panel


@pytest.fixture
def threaded() -> Iterator[Session]:
    """A session whose jobs run beside the window."""
    made = Session(QtJobRunner(), Autosave())
    yield made
    made.close()


def test_why_not_is_shown_word_for_word(panel: FitPanel, session: Session) -> None:
    for step in (lambda: None, lambda: session.adopt(make_dataset())):
        step()
        assert not panel.fit.isEnabled()
        assert panel.reason.text() == session.classifier.why_not_fit()
    session.annotate(painted((8, 10), tumor=[(3, 3)]))
    assert panel.reason.text() == session.classifier.why_not_fit()
    assert "healthy" in panel.reason.text()
    session.annotate(STROKES)
    assert panel.fit.isEnabled()
    assert panel.reason.isHidden()


def test_the_form_reads_as_a_config(panel: FitPanel, qtbot: QtBot) -> None:
    assert panel.fit_config() == FitConfig()
    panel.start["network"].value = "linear"
    panel.options["epochs"].value = 3
    panel.options["seed"].value = 9
    panel.options["device"].value = "cpu"
    panel.options["precision"].value = "float32"
    panel.options["deterministic"].value = True
    panel.options["doubt_labels"].value = True
    panel.options["time_limit_s"].value = 60
    assert panel.fit_config() == FitConfig(
        "linear",
        epochs=3,
        seed=9,
        device="cpu",
        precision="float32",
        deterministic=True,
        doubt_labels=True,
        time_limit_s=60,
    )


def test_models_of_files_are_computed_as_the_form_says(panel: FitPanel, session: Session) -> None:
    assert session.classifier.computing == Computing()
    panel.options["device"].value = "cpu"
    panel.options["precision"].value = "float32"
    panel.options["deterministic"].value = True
    assert session.classifier.computing == Computing("cpu", "float32", deterministic=True)


def test_pressing_fit_gives_a_model_and_a_prediction(
    panel: FitPanel, session: Session, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    panel.start["network"].value = "linear"
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    assert session.classifier.model is not None
    assert panel.progress.text().startswith("Model ready: linear model")
    assert session.active is not None
    assert session.active.prediction is not None
    assert "CPU" in panel.device.text() or "NVIDIA" in panel.device.text()


def test_fine_tuning_waits_for_its_model(
    panel: FitPanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    panel.start["network"].value = "linear"
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    base = session.classifier.model
    assert base is not None
    write_model(tmp_path / "base.safetensors", base)
    assert not panel.start["model_file"].native.isVisible()
    panel.start["start_from"].value = FROM_FILE
    assert panel.start["model_file"].native.isVisible()
    assert panel.reason.text() == NO_BASE
    assert not panel.fit.isEnabled()
    panel.start["model_file"].value = tmp_path / "base.safetensors"
    assert panel.fit.isEnabled()
    assert session.classifier.model is base, "reading a base must not replace the model"


@pytest.mark.parametrize("network", PLAIN)
def test_networks_to_compare_with_are_fitted_anew(
    panel: FitPanel, session: Session, network: str
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    panel.start["network"].value = network
    assert panel.fit.isEnabled()
    panel.start["start_from"].value = FROM_FILE
    assert network in panel.reason.text()
    assert "fitted anew" in panel.reason.text()
    assert not panel.fit.isEnabled()


def test_every_network_is_offered_and_explained_default_first(panel: FitPanel) -> None:
    field = panel.start["network"]
    assert tuple(field.choices) == NETWORKS
    assert field.value == "default"
    assert [line.split(":")[0] for line in field.tooltip.splitlines()] == list(NETWORKS)


def test_a_broken_base_is_no_base(
    panel: FitPanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    failed: list[str] = []
    session.failed.connect(failed.append)
    session.adopt(make_dataset())
    session.annotate(STROKES)
    (tmp_path / "x.safetensors").write_bytes(b"no model")
    panel.start["start_from"].value = FROM_FILE
    panel.start["model_file"].value = tmp_path / "x.safetensors"
    assert len(failed) == 1
    assert not panel.fit.isEnabled()


def test_reports_are_drawn_as_they_come(panel: FitPanel, session: Session) -> None:
    session.job_started.emit("fit")
    session.job_reported.emit("fit", Progress("Reading strokes", 1, 4))
    assert panel.progress.text() == "Reading strokes 25%"
    assert panel.plot.isHidden()
    note = "No held-out score: paint a second stroke of each class."
    session.job_reported.emit("fit", EpochReport("Linear model", 5, 5, None, 0.9, 0.9))
    assert panel.plot.loss.getData()[0] is None or not len(panel.plot.loss.getData()[0])
    assert panel.score.text() == "Held-out balanced accuracy: linear 0.900"
    assert panel.plot.score_plot.isVisible(), "the linear score is drawn before any epoch"
    assert panel.plot.baseline.isVisible()
    assert not panel.plot.loss_plot.isVisible()
    for epoch, (loss, score) in enumerate([(0.7, 0.8), (0.5, 0.95)], start=1):
        report = EpochReport("Network", epoch, 8, loss, score, 0.9, 75.0, "CPU", is_optimistic=True)
        session.job_reported.emit("fit", report)
    assert panel.plot.isVisible()
    assert list(panel.plot.loss.getData()[1]) == [0.7, 0.5]
    assert list(panel.plot.score.getData()[1]) == [0.8, 0.95]
    assert panel.plot.baseline.value() == 0.9
    assert panel.plot.baseline.isVisible()
    assert panel.plot.baseline.label.toPlainText() == "linear 0.900"
    session.job_reported.emit("fit", replace(report, seconds_left=None))
    assert panel.progress.text() == "Network · epoch 2 of 8 · about 75 s left · on CPU"
    said = "Held-out balanced accuracy: network 0.950, linear 0.900"
    assert panel.score.text() == f"{said}\n{OPTIMISTIC}"
    session.job_reported.emit("fit", EpochReport("Network on all labels", 1, 2, 0.5, 0.95, 0.9))
    assert list(panel.plot.loss.getData()[1]) == [0.7, 0.5], "the last fit counts anew"
    session.job_started.emit("fit")
    assert panel.plot.isHidden()
    session.job_reported.emit("fit", EpochReport("Network", 1, 8, 0.6, note=note))
    assert panel.score.text() == note
    assert not panel.plot.score_plot.isVisible()
    assert not panel.plot.baseline.isVisible()


def test_the_line_is_labelled_with_the_score_of_this_fit(panel: FitPanel, session: Session) -> None:
    for score in (0.9, 0.75):
        session.job_started.emit("fit")
        session.job_reported.emit("fit", EpochReport("Linear model", 5, 5, None, score, score))
        assert panel.plot.baseline.value() == score
        assert panel.plot.baseline.label.toPlainText() == f"linear {score:.3f}"


def test_the_plot_and_the_words_tell_of_the_same_model(panel: FitPanel, session: Session) -> None:
    session.job_started.emit("fit")
    session.job_reported.emit("fit", EpochReport("Network", 1, 8, 0.5, 0.95, 0.977))
    card = {"held-out balanced accuracy": 0.925, "held-out balanced accuracy, linear": 0.913}
    session.classifier.take(FittedModel(**made_of("default"), card=card, blend=0.5), {uuid4(): 1})
    assert "network 0.925, linear 0.913" in panel.score.text()
    assert panel.plot.baseline.label.toPlainText() == "linear 0.913"
    assert panel.plot.baseline.value() == 0.913
    assert panel.plot.chosen.label.toPlainText() == "network 0.925"
    assert panel.plot.chosen.isVisible()
    session.job_started.emit("fit")
    assert not panel.plot.chosen.isVisible()


def test_a_curve_is_left_beside_the_linear_score_of_its_own_pixels(
    panel: FitPanel, session: Session
) -> None:
    session.job_started.emit("fit")
    session.job_reported.emit("fit", EpochReport("Network", 1, 8, 0.5, 0.95, 0.977))
    card = {"held-out balanced accuracy, linear": 0.767, "note": "linear is used"}
    session.classifier.take(FittedModel(**made_of("linear"), card=card), {uuid4(): 1})
    assert panel.plot.baseline.value() == 0.977
    assert panel.plot.baseline.label.toPlainText() == "linear, same pixels 0.977"
    assert "linear 0.767" in panel.score.text()


def test_a_stop_before_there_is_a_model_is_told(
    threaded: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_yet(_: object) -> Iterator[Progress]:
        while (yield Progress("Getting ready to fit")) is not STOP:
            pass
        raise JobStopped("stopped")

    monkeypatch.setattr(classifier, "fit_job", nothing_yet)
    panel = shown(FitPanel(Wiring(threaded)), qtbot)
    threaded.adopt(make_dataset())
    threaded.annotate(STROKES)
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.progress.text() == "Stopped before there was a model.")


def test_a_model_from_a_file_brings_no_curves_of_another(panel: FitPanel, session: Session) -> None:
    session.job_started.emit("fit")
    session.job_reported.emit("fit", EpochReport("Network", 1, 8, 0.5, 0.95, 0.977))
    card = {"held-out balanced accuracy, linear": 0.913}
    session.classifier.take(FittedModel(**made_of("linear"), card=card))
    assert panel.plot.baseline.value() == 0.913
    assert panel.plot.score.getData()[1] is None or not len(panel.plot.score.getData()[1])


def test_a_fit_of_other_slides_is_announced(panel: FitPanel, session: Session) -> None:
    session.adopt(make_dataset(name="first"))
    session.annotate(STROKES)
    assert panel.reason.isHidden()
    session.adopt(make_dataset(name="second"))
    assert panel.reason.text() == "Nothing is painted on second: a fit learns from first."
    assert panel.fit.isEnabled()


def test_slides_without_a_common_mz_are_named(panel: FitPanel, session: Session) -> None:
    session.adopt(make_dataset(name="low"))
    session.annotate(STROKES)
    assert panel.fit.isEnabled()
    low = make_dataset()
    mz = MassAxis(low.mass_axis.mz + 1000)
    values = np.array([low.spectrum(i).intensity for i in range(low.n_spectra)])
    session.adopt(InMemoryDataset.from_matrix(mz, values, low.pixels, "high"))
    session.annotate(STROKES)
    assert panel.reason.text() == (
        "low (m/z 600 to 1000) and high (m/z 1600 to 2000) have no m/z in common: close one of "
        "them, or erase its labels."
    )
    assert not panel.fit.isEnabled()
    session.close_slide(session.slides[1])
    assert panel.fit.isEnabled()


def test_a_failed_fit_leaves_the_words_of_the_model_before(
    panel: FitPanel, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(request: object) -> Job[EpochReport, str]:
        yield EpochReport("Network", 1, 8, 0.5)
        raise ImsTumorError("It failed.")

    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    before = panel.progress.text(), panel.score.text()
    assert before[0]
    monkeypatch.setattr(classifier, "fit_job", fails)
    session.classifier.fit(FitConfig("linear"))
    qtbot.wait(20)
    assert (panel.progress.text(), panel.score.text()) == before
    assert panel.plot.isVisible()


def test_advice_for_an_idle_gpu(panel: FitPanel) -> None:
    panel._show_device(DeviceNote("CPU (2 cores)", "Run: pip install torch"))
    assert panel.device.text() == "Computes on CPU (2 cores)"
    assert panel.advice.isVisible()


def endless(request: object) -> Job[EpochReport, str]:
    for epoch in itertools.count():
        # An epoch lets go of the interpreter now and then; a bare loop would starve the window.
        time.sleep(0.002)
        if (yield EpochReport("Network", epoch, 100_000, 0.5)) is STOP:
            return f"best of {epoch}"
    raise AssertionError("counting has no end")


def test_stop_ends_a_running_fit_and_keeps_its_best(
    threaded: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    monkeypatch.setattr(classifier, "fit_job", endless)
    monkeypatch.setattr(classifier.Classifier, "take", lambda _, *fit: taken.append(fit[0]))
    monkeypatch.setattr(classifier.Classifier, "_predict_with", lambda *_: None)
    panel = shown(FitPanel(Wiring(threaded)), qtbot)
    threaded.adopt(make_dataset())
    threaded.annotate(STROKES)
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    assert not panel.fit.isEnabled()
    assert panel.stop.isEnabled()
    assert panel.reason.isHidden(), "the running fit is told by its progress"
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.plot.isVisible)
    qtbot.mouseClick(panel.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(taken), timeout=1000)
    assert str(taken[0]).startswith("best of ")
    assert panel.fit.isEnabled()
    assert not panel.stop.isEnabled()


def test_a_fit_that_was_ended_goes_on(panel: FitPanel, session: Session, qtbot: QtBot) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig(device="cpu", epochs=2, steps=40))
    assert "limit of 40 steps" in panel.score.text()
    assert panel.go_on.isVisible()
    session.annotate(np.where(STROKES == 1, STROKES, 0).astype(np.uint8))
    assert not panel.go_on.isVisible(), "other strokes are another fit"
    session.annotate(STROKES)
    session.classifier.fit(FitConfig(device="cpu", epochs=2, steps=40))
    assert panel.go_on.isVisible()
    qtbot.mouseClick(panel.go_on, Qt.MouseButton.LeftButton)
    assert not panel.go_on.isVisible()
    assert list(panel.plot.loss.getData()[0]) == [1, 2], "one curve"
    assert "limit" not in panel.score.text()


def test_a_fit_that_breaks_leaves_the_button_and_one_message(
    threaded: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: object) -> Job[EpochReport, str]:
        yield EpochReport("Network", 1, 10, 0.5)
        raise RuntimeError("CUDA out of memory")

    failed: list[str] = []
    monkeypatch.setattr(classifier, "fit_job", broken)
    panel = shown(FitPanel(Wiring(threaded)), qtbot)
    threaded.failed.connect(failed.append)
    threaded.adopt(make_dataset())
    threaded.annotate(STROKES)
    qtbot.mouseClick(panel.fit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(failed))
    assert "CUDA out of memory" in failed[0]
    assert panel.fit.isEnabled()
    assert panel.progress.isHidden()


def test_the_device_is_named_for_a_slide_of_the_reader_too(
    qtbot: QtBot, wiring: Wiring, session: Session
) -> None:
    dataset = make_dataset()
    session.adopt(dataset, run_inline(survey(dataset)))
    panel = shown(FitPanel(wiring), qtbot)
    assert panel.device.text().startswith("Computes on ")
