from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from napari_ims_tumor.errors import FitFailed, FitRefused, ModelFileError
from napari_ims_tumor.job import Job, run_inline
from napari_ims_tumor.model.checkpoint import model_bytes, write_model
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fit_run import EpochReport
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.unfinished import OTHER_FIT, Unfinished
from napari_ims_tumor.model.unfinished_file import (
    KEY,
    _digest,
    read_unfinished,
    unfinished_path,
    write_unfinished,
)

CONFIG = FitConfig(device="cpu", epochs=2)


def stopped(job: Job[EpochReport, FittedModel], epoch: int, phase: str = "Network") -> FittedModel:
    """The model of a fit that is stopped in the middle of the epoch after this one."""
    seen: list[EpochReport] = []

    def is_there() -> bool:
        return seen[-1].phase.startswith(phase) and seen[-1].epoch >= epoch

    return run_inline(job, seen.append, is_there)


@pytest.fixture(scope="module")
def spectra(build: Any) -> LabelledSpectra:
    found: LabelledSpectra = build.distant_gate(300, 60, 0)
    return found


@pytest.fixture(scope="module")
def whole(spectra: LabelledSpectra) -> FittedModel:
    model = run_inline(fit(spectra, CONFIG))
    assert model.has_cnn
    assert model.unfinished is None
    return model


@pytest.fixture(scope="module")
def half(spectra: LabelledSpectra) -> FittedModel:
    return stopped(fit(spectra, CONFIG), 1)


@pytest.fixture(scope="module")
def unfinished(half: FittedModel) -> Unfinished:
    assert half.unfinished is not None
    return half.unfinished


def written(model: Path, unfinished: Unfinished) -> Path:
    assert unfinished.model is not None
    write_model(model, unfinished.model)
    assert write_unfinished(model, unfinished) == unfinished_path(model)
    return unfinished_path(model)


def test_a_fit_that_goes_on_gives_the_model_of_one_that_was_never_stopped(
    spectra: LabelledSpectra, whole: FittedModel, unfinished: Unfinished, tmp_path: Path
) -> None:
    model = tmp_path / "tumor.safetensors"
    written(model, unfinished)
    seen: list[EpochReport] = []
    for earlier in (unfinished, read_unfinished(model, None)):
        seen.clear()
        assert model_bytes(run_inline(fit(spectra, CONFIG, earlier), seen.append)) == (
            model_bytes(whole)
        )
    told = [r.epoch for r in seen if r.phase == "Network on held-out groups" and r.loss]
    assert sorted(set(told)) == [1, 2], "the curves are whole"


def test_stopped_at_the_very_end_it_goes_on_to_the_end(
    spectra: LabelledSpectra, whole: FittedModel
) -> None:
    last = stopped(fit(spectra, CONFIG), 0, "Network on all labels")
    assert "has not seen a part of the groups" in str(last.card["note"])
    assert last.unfinished is not None
    assert model_bytes(run_inline(fit(spectra, CONFIG, last.unfinished))) == model_bytes(whole)


def test_a_fit_that_ran_out_of_time_goes_on(spectra: LabelledSpectra) -> None:
    short = run_inline(fit(spectra, replace(CONFIG, steps=40)))
    assert "ended by its limit of 40 steps after 1 of 2 epochs" in str(short.card["note"])
    assert short.unfinished is not None
    longer = run_inline(fit(spectra, replace(CONFIG, steps=40), short.unfinished))
    assert [record.epoch for record in longer.history] == [1, 2]
    assert longer.unfinished is None


def test_a_fine_tuning_goes_on_from_its_base(
    build: Any, whole: FittedModel, spectra: LabelledSpectra
) -> None:
    more, config = build.distant_gate(120, 60, 5), replace(CONFIG, tune="head")
    base = replace(whole, class_names=("normal", "tumor"))
    ended = stopped(fit(more, config, base), 0)
    assert ended.unfinished is not None
    assert ended.unfinished.base is base
    went_on = run_inline(fit(more, config, ended.unfinished))
    assert model_bytes(went_on) == model_bytes(run_inline(fit(more, config, base)))


def test_ended_again_before_it_went_on_nothing_is_lost(
    spectra: LabelledSpectra, half: FittedModel, unfinished: Unfinished
) -> None:
    assert half.has_cnn
    again = stopped(fit(spectra, CONFIG, unfinished), 0, "Linear")
    assert model_bytes(again) == model_bytes(half)
    assert again.unfinished is not None
    assert again.unfinished.trainers is unfinished.trainers


