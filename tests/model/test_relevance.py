from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.config import Network, NetworkConfig
from napari_ims_tumor.model.fitted_model import CNN_PREFIX, FittedModel, linear_weights
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.presets import build_network, inputs_of, load_weights
from napari_ims_tumor.model.relevance import (
    Attributed,
    Attribution,
    Explainer,
    attribute,
    contrast,
)
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.mass_axis import MassAxis

BINS = 96
CLASSES = ("healthy", "tumor", "necrosis")
VALUES = np.random.default_rng(1).gamma(2, 20, (5, BINS)).astype(np.float32)
OTHERS = np.random.default_rng(2).gamma(2, 20, (5, BINS)).astype(np.float32)


def random_model(network: Network, blend: float, n_classes: int = 2, seed: int = 0) -> FittedModel:
    """Weights drawn at random: relevance must hold for any function, not for good ones only."""
    rng = np.random.default_rng(seed)
    config = NetworkConfig.for_axis(network, BINS, n_classes)
    normalization = InputNormalization.learn(
        root_of_shares(rng.gamma(2, 20, (40, BINS)).astype(np.float32))
    )
    linear = LinearPath(rng.normal(0, 0.1, (n_classes, BINS)), rng.normal(0, 1, n_classes))
    weights = linear_weights(normalization, linear)
    if network != "linear":
        cnn = build_network(config, seed)
        with torch.no_grad():
            # At the start the last layer is 0 and nothing would be explained.
            cnn.output.weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(seed))
        weights |= {
            CNN_PREFIX + name: value.numpy()
            for name, value in cnn.state_dict().items()
            if value.is_floating_point()
        }
    axis = MassAxis(np.linspace(600.0, 700.0, BINS))
    return FittedModel(weights, config, axis, CLASSES[:n_classes], blend, temperature=1.7)


class WholeAnswer(nn.Module):
    """The answer as a plain module, written down a second time: what captum is shown."""

    def __init__(self, model: FittedModel, target: str) -> None:
        super().__init__()
        self.share = model.blend
        self.weight = torch.from_numpy(np.array(model.linear.weight))
        self.cnn = build_network(model.network, 0)
        load_weights(self.cnn, model.weights)
        others = [-1 / (len(model.class_names) - 1)] * len(model.class_names)
        others[model.class_names.index(target)] = 1.0
        self.contrast = torch.tensor(others) / float(model.temperature or 1)

    def forward(self, inputs: Tensor) -> Tensor:
        logits = (1 - self.share) * inputs @ self.weight.T + self.share * self.cnn(inputs)
        answer: Tensor = logits @ self.contrast
        return answer


def shown(model: FittedModel, values: Float32Array) -> tuple[Tensor, Tensor]:
    """The inputs of a network, and the mean of what it was fitted to."""
    own, network = model.normalization, model.network.network
    inputs = inputs_of(network, own, root_of_shares(values))
    mean = inputs_of(network, own, own.center[None])
    return torch.from_numpy(inputs), torch.from_numpy(mean)


def between(model: FittedModel, target: str, how: Attribution) -> Attributed:
    """What leads from each of the others to each of the values."""
    return run_inline(Explainer(model, target, how, "cpu").steps(VALUES, OTHERS))


@pytest.mark.parametrize(
    ("network", "blend"),
    [("default", 0.6), ("default", 1.0), ("faithful", 1.0), ("isotopenet", 1.0)],
)
@pytest.mark.parametrize("target", CLASSES)
def test_it_is_what_captum_finds(network: Network, blend: float, target: str) -> None:
    model = random_model(network, blend, n_classes=3)
    inputs, mean = shown(model, VALUES)
    whole = WholeAnswer(model, target).eval()
    expected = IntegratedGradients(whole).attribute(
        inputs, mean.expand_as(inputs), n_steps=24, method="gausslegendre"
    )
    found = attribute(model, VALUES, target, Attribution(steps=24), "cpu").bins
    assert abs(found - expected.numpy()).max() <= 1e-4 * abs(expected.numpy()).max()


