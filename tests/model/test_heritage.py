from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.heritage import kept_words, with_classes
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy


@pytest.fixture(scope="module")
def base(build: Any) -> FittedModel:
    model: FittedModel = build.fitted(build.distant_gate(300, 64, 0), epochs=6)
    assert model.has_cnn
    return model


def test_the_same_classes_are_the_same_model(base: FittedModel) -> None:
    assert with_classes(base, base.class_names) is base
    assert kept_words(base, base.class_names) is None


def test_classes_in_another_order_or_case_give_the_same_answers(
    build: Any, base: FittedModel
) -> None:
    values = build.distant_gate(40, 64, 1).values
    turned = with_classes(base, ("Tumor", "Healthy "))
    expected = predict_matrix(replace(base, temperature=None), values)
    assert np.allclose(predict_matrix(turned, values), expected[:, ::-1], atol=1e-5)


def test_a_new_class_begins_between_those_known(build: Any, base: FittedModel) -> None:
    values = build.distant_gate(40, 64, 1).values
    wider = with_classes(base, ("healthy", "tumor", "necrosis"))
    found, before = (predict_matrix(m, values) for m in (wider, base))
    assert (found[:, :2].argmax(axis=1) == before.argmax(axis=1)).all()
    assert not wider.calibrated
    assert kept_words(base, wider.class_names) == (
        "kept of the base: m/z axis and normalization, the blocks of the CNN, what it knew of "
        "healthy, tumor; new: necrosis"
    )


def test_a_model_of_other_classes_helps_with_these(build: Any) -> None:
    """Tumor here is tumor there: ten pixels suffice where a new fit would need many."""

    def noisy(n: int, seed: int) -> Any:
        return build.spectra(n=n, bins=400, seed=seed, signal=8.0)

    few = replace(noisy(10, 1), class_names=("stroma", "tumor"))
    start = build.fitted(noisy(300, 0), network="linear")
    tuned, new = (build.fitted(few, model, network="linear") for model in (start, None))
    test = noisy(400, 2)
    scores = [balanced_accuracy(predict_matrix(m, test.values), test.classes) for m in (tuned, new)]
    assert scores[0] > scores[1]
    assert "what it knew of tumor; new: stroma; not kept: healthy" in str(tuned.card["note"])


def test_a_network_that_nothing_can_judge_is_kept(build: Any, base: FittedModel) -> None:
    few = replace(build.distant_gate(9, 64, 3), class_names=("healthy", "tumor", "necrosis"))
    few = replace(few, classes=np.arange(9) % 3, groups=np.zeros(9, np.int64))
    tuned = build.fitted(few, base)
    assert np.array_equal(tuned.weights["cnn.stem.weight"], base.weights["cnn.stem.weight"])
    assert tuned.weights["cnn.output.weight"].shape[0] == 3
    assert "the blocks of the CNN" in str(tuned.card["note"])


def test_nothing_in_common_begins_anew_on_the_axis_of_the_base(
    build: Any, base: FittedModel
) -> None:
    few = replace(build.spectra(n=40, bins=64), class_names=("gray matter", "white matter"))
    few = replace(few, axis=base.axis)
    tuned = build.fitted(few, base, network="linear")
    assert tuned.class_names == few.class_names
    assert "not kept: healthy, tumor" in str(tuned.card["note"])
    assert "what it knew" not in str(tuned.card["note"])
    assert balanced_accuracy(predict_matrix(tuned, few.values), few.classes) > 0.9
