from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.model.config import NETWORKS, NetworkConfig
from napari_ims_tumor.model.fit_run import EpochReport
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.widgets.fit_words import (
    KINDS,
    LIKE_CHANCE,
    OPTIMISTIC,
    duration,
    fitted_words,
    model_score_words,
    score_words,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0.4, "0 s"), (12, "12 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"),
     (7260, "2 h 1 min")],
)  # fmt: skip
def test_durations_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_every_network_has_a_name() -> None:
    assert tuple(KINDS) == NETWORKS


def test_only_a_score_that_chose_something_is_called_optimistic() -> None:
    report = EpochReport("Network on held-out groups", held_out_score=0.91, linear_score=0.9)
    plain = "Held-out balanced accuracy: network 0.910, linear 0.900"
    assert score_words(report) == plain
    assert score_words(replace(report, is_optimistic=True)) == f"{plain}\n{OPTIMISTIC}"
    linear = EpochReport("Linear model on held-out groups", held_out_score=0.9, linear_score=0.9)
    assert score_words(linear) == "Held-out balanced accuracy: linear 0.900"


def test_a_finished_model_is_told_by_its_own_scores() -> None:
    card = {"held-out balanced accuracy": 0.86, "held-out balanced accuracy, linear": 0.86}
    linear = FittedModel(**made_of("linear"), card={**card, "note": "linear is used"})
    plain = "Held-out balanced accuracy: linear 0.860; 0.5 is chance"
    assert model_score_words(linear) == f"{plain}\nlinear is used"
    network = FittedModel(**made_of("default"), card=card, blend=0.5)
    assert model_score_words(network).startswith(
        "Held-out balanced accuracy: network 0.860, linear 0.860; 0.5 is chance\n" + OPTIMISTIC
    )
    unjudged = FittedModel(**made_of("linear"), card={"note": "nothing could judge a CNN"})
    assert model_score_words(unjudged) == "nothing could judge a CNN"
    assert model_score_words(FittedModel(**made_of("linear"))) == ""


@pytest.mark.parametrize(
    ("score", "groups", "like_chance"),
    [(0.475, 8, True), (0.6, 8, True), (0.7, 8, False), (0.6, 200, False), (0.7, None, True)],
)
def test_a_model_like_chance_is_not_called_ready(
    score: float, groups: int | None, like_chance: bool
) -> None:
    card = {"held-out balanced accuracy, linear": score, "groups": groups}
    words = fitted_words(FittedModel(**made_of("linear"), card=card))
    assert words.startswith(LIKE_CHANCE if like_chance else "Model ready:")
    assert "linear model, healthy / tumor" in words


def test_a_model_without_a_score_is_not_called_like_chance() -> None:
    assert fitted_words(FittedModel(**made_of("linear"))).startswith("Model ready:")


def made_of(network: str) -> dict[str, Any]:
    axis = MassAxis(np.arange(100.0, 132.0))
    shape = NetworkConfig.for_axis(network, len(axis), 2)
    return {"weights": {}, "network": shape, "axis": axis, "class_names": ("healthy", "tumor")}
