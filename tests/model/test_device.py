from __future__ import annotations

import pytest
import torch

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model import device
from napari_ims_tumor.model.computing import Computing


def test_cpu_and_auto_always_exist() -> None:
    assert device.resolve_device("cpu").type == "cpu"
    assert device.resolve_device("auto").type in ("cpu", "cuda", "mps")


def test_auto_takes_an_apple_gpu_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.resolve_device("auto").type == "mps"
    assert device.describe_device() == device.DeviceNote("Apple GPU")
    assert device.describe_device("cpu").name.startswith("CPU")


@pytest.mark.parametrize("name", ["gpu", "cuda:97", "nonsense"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(FitRefused, match=name):
        device.resolve_device(name)


def test_a_gpu_that_does_not_compute_in_bfloat16_is_not_asked_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(FitRefused, match=r"Apple GPU does not compute in bfloat16: use .* float32"):
        device.prepare(Computing("mps", "bfloat16"))
    assert device.prepare(Computing("mps")).type == "mps"
    assert device.prepare(Computing("cpu", "bfloat16", deterministic=True)).type == "cpu"


def test_a_gpu_is_told_to_repeat_itself_before_it_is_asked_what_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(device, "may_repeat", lambda insist=False: asked.append(f"may {insist}"))
    monkeypatch.setattr(device, "why_unusable", lambda _: asked.append("code"))
    monkeypatch.setattr(device, "make_repeatable", lambda _: asked.append("repeat"))
    monkeypatch.setattr(device, "has_bfloat16", lambda _: asked.append("bfloat16") or True)
    device.prepare(Computing("cuda", "bfloat16", deterministic=True))
    assert asked == ["may True", "may False", "code", "repeat", "bfloat16"]


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch can use CUDA")
def test_an_idle_gpu_is_pointed_out_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_has_nvidia_driver", lambda: True)
    assert "pip install" in str(device.describe_device().advice)
    monkeypatch.setattr(device, "_has_nvidia_driver", lambda: False)
    assert device.describe_device().advice is None
