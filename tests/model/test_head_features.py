from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_ims_tumor.model import epoch_choice, head_features
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.msi.matrix_room import MatrixRoom


def test_where_only_the_head_is_tuned_each_spectrum_passes_the_rest_once(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch_choice, "NOTHING_LEFT", 0.0)
    monkeypatch.setattr(epoch_choice, "LEAST_GAIN", -9.0)
    base = build.fitted(build.distant_gate(300, 60, 0), epochs=1)
    assert base.has_cnn
    passed: list[int] = []
    real = DilatedNetwork._maps

    def counted(network: DilatedNetwork, inputs: torch.Tensor) -> torch.Tensor:
        passed.append(len(inputs))
        return real(network, inputs)

    monkeypatch.setattr(DilatedNetwork, "_maps", counted)
    spectra, room = build.distant_gate(120, 60, 5), MatrixRoom(0)
    tuned = build.fitted(spectra, base, tune="head", epochs=3)
    assert len(tuned.history) == 3
    assert sum(passed) == 120
    in_files = build.fitted(replace(spectra, room=room), base, tune="head", epochs=3)
    assert model_bytes(in_files) == model_bytes(tuned)


def test_a_gpu_that_is_full_leaves_it_to_the_cpu_and_that_is_told(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = build.fitted(build.distant_gate(300, 60, 0), epochs=1)
    spectra = build.distant_gate(120, 60, 5)
    expected = build.fitted(spectra, base, tune="head", epochs=1)
    real = torch.nn.Module.to

    def to(self: torch.nn.Module, where: Any) -> torch.nn.Module:
        if torch.device(where).type == "cuda":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(self, where)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(head_features, "resolve_device", lambda _: torch.device("cuda"))
    found = build.fitted(spectra, base, tune="head", epochs=1)
    assert "GPU memory ran out: continuing on the CPU" in str(found.card["note"])
    assert all(np.array_equal(v, found.weights[k]) for k, v in expected.weights.items())
