from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_ims_tumor.job import outcome_of, run_inline
from napari_ims_tumor.model import predictor
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.predicting import PredictionReport, predict
from napari_ims_tumor.model.presets import Built, build_network
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

INPUTS = np.random.default_rng(0).normal(size=(9, 60)).astype(np.float32)
NOTES = [
    "GPU memory ran out: batches of 2 spectra now",
    "GPU memory ran out: batches of 1 spectra now",
    "GPU memory ran out: continuing on the CPU",
]


class Tight(DilatedNetwork):
    """A network in whose first steps memory ends some times."""

    failures = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.failures:
            self.failures -= 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super().forward(inputs)


def tight(config: NetworkConfig, failures: int) -> Tight:
    network = Tight(config)
    network.load_state_dict(build_network(config, 3).state_dict())
    torch.nn.init.normal_(network.output.weight, generator=torch.Generator().manual_seed(0))
    network.failures = failures
    return network


def test_out_of_memory_halves_the_batch_then_moves_to_the_cpu_visibly() -> None:
    config = NetworkConfig.for_axis("default", 60, 2)
    expected = outcome_of(Batches(tight(config, 0)).logits(INPUTS))
    batches = Batches(tight(config, 3))
    batches.sparing.size = 4
    assert np.allclose(outcome_of(batches.logits(INPUTS)), expected, atol=1e-6)
    assert batches.notes == NOTES
    assert np.allclose(outcome_of(batches.logits(INPUTS)), expected, atol=1e-6)
    assert batches.notes == NOTES, "what fits is known by now"


def test_no_spectra_have_no_logits() -> None:
    batches = Batches(tight(NetworkConfig.for_axis("default", 60, 2), 0))
    assert outcome_of(batches.logits(INPUTS[:0])).shape == (0, 2)


def test_a_prediction_says_that_memory_ended(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spectra = build.distant_gate(300, 60, 0)
    model = build.fitted(spectra, epochs=1)
    assert model.has_cnn
    pixels = PixelGrid(*np.divmod(np.arange(300), 20), (15, 20), (50.0, 50.0))
    slide = InMemoryDataset.from_matrix(spectra.axis, spectra.values, pixels, "slide")
    expected = run_inline(predict(model, slide, "cpu"))
    assert expected.note == ""
    whole = predictor._network

    def short_of_memory(*given: Any) -> Built:
        network = tight(model.network, 1)
        network.load_state_dict(whole(*given).state_dict())
        return network

    monkeypatch.setattr(predictor, "_network", short_of_memory)
    seen: list[PredictionReport] = []
    made = run_inline(predict(model, slide, "cpu"), seen.append)
    assert np.allclose(made.probabilities, expected.probabilities, atol=1e-5, equal_nan=True)
    assert made.note.startswith("GPU memory ran out: batches of ")
    assert seen[-1].phase == f"Predicting · {made.note}"
