"""Which processor computes, and what to do when it is not the one it could be."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model.arithmetic import has_bfloat16
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.kernels import NEWEST, install, why_unusable
from napari_ims_tumor.model.repeatable import make_repeatable, may_repeat
from napari_ims_tumor.msi.turns import cpu_cores


@dataclass(frozen=True, slots=True)
class DeviceNote:
    """What computes, in words, and advice where a GPU lies idle.

    Attributes
    ----------
    name
        ``"CPU (2 cores)"``, ``"NVIDIA H200"``, ``"Apple GPU"``.
    advice
        The command that makes an idle GPU usable; ``None`` where there is nothing to do.
    """

    name: str
    advice: str | None = None


def resolve_device(name: str = "auto") -> torch.device:
    """Turn ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"`` into a device that works.

    Raises
    ------
    FitRefused
        The device does not exist here.
    """
    if name == "auto":
        return torch.device(_auto_kind())
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or not _is_available(device):
        advice = describe_device().advice
        hint = f" {advice}" if advice else " Use auto or cpu."
        raise FitRefused(f"The device {name!r} is not available here.{hint}")
    return device


def describe_device(name: str = "auto") -> DeviceNote:
    """Name the device a fit would use, with advice where torch cannot use the GPU."""
    device = resolve_device(name)
    if device.type == "cuda":
        return DeviceNote(torch.cuda.get_device_name(device))
    if device.type == "mps":
        return DeviceNote("Apple GPU")
    cores = cpu_cores()
    note = f"CPU ({cores} {'core' if cores == 1 else 'cores'})"
    return DeviceNote(note, _advice())


def _advice() -> str | None:
    """What would make an idle NVIDIA GPU usable."""
    if torch.version.cuda is None and _has_nvidia_driver():
        return f"There is an NVIDIA GPU, but this torch is CPU-only. Run: {install(NEWEST)}"
    return why_unusable(torch.device("cuda")) if torch.cuda.is_available() else None


def prepare(computing: Computing) -> torch.device:
    """Find the device, and see to it that it computes as asked.

    Raises
    ------
    FitRefused
        It is not there, or cannot compute so.
    """
    if computing.deterministic:
        may_repeat(insist=True)  # before anything uses a GPU
    device = resolve_device(computing.device)
    if computing.deterministic:
        make_repeatable(device)
    if computing.precision == "bfloat16" and device.type != "cpu" and not has_bfloat16(device):
        name = describe_device(computing.device).name
        raise FitRefused(f"{name} does not compute in bfloat16: use the precision auto or float32.")
    return device


def _auto_kind() -> str:
    if _is_available(torch.device("cuda")):
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _is_available(device: torch.device) -> bool:
    if device.type == "cuda":
        there = torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
        may_repeat()  # to ask a GPU anything is to use it
        return there and why_unusable(device) is None
    if device.type == "mps":
        return bool(torch.backends.mps.is_available())
    return device.type == "cpu"


def _has_nvidia_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()
