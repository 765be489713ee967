from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_ims_tumor.cli import main


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("explain")
    size = ("--rows", 32, "--columns", 40, "--channels", 800)
    assert run("simulate", "-o", folder, *size, "--signal", "local") == 0
    slide = folder / "simulated_1.imzML"
    labels, groups = (folder / f"simulated_1_{kind}.npy" for kind in ("labels", "patients"))
    model = folder / "model.safetensors"
    asked = ("fit", slide, labels, "--groups", groups, "-o", model, "--network", "linear")
    assert run(*asked) == 0
    return SimpleNamespace(folder=folder, slide=slide, labels=labels, groups=groups, model=model)


def test_a_class_is_explained_with_what_each_peak_says_alone(made, capsys) -> None:
    table = made.folder / "relevance.csv"
    beside = ("--labels", made.labels, "--groups", made.groups)
    assert run("explain", made.model, made.slide, *beside, "--top", 5, "-o", table) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 6
    assert lines[0].split() == ["m/z", "isotopes", "share", "toward", "AUC", "adj.", "p"]
    assert all(("tumor" in line or "healthy" in line) and "–" not in line for line in lines[1:])
    assert "labelled as tumor" in err
    assert "labelled as healthy" in err
    assert "groups that hold both" in err
    assert "above 0.5 it is higher in tumor" in err
    assert "not what causes or marks the tumor" in err
    assert table.read_text().startswith("# explained: ")


def test_a_pixel_is_explained(made, capsys) -> None:
    assert run("explain", made.model, made.slide, "--pixel", "12,8", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["explained"] == "row 12, column 8 of simulated_1"
    assert len(facts["peaks"]) == 20
    assert facts["peaks"][0]["auc"] is None
    assert facts["left_over"] < 1e-4


def test_without_labels_it_says_what_is_missing(made, capsys) -> None:
    assert run("explain", made.model, made.slide, "--class", "healthy", "--pixels", 10) == 0
    out, err = capsys.readouterr()
    assert "–" in out
    assert "give them by --labels" in err
    assert "predicted as healthy" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--pixel", "5"), "give ROW,COLUMN"),
        (("--pixel", "5,9", "--class", "tumor"), "not allowed with"),
        (("--pixel", "999,0"), "row 999, column 0"),
        (("--class", "cancer"), "no class 'cancer'"),
        (("--quick", "--steps", "5"), "the quick way has none"),
        (("-o", "table.txt"), "tables are written as .csv"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(made, capsys, options, message) -> None:
    assert run("explain", made.model, made.slide, *options) == 2
    assert message in capsys.readouterr().err


def test_an_input_is_not_overwritten(made, capsys) -> None:
    table = Path(made.folder / "groups.csv")
    table.write_bytes(made.groups.read_bytes())
    asked = ("--labels", made.labels, "--groups", table, "-o", table)
    assert run("explain", made.model, made.slide, *asked) == 2
    assert "is read by this command" in capsys.readouterr().err