def test_other_labels_or_settings_are_another_fit(
    spectra: LabelledSpectra, unfinished: Unfinished
) -> None:
    others = (
        (replace(spectra, classes=1 - spectra.classes), CONFIG),
        (replace(spectra, groups=spectra.groups + 1), CONFIG),
        (replace(spectra, values=spectra.values + 1), CONFIG),
        (spectra, replace(CONFIG, seed=1)),
    )
    for labels, config in others:
        with pytest.raises(FitRefused, match=OTHER_FIT[:30]):
            next(fit(labels, config, unfinished))


def test_a_file_that_is_absent_or_damaged_is_one_sentence(
    spectra: LabelledSpectra, half: FittedModel, unfinished: Unfinished, tmp_path: Path
) -> None:
    model = tmp_path / "tumor.safetensors"
    with pytest.raises(ModelFileError, match="no such file"):
        read_unfinished(model, None)
    path = written(model, unfinished)
    write_model(model, replace(half, blend=0.25))
    with pytest.raises(ModelFileError, match="another model"):
        read_unfinished(model, None)
    write_model(model, half)
    content = bytearray(path.read_bytes())
    for at in (3, 200, len(content) // 2, len(content) - 9):
        bad = content.copy()
        bad[at] ^= 0xFF
        path.write_bytes(bad)
        with pytest.raises(ModelFileError, match="damaged"):
            read_unfinished(model, None)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="damaged"):
        read_unfinished(model, None)
    trainers = ({"step": np.array(1)}, *unfinished.trainers[1:])
    with pytest.raises(ModelFileError, match="damaged"):
        run_inline(fit(spectra, CONFIG, replace(unfinished, trainers=trainers)))


def with_words(content: bytes, seal: bool = False, **changes: object) -> bytes:
    """The same file with other words in its description, with a digest of them if asked."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    about = {**json.loads(header["__metadata__"][KEY]), **changes}
    if seal:
        about["digest"] = _digest(about, load(content))
    text = json.dumps({**header, "__metadata__": {KEY: json.dumps(about)}}).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


CHANGES: tuple[dict[str, object], ...] = (
    {"best": [1e-9, 1, 0.0, 0.9999]}, {"best": [0.4, -5, 0.0, None]}, {"best": [0.4, 1, 7, None]},
    {"best": [10**400, 1, 0.0, None]}, {"best": [float("nan"), 1, 0.0, None]}, {"best": 3},
    {"folds": [[1, 2], "x"]}, {"folds": 0}, {"trainers": 1}, {"trainers": 10**9}, {"doubted": "no"},
    {"history": [{"epoch": 7, "loss": 0.1}]}, {"history": [{"epoch": 1, "loss": float("inf")}]},
    {"history": [{"os": "system"}]}, {"history": 5}, {"mark": 3},
)  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES)
def test_words_that_were_changed_are_refused(
    unfinished: Unfinished, tmp_path: Path, changes: dict[str, object]
) -> None:
    model = tmp_path / "tumor.safetensors"
    path = written(model, unfinished)
    content = path.read_bytes()
    path.write_bytes(with_words(content, seal=True))
    assert read_unfinished(model, None).best.loss == unfinished.best.loss
    path.write_bytes(with_words(content, **changes))
    with pytest.raises(ModelFileError, match="damaged"):
        read_unfinished(model, None)
    if changes != CHANGES[0]:  # which a fit could have left
        path.write_bytes(with_words(content, seal=True, **changes))
        with pytest.raises(ModelFileError, match="damaged"):
            read_unfinished(model, None)


def test_a_file_of_another_version_is_one_sentence(unfinished: Unfinished, tmp_path: Path) -> None:
    model = tmp_path / "tumor.safetensors"
    path = written(model, unfinished)
    path.write_bytes(with_words(path.read_bytes(), version=1))
    with pytest.raises(ModelFileError, match="by another version of this program"):
        read_unfinished(model, None)


def test_a_gpu_that_fails_is_not_taken_for_a_damaged_file(
    spectra: LabelledSpectra, unfinished: Unfinished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Trainer, "restore", failing)
    with pytest.raises(FitFailed, match="error of torch: CUDA error: an illegal"):
        run_inline(fit(spectra, CONFIG, unfinished))
