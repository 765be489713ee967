"""When, where and with which versions a report was made: all of it that may differ next time."""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("napari-ims-tumor", "torch", "numpy", "scipy", "scikit-learn", "scikit-image")


def circumstances(device: str) -> dict[str, Any]:
    """Date, versions and machine in words; no name of a person, a host or a folder.

    Parameters
    ----------
    device
        What computed, as asked for: ``"auto"``, ``"cpu"``, …
    """
    from napari_ims_tumor.model.device import describe_device

    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {"Python": platform.python_version(), **_versions()},
        "machine": machine(),
        "device": describe_device(device).name,
    }


def machine() -> str:
    """System, processor and cores in words."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    return f"{system} {platform.machine()}, {_processor()}, {cores} CPU cores"


def _processor() -> str:
    """The processor's name where the system tells it."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if named:
            return named[0]
    return platform.processor() or "unknown processor"


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
