from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_ims_tumor

MANIFEST = Path(napari_ims_tumor.__file__).with_name("napari.yaml")
COMMANDS = PluginManifest.from_file(MANIFEST).contributions.commands


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.id)
def test_every_command_can_be_called(command):
    module, name = command.python_name.split(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_everything_offered_is_a_command():
    offered = PluginManifest.from_file(MANIFEST).contributions
    ids = {command.id for command in COMMANDS}
    used = [*offered.readers, *offered.writers, *offered.sample_data, *offered.widgets]
    assert {item.command for item in used} <= ids
    assert [widget.display_name for widget in offered.widgets] == ["IMS Tumor"]


def test_npe2_finds_it_valid():
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(MANIFEST)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_opens():
    from napari_ims_tumor.viewer.sample_data import simulated_slide

    assert [kind for _, _, kind in simulated_slide()] == ["image"] * 5
