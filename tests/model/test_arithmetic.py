"""bfloat16, on a CPU: slow there, and the same sums as on a GPU that is made for it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.arithmetic import computing_facts, forward_pass, is_bfloat16
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.checkpoint import model_bytes, model_from_bytes
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import Network, NetworkConfig
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.presets import Built, build_network
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet

CNNS: tuple[Network, ...] = ("default", "isotopenet", "faithful")
CPU, CUDA, APPLE = (torch.device(kind) for kind in ("cpu", "cuda", "mps"))
TOLERANCE = 0.01
"""Of a probability: bfloat16 keeps 8 bits, and the last layer rounds no more."""


def taught(network: Network, computing: Computing, bins: int = 600) -> tuple[Trainer, list[float]]:
    rng = np.random.default_rng(0)
    inputs = np.abs(rng.normal(size=(16, bins))).astype(np.float32)
    trainer = Trainer(
        NetworkConfig.for_axis(network, bins, 2),
        TrainingSet(inputs, np.arange(16) % 2, 2),
        0,
        computing,
    )
    return trainer, [outcome_of(trainer.epoch()) for _ in range(6)]


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), False), ((8, 0), True), ((12, 0), True)]
)
def test_auto_is_bfloat16_on_gpus_made_for_it_and_nowhere_else(
    capability: tuple[int, int], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert is_bfloat16("auto", CUDA) is expected
    assert not is_bfloat16("float32", CUDA)
    assert not is_bfloat16("auto", CPU)
    assert not is_bfloat16("auto", APPLE)
    assert is_bfloat16("bfloat16", CPU)


@pytest.mark.parametrize("network", CNNS)
def test_convolutions_are_in_few_bits_and_the_last_layer_is_not(network: Network) -> None:
    built = build_network(NetworkConfig.for_axis(network, 600, 2), 0)
    seen = watched(built)
    with forward_pass("bfloat16", CPU):
        logits = built(torch.rand(4, 600))
    assert torch.bfloat16 in seen["products"]
    assert seen["last layer"] == {torch.float32}
    assert logits.dtype == torch.float32
    seen["products"].clear()
    built(torch.rand(4, 600))
    assert seen["products"] == {torch.float32}, "what is asked outside is as it was"


def watched(built: Built) -> dict[str, set[torch.dtype]]:
    """What the first block gives, and what the last layer is given."""
    seen: dict[str, set[torch.dtype]] = {"products": set(), "last layer": set()}
    first: Any = built.blocks[0]
    conv = first.conv if hasattr(first, "conv") else first.conv1

    def given(_layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen["last layer"].add(inputs[0].dtype)

    def found(_layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen["products"].add(output.dtype)

    conv.register_forward_hook(found)
    built.output.register_forward_pre_hook(given)
    return seen


def test_what_blocks_add_up_is_not_rounded_between_them() -> None:
    built = build_network(NetworkConfig.for_axis("default", 600, 2), 0)
    with forward_pass("bfloat16", CPU), torch.inference_mode():
        assert built.features(torch.rand(4, 600)).dtype == torch.float32


@pytest.mark.parametrize("network", CNNS)
def test_a_network_learns_in_few_bits_with_weights_and_optimizer_in_full(network: Network) -> None:
    trainer, losses = taught(network, Computing("cpu", "bfloat16"))
    assert min(losses[-2:]) < 0.95 * losses[0]
    assert {value.dtype for value in trainer.network.parameters()} == {torch.float32}
    moments = trainer.learner.optimizer.state_dict()["state"].values()
    assert {value.dtype for state in moments for value in state.values()} == {torch.float32}
    assert {values.dtype for values in trainer.weights().values()} == {np.dtype(np.float32)}
    other = taught(network, Computing("cpu", "float32"))[0].weights()
    own = trainer.weights()
    assert any(not np.array_equal(own[name], other[name]) for name in own), "it did nothing"


@pytest.mark.parametrize("network", CNNS)
def test_answers_in_few_bits_are_those_in_full_within_the_tolerance(network: Network) -> None:
    trainer, _ = taught(network, Computing("cpu"))
    inputs = trainer.data.inputs
    found = {p: Batches(trainer.network, p) for p in ("float32", "bfloat16")}  # type: ignore[arg-type]
    full, few = (softmax(outcome_of(one.logits(inputs))) for one in found.values())
    assert full.dtype == few.dtype == np.float32
    assert 0 < np.abs(full - few).max() < TOLERANCE


def test_a_fit_in_few_bits_says_so_on_its_card_and_is_stored_in_full(build: Any) -> None:
    few = build.fitted(build.spectra(), network="isotopenet", epochs=1, precision="bfloat16")
    assert few.card["precision"] == "bfloat16"
    read = model_from_bytes(model_bytes(few), "few.safetensors")
    assert {values.dtype for values in read.weights.values()} == {np.dtype(np.float32)}
    values = build.spectra(seed=1).values
    full, rounded = (
        predict_matrix(read, values, Computing("cpu", p)) for p in ("float32", "bfloat16")
    )
    assert np.abs(full - rounded).max() < TOLERANCE
    usual = build.fitted(build.spectra(), network="isotopenet", epochs=1)
    assert not {"precision", "deterministic"} & set(usual.card)


def test_a_card_says_how_a_gpu_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert computing_facts(Computing(), CUDA) == {"precision": "bfloat16", "deterministic": False}
    full = Computing("auto", "float32", deterministic=True)
    assert computing_facts(full, CUDA) == {"precision": "float32", "deterministic": True}
    assert computing_facts(full, CPU) == {}


def test_another_thread_computes_in_full_meanwhile() -> None:
    seen: list[torch.dtype] = []
    with forward_pass("bfloat16", CPU):
        ask = threading.Thread(target=lambda: seen.append((torch.rand(2, 2) @ torch.rand(2)).dtype))
        ask.start()
        ask.join()
        seen.append((torch.rand(2, 2) @ torch.rand(2)).dtype)
    assert seen == [torch.float32, torch.bfloat16]
