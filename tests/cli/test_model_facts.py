"""``info`` of a model file: its card, as a list and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import napari_ims_tumor as ims
from napari_ims_tumor.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    [files] = ims.simulate(folder, rows=16, columns=20, channels=60)
    labels = np.load(files.labels)
    fitted = ims.fit(files.imzml, labels, network="linear")
    ims.write_model(folder / "tumor.safetensors", fitted.with_note("painted in a hurry"))
    return folder / "tumor.safetensors"


def test_info_tells_what_a_model_is(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = ims.read_model(model)
    assert main(["info", str(model), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model_id"] == written.model_id
    assert facts["mz_range"] == [written.axis.low, written.axis.high]
    assert (facts["network"], facts["n_bins"]) == ("linear", 60)
    assert facts["calibrated"] is written.calibrated
    assert facts["card"] == dict(written.card)


def test_the_list_has_the_counts_and_the_sentences_stand_beside_it(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(model)]) == 0
    told = capsys.readouterr()
    rows = dict(line.split("  ", 1) for line in told.out.splitlines())
    assert int(rows["n tumor"]) == ims.read_model(model).card["n tumor"]
    assert "note" not in rows
    assert "painted in a hurry" in told.err


def test_what_is_no_model_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing of the kind")
    assert main(["info", str(broken)]) == 2
    assert "broken.safetensors" in capsys.readouterr().err
