"""What a model knows of its limits: in its file, on simulated tissue, and on a real array."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import REAL_DATA

from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.checkpoint import FORMAT_VERSION, model_bytes, model_from_bytes
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.judging import unfamiliarity_of
from napari_ims_tumor.model.predicting import predict
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.trust import COMPONENTS, LIMIT, Trust
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide

SIZE: dict[str, Any] = {"rows": 36, "columns": 60, "channels": 400, "patients": 8}


def scores(model: FittedModel, values: FloatArray) -> Float32Array:
    assert model.trust.familiarity is not None
    return unfamiliarity_of(model, values)


def spectra_of(slide: SimulatedSlide) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All spectra, their labels and their patients (0: glass)."""
    pixels = slide.dataset.pixels
    where = (pixels.rows, pixels.columns)
    values = np.asarray(slide.dataset.content.intensity)
    return values, slide.labels[where].astype(int), slide.patients[where].astype(int)


@pytest.fixture(scope="module")
def slide() -> SimulatedSlide:
    return simulate_slide(make_recipe(**SIZE, seed=3))


@pytest.fixture(scope="module")
def model(slide: SimulatedSlide, build: Any) -> FittedModel:
    values, labels, patients = spectra_of(slide)
    known = (labels > 0) & (patients > 0)
    axis = MassAxis(slide.dataset.content.mz)
    spectra = LabelledSpectra(
        values[known], labels[known] - 1, patients[known], axis, group_kind="group"
    )
    fitted: FittedModel = build.fitted(spectra, network="linear")
    return fitted


