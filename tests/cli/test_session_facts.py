from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import napari_ims_tumor as ims
from napari_ims_tumor.cli import main
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    first, second = ims.simulate(folder, rows=16, columns=20, channels=60, slides=2)
    session = Session(InlineRunner(), Autosave(folder / "autosave"))
    session.open(second.imzml)
    session.open(first.imzml)
    session.annotate(np.load(first.labels))
    session.classifier.fit(FitConfig("linear"))
    session.files.save_session(folder / "study.imstumor")
    return folder / "study.imstumor"


def test_info_says_what_is_in_a_session(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(saved), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    labels = np.load(next(saved.parent.glob("simulated_1_labels.npy")))
    second, first = facts["slides"]
    assert first["labelled"] == {
        "healthy": int((labels == 1).sum()), "tumor": int((labels == 2).sum())
    }  # fmt: skip
    assert second["labelled"] == {"healthy": 0, "tumor": 0}
    assert first["relative_path"] == "simulated_1.imzML"
    assert facts["active"] == 1
    assert first["predicted_by"] == facts["model"]["model_id"]
    assert second["predicted_by"] is None
    assert "n tumor" in facts["model"]["card"]
    assert main(["info", str(saved)]) == 0
    told = capsys.readouterr()
    assert f"{first['labelled']['tumor']} tumor, predicted" in told.out
    assert "linear model" in told.out


def test_a_slide_that_moved_is_no_reason_not_to_say(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone.imstumor"
    alone.write_bytes(saved.read_bytes())
    assert main(["info", str(alone)]) == 0
    alone.write_bytes(saved.read_bytes()[:100])
    assert main(["info", str(alone)]) == 2
    assert "alone.imstumor: " in capsys.readouterr().err