@pytest.mark.parametrize(("network", "blend"), [("default", 0.6), ("faithful", 1.0)])
@pytest.mark.parametrize("target", CLASSES[1:])
def test_from_spectrum_to_spectrum_it_is_what_captum_finds(
    network: Network, blend: float, target: str
) -> None:
    model = random_model(network, blend, n_classes=3)
    inputs, _ = shown(model, VALUES)
    start, _ = shown(model, OTHERS)
    whole = WholeAnswer(model, target).eval()
    expected = IntegratedGradients(whole).attribute(
        inputs, start, n_steps=24, method="gausslegendre"
    )
    found = between(model, target, Attribution(steps=24)).bins
    assert abs(found - expected.numpy()).max() <= 1e-4 * abs(expected.numpy()).max()


def test_the_quick_one_is_what_captum_finds() -> None:
    model = random_model("default", 0.6)
    inputs, _ = shown(model, VALUES)
    expected = InputXGradient(WholeAnswer(model, "tumor").eval()).attribute(inputs).detach()
    found = attribute(model, VALUES, "tumor", Attribution("gradient x input"), "cpu").bins
    assert abs(found - expected.numpy()).max() <= 1e-4 * abs(expected.numpy()).max()


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), network=st.sampled_from(["default", "isotopenet"]))
def test_nothing_is_left_over(seed: int, network: Network) -> None:
    """Completeness: the bins add up to the way from the mean spectrum's answer to this one."""
    model = random_model(network, 0.5 if network == "default" else 1.0, seed=seed)
    values = np.random.default_rng(seed).gamma(1, 20, (3, BINS)).astype(np.float32)
    found = attribute(model, values, "tumor", Attribution(steps=128), "cpu")
    assert abs(found.left_over).max() <= 0.03 * max(abs(found.moved).max(), 1.0)


def test_the_bins_add_up_to_the_answer_that_is_predicted() -> None:
    model = random_model("default", 0.4)
    found = attribute(model, VALUES, "tumor", device="cpu")
    tumor = predict_matrix(model, VALUES, "cpu")[:, 1].astype(np.float64)
    # Two classes: the logit of one minus the other is the log odds.
    odds = np.log(tumor / (1 - tumor))
    assert np.allclose(np.diff(found.moved), np.diff(odds), atol=1e-4)


def test_a_linear_model_is_explained_exactly() -> None:
    model = random_model("linear", 0.0)
    weight = (model.linear.weight[1] - model.linear.weight[0]) / 1.7
    expected = weight * model.normalization.apply(root_of_shares(VALUES))
    for how in (Attribution(), Attribution("gradient x input")):
        found = attribute(model, VALUES, "tumor", how, "cpu")
        assert np.allclose(found.bins, expected, atol=1e-6)
        assert np.allclose(found.left_over, 0, atol=1e-6)


@pytest.mark.parametrize("blend", [0.0, 0.6])
def test_from_spectrum_to_spectrum_is_the_difference_of_the_answers(blend: float) -> None:
    model = random_model("default" if blend else "linear", blend)
    found = between(model, "tumor", Attribution(steps=128))
    values, others = (attribute(model, v, "tumor", device="cpu").moved for v in (VALUES, OTHERS))
    assert np.allclose(found.moved, values - others, atol=1e-4)
    assert abs(found.left_over).max() <= 0.03 * abs(found.moved).max()


def test_two_peaks_that_decide_together_and_what_decides_which_are_found(
    build: Any, gate_fit: tuple[Any, FittedModel]
) -> None:
    """From the mean of the fitted spectra only six of the nine bins are."""
    spectra, model = build.distant_gate(400, 200, 1), gate_fit[1]
    tumor, healthy = (spectra.values[spectra.classes == c][:100] for c in (1, 0))
    explainer = Explainer(model, "tumor", Attribution(steps=8), "cpu")
    found = run_inline(explainer.steps(tumor, healthy)).bins.mean(axis=0)
    planted = {int(place * 200) + side for place in (0.1, 0.5, 0.9) for side in (-1, 0, 1)}
    first = set(np.argsort(-abs(found))[:9].tolist())
    assert len(first & planted) >= 8, first