def test_glass_noise_and_another_organ_are_unfamiliar(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    values, _, patients = spectra_of(slide)
    other = spectra_of(simulate_slide(make_recipe(**SIZE, seed=77)))
    rng = np.random.default_rng(0)
    shuffled = values[patients > 0][:, rng.permutation(values.shape[1])]
    foreign = {
        "glass": values[patients == 0],
        "another organ": other[0][other[2] > 0],
        "noise": rng.poisson(5, (200, values.shape[1])),
        "peaks elsewhere": shuffled,
    }
    told = {name: float((scores(model, rows) > 1).mean()) for name, rows in foreign.items()}
    assert min(told.values()) >= 0.95, told


def test_new_patients_and_a_new_batch_are_familiar(model: FittedModel) -> None:
    for number, batch in ((1, 0), (2, 1)):
        values, _, patients = spectra_of(simulate_slide(make_recipe(**SIZE, seed=3), number, batch))
        assert (scores(model, values[patients > 0]) > 1).mean() <= 0.05


def test_how_bright_a_slide_is_makes_nothing_unfamiliar(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    values = spectra_of(slide)[0]
    assert np.allclose(scores(model, values), scores(model, 7 * values), rtol=1e-3)


def test_a_slide_says_how_much_of_it_is_unfamiliar(
    slide: SimulatedSlide, model: FittedModel
) -> None:
    made = run_inline(predict(model, slide.dataset, "cpu"))
    told = slide.dataset.pixels.as_image(unfamiliarity_of(model, spectra_of(slide)[0]))
    assert made.unfamiliarity is not None
    assert np.allclose(made.unfamiliarity, told, rtol=1e-4, equal_nan=True)
    patients = slide.patients
    measured = slide.dataset.pixels.measured
    assert np.array_equal(np.isfinite(made.unfamiliarity), measured)
    assert made.unfamiliar[measured & (patients == 0)].mean() >= 0.95
    assert not made.unfamiliar[~measured].any()
    n = int(made.unfamiliar.sum())
    assert made.unfamiliar_words is not None
    assert made.unfamiliar_words.startswith(f"{n:,} of {int(measured.sum()):,} pixels are unlike")
    values, names = made.planes(uncertainty=True)
    assert names[-1].startswith("unfamiliarity")
    assert np.array_equal(values[-1], made.unfamiliarity, equal_nan=True)


def test_labels_of_two_patients_give_a_cautious_guess_that_finds_glass(
    slide: SimulatedSlide, build: Any
) -> None:
    values, labels, patients = spectra_of(slide)
    known = (labels > 0) & np.isin(patients, (1, 2))
    axis = MassAxis(slide.dataset.content.mz)
    spectra = LabelledSpectra(
        values[known], labels[known] - 1, patients[known], axis, group_kind="region"
    )
    fitted = build.fitted(spectra, network="linear")
    assert "a cautious guess: too few separate regions" in str(fitted.card["unfamiliar"])
    assert fitted.trust.answers is None
    assert (scores(fitted, values[patients == 0]) > 1).mean() > 0.9
    assert (scores(fitted, values[patients > 2]) > 1).mean() < 0.05


@pytest.mark.parametrize("network", ["default", "isotopenet"])
def test_every_network_knows_its_limits(build: Any, network: str) -> None:
    fitted = build.fitted(build.spectra(n=80, n_groups=8), network=network, epochs=1)
    assert fitted.trust.familiarity is not None
    assert fitted.trust.answers is not None
    strange = np.zeros((3, 50), np.float32)
    strange[:, 7] = 1000
    assert (scores(fitted, strange) > 1).all()


def test_limits_come_back_from_a_file_and_belong_to_the_model(model: FittedModel) -> None:
    back = model_from_bytes(model_bytes(model), "model")
    assert model_bytes(back) == model_bytes(model)
    values = np.random.default_rng(0).random((5, len(model.axis)))
    assert np.array_equal(scores(back, values), scores(model, values))
    assert replace(model, trust=Trust()).model_id != model.model_id


def test_a_file_of_before_opens_and_tells_nothing(
    model: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_ims_tumor.model.checkpoint.FORMAT_VERSION", 1)
    old = model_bytes(replace(model, trust=Trust()))
    monkeypatch.undo()
    assert FORMAT_VERSION > 1
    back = model_from_bytes(old, "old")
    assert back.trust.familiarity is None
    assert back.trust.answers is None
    assert back.model_id == replace(model, trust=Trust()).model_id


def test_damaged_limits_are_refused(model: FittedModel) -> None:
    class Half(Trust):
        def arrays(self) -> dict[str, Float32Array]:
            return {LIMIT: np.ones(1, np.float32)}

    class Negative(Trust):
        def arrays(self) -> dict[str, Float32Array]:
            known = model.trust.arrays()[COMPONENTS]
            return {COMPONENTS: known, LIMIT: -np.ones(1, np.float32)}

    class TooWide(Trust):
        def arrays(self) -> dict[str, Float32Array]:
            wide = np.zeros((99, len(model.axis)), np.float32)
            return {COMPONENTS: wide, LIMIT: np.ones(1, np.float32)}

    for kind in (Half, Negative, TooWide):
        with pytest.raises(ModelFileError):
            model_from_bytes(model_bytes(replace(model, trust=kind())), "model")


@pytest.mark.real_data
def test_cores_of_a_real_array_that_are_new_are_mostly_familiar(build: Any) -> None:
    """Four fits, each without five cores of the bladder array."""
    folder = REAL_DATA / "bladder_tma1"
    with open_imzml(folder / "TMA1.imzML") as dataset:
        values = np.concatenate([np.asarray(b.intensity) for b in dataset.blocks()])
        pixels, axis = dataset.pixels, dataset.mass_axis
    assert axis is not None
    place = (pixels.rows + pixels.origin[0], pixels.columns + pixels.origin[1])
    labels = np.load(Path(folder) / "TMA1_labels.npy")[place].astype(int) - 1
    cores = np.load(Path(folder) / "TMA1_cores.npy")[place].astype(int)
    alarms, found = [], []
    rng = np.random.default_rng(0)
    for part in range(4):
        new = np.isin(cores, np.unique(cores)[part::4])
        spectra = LabelledSpectra(values[~new], labels[~new], cores[~new], axis, group_kind="group")
        fitted = build.fitted(spectra, network="linear")
        unfamiliar = scores(fitted, values[new]) > 1
        alarms += [unfamiliar[cores[new] == core].mean() for core in np.unique(cores[new])]
        found.append((scores(fitted, values[new][:, rng.permutation(len(axis))]) > 1).mean())
    assert np.mean(alarms) <= 0.05
    assert min(found) >= 0.95


def test_what_is_not_sure_gets_no_answer(slide: SimulatedSlide, model: FittedModel) -> None:
    made = run_inline(predict(model, slide.dataset, "cpu"))
    assert model.trust.answers is not None
    confidence = model.trust.answers.confidence_for(0.97)
    assert confidence is not None
    unsure = made.unsure(0.97)
    best = made.probabilities.max(axis=0)
    assert np.array_equal(unsure, np.nan_to_num(best, nan=1.0) < np.float32(confidence))
    assert f"below {confidence:.2f}, from which on 97%" in made.unsure_words(0.97)
    answered = made.planes(accuracy=0.97)[0][-1]
    assert np.array_equal(answered == 0, unsure | made.unfamiliar)
    assert np.array_equal(np.isfinite(answered), slide.dataset.pixels.measured)


def test_a_model_that_cannot_abstain_says_why(slide: SimulatedSlide, model: FittedModel) -> None:
    made = run_inline(predict(replace(model, trust=Trust()), slide.dataset, "cpu"))
    assert made.unfamiliar_words is None
    with pytest.raises(ModelFileError, match="cannot say when"):
        made.unsure(0.95)
