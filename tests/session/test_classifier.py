"""Fit, stop, predict: why not, and what stays when something goes wrong."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from tests.session.conftest import two_tissues

from napari_ims_tumor.job import Progress
from napari_ims_tumor.model import predicting
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import EpochReport
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.session.classifier import first_look

LINEAR = FitConfig(network="linear")
SHORT = FitConfig(network="default", epochs=3)


def test_each_reason_not_to_fit_is_said_in_its_turn(session, slide, strokes) -> None:
    why = session.classifier.why_not_fit
    assert why() == "Open a slide first."
    session.adopt(slide)
    assert "Nothing is labelled" in str(why())
    session.annotate(np.where(strokes == 1, strokes, 0).astype(np.uint8))
    assert "No tumor pixel" in str(why())
    session.annotate(strokes)
    assert why() is None


def test_fitting_too_little_says_why_and_changes_nothing(session, ear, slide) -> None:
    session.adopt(slide)
    session.classifier.fit(LINEAR)
    assert "Nothing is labelled" in ear["failed"][0][0]
    assert session.classifier.model is None


@pytest.mark.parametrize("config", [LINEAR, SHORT])
def test_fit_then_overlay(session, ear, slide, strokes, config) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(config)
    assert ear["failed"] == []
    assert session.classifier.model is not None
    tumor = session.active.prediction.probabilities[1]
    assert tumor.shape == (12, 10)
    assert np.isnan(tumor[3, 4])
    right = slide.pixels.measured & (np.arange(10) >= 5)
    left = slide.pixels.measured & (np.arange(10) < 5)
    assert (tumor[right] > 0.5).mean() > 0.9
    assert (tumor[left] < 0.5).mean() > 0.9


def test_the_linear_answer_comes_before_the_network(session, ear, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(SHORT)
    reports = [report for (report,) in ear["fit_reported"]]
    first = next(i for i, report in enumerate(reports) if report.preview is not None)
    assert reports[first].preview.network.network == "linear"
    assert any(report.loss is not None for report in reports[first:])
    assert len(ear["predicted"]) >= 2


def test_a_fit_that_was_ended_goes_on_with_the_same_strokes_only(
    session, ear, slide, strokes
) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(SHORT)
    whole = session.classifier.model
    assert not session.classifier.can_go_on, "it came to its end"
    session.classifier.fit(replace(SHORT, steps=40))
    assert session.classifier.can_go_on
    shown = len(ear["predicted"])
    session.classifier.go_on()
    assert model_bytes(session.classifier.model) == model_bytes(whole)
    assert len(ear["predicted"]) == shown + 1, "no lesser answer in between"
    session.classifier.fit(replace(SHORT, steps=40))
    session.annotate(np.where(strokes == 1, 2, strokes).astype(np.uint8))
    assert not session.classifier.can_go_on


def test_painting_on_makes_the_overlay_stale(session, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(LINEAR)
    assert not session.active.prediction_is_stale
    more = strokes.copy()
    more[11, 0] = 1
    session.annotate(more)
    assert session.active.prediction_is_stale


def drive(job, until: float = 1.0) -> list:
    """Reports of a job until it has said nothing new for a while."""
    begun, found = time.monotonic(), []
    while time.monotonic() - begun < until:
        try:
            found.append(next(job))
        except StopIteration:
            break
    return found


def a_fit_of(*reports):
    yield from reports


def test_a_fit_waits_until_its_first_answer_is_seen(monkeypatch) -> None:
    first, later = EpochReport("first", preview="a model"), EpochReport("later")
    seen = threading.Event()
    job = first_look(a_fit_of(first, later), seen)
    assert next(job) is first
    assert all(isinstance(report, Progress) for report in drive(job, 0.2))
    seen.set()
    assert drive(job) == [later]
    # Not for ever: a large slide takes its time, and so does the fit.
    monkeypatch.setattr("napari_ims_tumor.session.classifier.FIRST_LOOK_S", 0.1)
    assert drive(first_look(a_fit_of(first, later), threading.Event()))[-1] is later


def predicting_slowly(session, monkeypatch) -> list:
    """Show half of every prediction; returns what is shown, with the slide's own record then."""
    monkeypatch.setattr("napari_ims_tumor.session.classifier.PREVIEW_EVERY_S", 0.0)
    blocks = predicting.binned_blocks

    def one_by_one(*args):
        for indices, values in blocks(*args):
            for at in range(0, len(indices), 20):
                yield indices[at : at + 20], values[at : at + 20]

    monkeypatch.setattr(predicting, "binned_blocks", one_by_one)
    seen = []
    session.previewed.connect(lambda half: seen.append((half, session.active.prediction)))
    return seen


def test_half_a_prediction_is_shown_and_kept_nowhere(
    session, ear, slide, strokes, monkeypatch
) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(LINEAR)
    before = session.active.prediction
    seen = predicting_slowly(session, monkeypatch)
    session.classifier.predict()
    assert len(seen) >= 2
    assert all(own is before for _, own in seen)
    measured = np.isfinite(before.probabilities).sum()
    assert all(np.isfinite(half.prediction.probabilities).sum() < measured for half, _ in seen)
    assert np.isfinite(session.active.prediction.probabilities).sum() == measured
    assert not session.classifier.left_half