def test_an_empty_spectrum_has_nothing_to_explain() -> None:
    empty = np.zeros((1, BINS), np.float32)
    found = attribute(random_model("default", 0.6), empty, "tumor", device="cpu")
    assert np.allclose(found.bins, 0, atol=1e-6)
    assert np.allclose(found.moved, 0, atol=1e-6)


def test_no_spectrum_is_no_failure() -> None:
    found = attribute(random_model("default", 0.6), VALUES[:0], "tumor", device="cpu")
    assert found.bins.shape == (0, BINS)


def test_two_classes_are_each_others_opposite() -> None:
    model = random_model("default", 0.6)
    one, other = (attribute(model, VALUES, name, device="cpu").bins for name in CLASSES[:2])
    assert np.allclose(one, -other, atol=1e-5)


def test_a_batch_is_explained_as_each_spectrum_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_ims_tumor.model import relevance

    model = random_model("default", 0.6)
    together = attribute(model, VALUES, "tumor", Attribution(steps=7), "cpu").bins
    # Three places at a time: batches begin and end in the middle of a spectrum's way.
    monkeypatch.setattr(relevance, "GRADIENT_NUMBERS", 3 * model.network.widest)
    apart = attribute(model, VALUES, "tumor", Attribution(steps=7), "cpu").bins
    assert np.allclose(together, apart, atol=1e-5)
    pairs = between(model, "tumor", Attribution(steps=7)).bins
    explainer = Explainer(model, "tumor", Attribution(steps=7), "cpu")
    one = run_inline(explainer.steps(VALUES[3:4], OTHERS[3:4])).bins
    assert np.allclose(pairs[3], one[0], atol=1e-5)


def test_where_memory_ends_an_explanation_takes_smaller_steps_then_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_ims_tumor.model import relevance

    model, how = random_model("default", 0.6), Attribution(steps=7)
    expected = attribute(model, VALUES, "tumor", how, "cpu")
    monkeypatch.setattr(relevance, "GRADIENT_NUMBERS", 4 * model.network.widest)
    explainer = Explainer(model, "tumor", how, "cpu")
    slope, left = explainer._slope, iter(range(5))

    def tight(*given: Any) -> Any:
        if next(left, 0) % 5 in (1, 2, 3):
            raise RuntimeError("CUDA error: out of memory")
        return slope(*given)

    monkeypatch.setattr(explainer, "_slope", tight)
    found = run_inline(explainer.steps(VALUES))
    assert np.allclose(found.bins, expected.bins, atol=1e-5)
    assert explainer.notes == [
        "GPU memory ran out: batches of 2 spectra now",
        "GPU memory ran out: batches of 1 spectra now",
        "GPU memory ran out: continuing on the CPU",
    ]


def test_where_memory_ends_at_the_last_answers_that_is_noted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    explainer = Explainer(random_model("default", 0.6), "tumor", Attribution(steps=2), "cpu")
    answer, full = Batches._answer, [torch.cuda.OutOfMemoryError("CUDA out of memory")]

    def tight(*given: Any) -> Any:
        if full:
            raise full.pop()
        return answer(*given)

    monkeypatch.setattr(Batches, "_answer", tight)
    run_inline(explainer.steps(VALUES))
    assert [note.partition(":")[0] for note in explainer.notes] == ["GPU memory ran out"]


def test_the_model_is_left_as_it_was() -> None:
    model = random_model("default", 0.6)
    before = model.model_id
    attribute(model, VALUES, "tumor", device="cpu")
    assert replace(model).model_id == before


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(QueryError, match="no class 'cancer': use healthy or tumor"):
        contrast(CLASSES[:2], "cancer")
    with pytest.raises(QueryError, match="0 steps"):
        Attribution(steps=0)
    with pytest.raises(QueryError, match="use integrated gradients or gradient x input"):
        Attribution("saliency")  # type: ignore[arg-type]
