from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from napari_ims_tumor.model import epoch_choice
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