def test_a_stopped_prediction_changes_nothing(session, ear, slide, strokes, monkeypatch) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(LINEAR)
    before = session.active.prediction
    seen = predicting_slowly(session, monkeypatch)
    session.previewed.connect(lambda _: session.classifier.stop_predicting())
    session.classifier.predict()
    assert len(seen) == 1
    assert session.classifier.left_half
    assert session.active.prediction is before
    assert ear["failed"] == []
    session.classifier.predict()
    assert session.active.prediction is before


def test_a_model_from_a_file_predicts_as_before(session, ear, slide, strokes, tmp_path) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(SHORT)
    before = session.active.prediction.probabilities
    path = tmp_path / "tumor.safetensors"
    session.files.save_model(path)
    session.classifier.model = None
    session.files.load_model(path)
    session.classifier.predict()
    np.testing.assert_array_equal(session.active.prediction.probabilities, before)
    assert not session.active.prediction_is_stale
    assert ear["failed"] == []


def test_a_file_that_is_no_model_leaves_the_old_one(session, ear, slide, strokes, tmp_path) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(LINEAR)
    kept = session.classifier.model
    path = tmp_path / "tumor.safetensors"
    path.write_bytes(b"\x80\x04\x95 a pickle in disguise")
    session.files.load_model(path)
    assert session.classifier.model is kept
    assert "tumor.safetensors" in ear["failed"][0][0]


def test_a_model_of_another_mass_range_is_refused_with_both(session, ear, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(LINEAR)
    before = session.active.prediction
    far = replace(slide.content, mz=MassAxis(np.linspace(2000, 2039, 40)).mz)
    session.adopt(replace(slide, content=far, name="far"))
    session.classifier.predict()
    message = ear["failed"][-1][0]
    assert "500" in message
    assert "2000" in message
    assert session.slides[0].prediction is before
    assert session.active.prediction is None


def test_a_model_of_other_ions_is_refused_with_both(session, ear, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(LINEAR)
    model = session.classifier.model
    session.classifier.model = replace(model, card={**model.card, "polarity": "positive"})
    assert session.classifier.why_not_predict() is None, "the slide states nothing"
    object.__setattr__(slide, "metadata", {"polarity": "negative"})
    before = session.active.prediction
    session.classifier.predict()
    assert "positive ions" in ear["failed"][-1][0]
    assert "negative ones" in ear["failed"][-1][0]
    assert session.active.prediction is before


def test_predicting_without_a_model_says_why(session, ear, slide) -> None:
    session.classifier.predict()
    session.adopt(slide)
    session.classifier.predict()
    reasons = [message for (message,) in ear["failed"]]
    assert reasons == ["Open a slide first.", "Fit a model or open one first."]


def test_fine_tuning_starts_from_a_model(session, ear, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(SHORT)
    base = session.classifier.model
    session.classifier.fit(replace(SHORT, tune="head"), base)
    assert ear["failed"] == []
    assert session.classifier.model is not base
    assert session.classifier.model.axis == base.axis


def test_labels_are_saved_and_read_back(session, ear, slide, strokes, tmp_path) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    for name in ("labels.npy", "labels.tif"):
        session.files.save_labels(tmp_path / name)
        session.annotate(np.zeros_like(strokes))
        session.files.load_labels(tmp_path / name)
        np.testing.assert_array_equal(session.active.annotation.labels, strokes)
    assert ear["failed"] == []
    assert session.active.labels_path == tmp_path / "labels.tif"


def test_a_slide_that_was_not_painted_on_is_predicted_once(session, ear, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.adopt(two_tissues("other", seed=1))
    session.classifier.fit(FitConfig(network="linear"))
    assert any(report.preview is not None for (report,) in ear["fit_reported"])
    [(predicted,)] = ear["predicted"]
    assert predicted.name == "other"


def test_empty_spectra_are_told_once(session, ear, slide, strokes) -> None:
    values = slide.content.intensity.copy()
    values[:4] = 0
    session.adopt(type(slide).from_matrix(slide.mass_axis, values, slide.pixels, "holed"))
    session.annotate(strokes)
    session.classifier.fit(SHORT)
    session.classifier.predict()
    assert len(ear["predicted"]) > 2
    said = [text for (text,) in ear["noticed"] if "no finding" in text]
    assert said == [
        "holed: 4 spectra hold nothing in the model's m/z range: what is predicted there is no "
        "finding."
    ]


def test_what_was_chosen_for_the_fit_predicts_too(session, slide, strokes, monkeypatch) -> None:
    asked, predict = [], predicting.predict

    def watched(model, dataset, device="auto", preview_every_s=1.0):
        asked.append(device)
        return predict(model, dataset, device, preview_every_s)

    monkeypatch.setattr(predicting, "predict", watched)
    mine, later = Computing("cpu", "float32", deterministic=True), Computing("cpu", "bfloat16")
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(replace(LINEAR, device="cpu", precision="float32", deterministic=True))
    session.classifier.chosen = later
    session.classifier.predict()
    assert len(asked) > 2, "first answers, the finished model, and what was asked for"
    assert set(asked) == {mine}
    asked.clear()
    session.classifier.take(session.classifier.model)
    session.classifier.predict()
    session.classifier.reopen(session.classifier.model, {}, ())
    session.classifier.predict()
    assert asked == [later] * 2, "nobody knows what computed a model of a file"
