"""``--memory`` reaches whatever reads a slide, in commands and in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_commands import cohort, model, run  # noqa: F401

import napari_ims_tumor as ims
from napari_ims_tumor.errors import MemoryBudgetError
from napari_ims_tumor.model.checkpoint import model_bytes

COMMANDS = {
    "info": ["info", "{first}"],
    "check": ["check", "{first}"],
    "ion-image": ["ion-image", "{first}", "--mz", "700", "-o", "{out}/i.npy"],
    "labels": ["labels", "{first}", "{labels}", "-o", "{out}/l.geojson"],
    "fit": ["fit", "{first}", "{labels}", "--network", "linear", "-o", "{out}/m.safetensors"],
    "predict": ["predict", "{model}", "{second}", "-o", "{out}/p.npy"],
    "evaluate": ["evaluate", "--cohort", "{table}", "--networks", "linear", "-o", "{out}/r"],
    "validate": ["evaluate", "--cohort", "{table}", "--model", "{model}", "-o", "{out}/v"],
    "export": ["export", "{first}", "--peaks", "3", "-o", "{out}/e.csv"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_reads_slides_takes_a_budget(
    cohort,  # noqa: F811
    model,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
    name,
):
    """Where the option did not arrive, the variable would be asked, which is nonsense here."""
    monkeypatch.setenv("IMS_TUMOR_MEMORY", "plenty")
    command = [part.format(**vars(cohort), model=model, out=tmp_path) for part in COMMANDS[name]]
    assert run(*command) == 2
    assert "The variable IMS_TUMOR_MEMORY: 'plenty' is no amount of memory" in (
        capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []
    assert run(*command, "--memory", "1.5GiB") == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("lots", "'lots' is no amount of memory: write 2GB, 500MB or 1.5GiB"),
        ("100MB", "100 MB of memory are too little for a slide: the smallest that works is 256 MB"),
    ],
)
def test_a_budget_that_cannot_be_is_told_in_one_line(cohort, capsys, given, said):  # noqa: F811
    assert run("info", cohort.first, "--memory", given) == 2
    assert said in capsys.readouterr().err


def test_python_takes_it_too(cohort, model, monkeypatch):  # noqa: F811
    monkeypatch.setenv("IMS_TUMOR_MEMORY", "plenty")
    with pytest.raises(MemoryBudgetError, match="plenty"):
        ims.open_imzml(cohort.first)
    enough = {"memory_budget": "1GB"}
    with ims.open_imzml(cohort.first, **enough) as slide:
        assert slide.n_spectra
    assert ims.predict(model, cohort.first, **enough).probabilities.shape[0] == 2
    fitted = ims.fit(cohort.first, cohort.labels, network="linear", **enough)
    same = ims.fit(cohort.first, cohort.labels, network="linear", memory_budget="256MB")
    assert model_bytes(fitted) == model_bytes(same)
    assert ims.fit_cohort(cohort.table, network="linear", **enough).class_names
    report = ims.evaluate(cohort.table, ("linear",), 2, **enough)
    assert np.isfinite(report.as_dict()["networks"]["linear"]["balanced_accuracy"])
    assert ims.validate(model, cohort.table, **enough).as_dict()
    assert Path(cohort.first).exists()
