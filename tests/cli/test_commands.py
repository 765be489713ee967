"""The command line: the same work as the window, one line for what goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from pyimzml.ImzMLParser import ImzMLParser, getionimage

from napari_ims_tumor.cli import main
from napari_ims_tumor.cohort.cross_validation import evaluate
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

PROGRAM = "import sys; from napari_ims_tumor.cli import main; sys.exit(main())"
SIMULATE = ["--rows", "32", "--columns", "40", "--channels", "300", "--slides", "2"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("cohort")
    assert main(["simulate", "-o", str(folder), *SIMULATE]) == 0
    first, second = sorted(folder.glob("*.imzML"))
    table = folder / "cohort.csv"
    labels, patients = (first.with_name(f"{first.stem}_{k}.npy") for k in ("labels", "patients"))
    return SimpleNamespace(
        folder=folder, first=first, second=second, table=table, labels=labels, patients=patients
    )


@pytest.fixture(scope="module")
def model(cohort: SimpleNamespace) -> Path:
    path = cohort.folder / "tumor.safetensors"
    asked = ["fit", cohort.first, cohort.labels, "--groups", cohort.patients, "-o", path]
    assert run(*asked, "--network", "linear") == 0
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_info_tells_what_a_slide_is(cohort, capsys) -> None:
    assert run("info", cohort.first, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    parser = ImzMLParser(str(cohort.first), parse_lib="lxml")
    assert facts["n_spectra"] == len(parser.coordinates)
    assert facts["layout"] == "continuous"
    assert facts["pixel_size_um"] == [50.0, 50.0]
    assert run("info", cohort.first) == 0
    assert "50 × 50" in capsys.readouterr().out


def test_a_network_is_computed_as_asked_and_its_card_says_so(cohort, tmp_path, capsys) -> None:
    path, how = tmp_path / "few.safetensors", ("--device", "cpu", "--precision", "bfloat16")
    asked = ["fit", cohort.first, cohort.labels, "--network", "isotopenet", "--epochs", "1"]
    assert run(*asked, "-o", path, *how, "--deterministic") == 0
    capsys.readouterr()
    assert run("info", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["card"]["precision"] == "bfloat16"
    few, full = tmp_path / "few.npy", tmp_path / "full.npy"
    assert run("predict", path, cohort.first, "-o", few, *how, "--deterministic") == 0
    assert run("predict", path, cohort.first, "-o", full, "--device", "cpu") == 0
    apart = np.abs(np.load(few) - np.load(full))
    assert 0 < np.nanmax(apart) < 0.01
    report = tmp_path / "report"
    judged = ["evaluate", "--model", path, "--cohort", cohort.table, "-o", report]
    assert run(*judged, *how) == 0
    options = json.loads((report / "report.json").read_text(encoding="utf-8"))["options"]
    assert options == {"device": "cpu", "precision": "bfloat16", "deterministic": False}


def test_a_network_is_taught_with_what_was_asked_for(cohort, tmp_path, capsys) -> None:
    path = tmp_path / "shifted.safetensors"
    asked = ["fit", cohort.first, cohort.labels, "--network", "isotopenet", "--epochs", "1"]
    assert run(*asked, "-o", path, "--device", "cpu", "--augment", "mixing,gain") == 0
    capsys.readouterr()
    assert run("info", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["card"]["augmentation"] == "gain, mixing"
    assert run(*asked, "-o", path, "--augment", "noise") == 2
    assert "no 'noise': use shift, gain, peaks, mixing, or none" in one_line(
        capsys.readouterr().err
    )
    assert run(*asked, "-o", path, "--augment", "none,peaks") == 2
    assert "none asks for no change, and peaks for some" in one_line(capsys.readouterr().err)
    judged = ["evaluate", "--model", path, "--cohort", cohort.table, "-o", tmp_path / "report"]
    assert run(*judged, "--augment", "none") == 2
    assert "leave out --augment" in one_line(capsys.readouterr().err)


def test_check_says_fine_warnings_or_unreadable_by_its_exit_code(cohort, tmp_path, capsys) -> None:
    assert run("check", cohort.first) == 0
    copy = tmp_path / "copy.imzML"
    shutil.copy(cohort.first, copy)
    data = bytearray(cohort.first.with_suffix(".ibd").read_bytes())
    data[-1] ^= 1
    copy.with_suffix(".ibd").write_bytes(data)
    assert run("check", copy, "--json") == 1
    report = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))
    assert report["status"] == "warnings"
    copy.with_suffix(".ibd").write_bytes(data[: len(data) // 2])
    assert run("check", copy) == 2


def test_a_check_is_written_for_the_vendor(cohort, tmp_path, capsys) -> None:
    text, as_json = tmp_path / "report.txt", tmp_path / "report.json"
    assert run("check", cohort.first, "-o", text) == 0
    assert run("check", cohort.first, "-o", as_json) == 0
    report = json.loads(as_json.read_text("utf-8"))
    digest = hashlib.sha1(cohort.first.with_suffix(".ibd").read_bytes()).hexdigest()
    assert report["files"]["SHA-1 stated"] == report["files"]["SHA-1 found"] == digest
    assert report["checked"]["by"].startswith("napari-ims-tumor ")
    lines = text.read_text("utf-8").splitlines()
    assert lines[0] == f"Check of {cohort.first.name}: fine"
    assert any(line.split() == ["SHA-1", "found", digest] for line in lines)
    # Nothing of the machine is told: the report leaves the house.
    assert str(tmp_path) not in text.read_text("utf-8") + as_json.read_text("utf-8")
    capsys.readouterr()
    assert run("check", cohort.first, "-o", cohort.first) == 2
    assert "a check is written as .txt or .json" in one_line(capsys.readouterr().err)
    assert run("check", cohort.first, "-o", tmp_path / "no" / "report.txt") == 2
    assert "does not exist" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("ending", [".npy", ".ome.tif"])
def test_an_ion_image_equals_pyimzml(cohort, tmp_path, ending) -> None:
    out = tmp_path / f"ion{ending}"
    axis = ImzMLParser(str(cohort.first)).getspectrum(0)[0]
    mz = float(axis[100])
    assert run("ion-image", cohort.first, "--mz", mz, "--tolerance", "0.35Da", "-o", out) == 0
    image = np.load(out) if ending == ".npy" else tifffile.imread(out)
    parser = ImzMLParser(str(cohort.first))
    peer = getionimage(parser, mz, 0.35)
    rows, columns = image.shape
    seen = np.isfinite(image)
    np.testing.assert_allclose(image[seen], peer[:rows, :columns][seen], rtol=1e-6)
    assert seen.sum() == len(parser.coordinates)


@pytest.mark.parametrize(
    ("mz", "tolerance", "words"),
    [(99.0, "0.1Da", "is outside this slide"), (800.001, "0.001ppm", "tolerance too small")],
)
def test_a_window_without_any_measurement_is_told(
    cohort, tmp_path, capsys, mz, tolerance, words
) -> None:
    asked = ["ion-image", cohort.first, "--mz", mz, "--tolerance", tolerance]
    assert run(*asked, "-o", tmp_path / "a.npy") == 0
    assert words in capsys.readouterr().err
    values = np.load(tmp_path / "a.npy")
    assert np.nansum(values) == 0


def test_tic_normalization_divides_by_each_spectrum_s_own(cohort, tmp_path) -> None:
    raw, tic = tmp_path / "raw.npy", tmp_path / "tic.npy"
    window = ["--mz", 800, "--tolerance", "1Da"]
    assert run("ion-image", cohort.first, *window, "-o", raw) == 0
    assert run("ion-image", cohort.first, *window, "--normalize", "tic", "-o", tic) == 0
    parser = ImzMLParser(str(cohort.first))
    totals = [parser.getspectrum(i)[1].sum(dtype=float) for i in range(len(parser.coordinates))]
    shown, plain = np.load(tic), np.load(raw)
    seen = np.isfinite(plain)
    expected = plain[seen] * np.mean(totals) / np.array(totals)
    np.testing.assert_allclose(shown[seen], expected, rtol=1e-5)


def test_a_reference_peak_and_the_maximum_of_a_window(cohort, tmp_path) -> None:
    out = tmp_path / "a.npy"
    asked = ["ion-image", cohort.first, "--mz", 800, "--tolerance", "1Da", "-o", out]
    assert run(*asked, "--reduce", "max", "--normalize", "reference:805:0.5Da") == 0
    shown, facts = np.load(out), json.loads(out.with_suffix(".json").read_text())["about"]
    assert (facts["intensity"], facts["normalization"]) == ("max", "reference:805.0:0.5Da")
    parser = ImzMLParser(str(cohort.first))
    tops, references = [], []
    for i in range(len(parser.coordinates)):
        mz, intensity = (np.asarray(a, float) for a in parser.getspectrum(i))
        tops.append(intensity[np.abs(mz - 800) <= 1].max())
        references.append(intensity[np.abs(mz - 805) <= 0.5].sum())
    tops, references = np.array(tops), np.array(references)
    target = references[references > 0].mean()
    expected = np.where(references > 0, tops * target / np.maximum(references, 1e-9), 0)
    np.testing.assert_allclose(shown[np.isfinite(shown)], expected, rtol=1e-5)


def test_fit_then_predict(cohort, model, tmp_path) -> None:
    out = tmp_path / "probability.npy"
    assert run("predict", model, cohort.second, "-o", out) == 0
    planes, facts = np.load(out), json.loads(out.with_suffix(".json").read_text())
    assert facts["names"] == ["healthy", "tumor"]
    assert facts["about"]["slide"] == cohort.second.stem
    assert len(facts["origin"]) == 2
    seen = np.isfinite(planes[0])
    np.testing.assert_allclose(planes.sum(axis=0)[seen], 1, atol=1e-5)
    assert planes.shape[1:] == np.load(str(cohort.second.with_suffix("")) + "_labels.npy").shape


def test_predict_writes_uncertainty_where_it_is_asked_for(cohort, model, tmp_path, capsys) -> None:
    out = tmp_path / "sure.npy"
    assert run("predict", model, cohort.second, "-o", out, "--uncertainty") == 0
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["names"][:3] == ["healthy", "tumor", "uncertainty (entropy)"]
    assert about["names"][3].startswith("unfamiliarity")
    said = capsys.readouterr().err
    assert "nothing can disagree" in said
    assert "pixels are unlike anything that was labelled" in said
    planes = np.load(out)
    p = planes[:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = -np.where(p > 0, p * np.log2(p), p * 0).sum(axis=0)
    assert np.allclose(planes[2], expected, atol=1e-5, equal_nan=True)
    assert np.isfinite(planes[2]).any()


def test_predict_abstains_where_it_is_asked_to(cohort, model, tmp_path, capsys) -> None:
    out = tmp_path / "sure.npy"
    assert run("predict", model, cohort.second, "-o", out, "--abstain", "0.6") == 0
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["names"] == ["healthy", "tumor", "answered (0: not sure, or unfamiliar)"]
    assert set(np.unique(np.load(out)[2]).tolist()) >= {0.0, 1.0}
    assert "from which on 60% of the answers on held-out groups were right" in (
        capsys.readouterr().err
    )
    assert run("predict", model, cohort.second, "-o", out, "--abstain", "0.99") == 2
    assert "At no confidence were 99% of the answers" in capsys.readouterr().err
    assert run("predict", model, cohort.second, "-o", out, "--abstain", "95") == 2
    assert "between 0.5 and 1" in capsys.readouterr().err


def test_fine_tuning_from_a_file(cohort, model, tmp_path, capsys) -> None:
    out = tmp_path / "tuned.safetensors"
    asked = ["fit", cohort.second, str(cohort.second.with_suffix("")) + "_labels.npy", "-o", out]
    assert run(*asked, "--from", model, "--tune", "head", "--epochs", 2) == 0
    assert out.is_file()


@pytest.mark.parametrize(
    ("limit", "words"),
    [(("--time-limit", "0.01"), "time limit of 0.01 s"), (("--steps", "50"), "limit of 50 steps")],
)
def test_a_fit_keeps_to_its_limits(cohort, tmp_path, capsys, limit, words) -> None:
    out = tmp_path / "short.safetensors"
    asked = ["fit", cohort.first, cohort.labels, "--groups", cohort.patients, "-o", out]
    assert run(*asked, *limit) == 0
    assert out.is_file()
    assert f"ended by its {words}" in capsys.readouterr().err


def test_a_fit_that_was_ended_goes_on(cohort, tmp_path, capsys) -> None:
    def fitted(out: Path, *more: object) -> str:
        asked = ["fit", cohort.first, cohort.labels, "--groups", cohort.patients, "-o", out]
        assert run(*asked, "--epochs", "2", *more) == 0
        return capsys.readouterr().err

    whole, ended = tmp_path / "whole.safetensors", tmp_path / "ended.safetensors"
    assert "--resume" not in fitted(whole)
    assert "the same command with --resume goes on" in fitted(ended, "--steps", "60")
    kept = tmp_path / "ended.safetensors.unfinished"
    assert kept.is_file()
    assert ended.read_bytes() != whole.read_bytes()
    fitted(ended, "--resume")
    assert ended.read_bytes() == whole.read_bytes()
    assert not kept.exists()


def test_the_same_seed_gives_the_same_bytes_in_two_processes(cohort, tmp_path) -> None:
    hashes = set()
    for name in ("a", "b"):
        out = tmp_path / f"{name}.safetensors"
        command = [sys.executable, "-c", "from napari_ims_tumor.cli import main; main()"]
        asked = ["fit", cohort.first, cohort.labels, "--groups", cohort.patients, "-o", out]
        subprocess.run([*command, *map(str, asked), "--epochs", "2", "--seed", "7"], check=True)
        hashes.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_evaluate_writes_a_report(cohort, tmp_path, capsys) -> None:
    asked = ["evaluate", "--cohort", cohort.table, "--folds", 3, "--networks", "linear"]
    assert run(*asked, "-o", tmp_path / "signal") == 0
    report = json.loads((tmp_path / "signal" / "report.json").read_text())
    figures = report["networks"]["linear"]
    assert {"balanced_accuracy", "auroc", "ece", "confusion"} <= set(figures)
    assert report["provenance"]["seconds"]["linear"] > 0
    assert {path.name for path in (tmp_path / "signal").iterdir()} == {
        "report.html", "report.json", "predictions.csv",
    }  # fmt: skip
    assert 0.6 < figures["balanced_accuracy"] <= 1
    assert run(*asked, "--permute-labels", 0, "-o", tmp_path / "none") == 0
    nothing = json.loads((tmp_path / "none" / "report.json").read_text())["networks"]["linear"]
    assert abs(nothing["balanced_accuracy"] - 0.5) < 0.1


def test_external_validation_of_a_model(cohort, model, tmp_path) -> None:
    table = cohort.folder / "second.csv"
    lines = cohort.table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[2]]) + "\n")
    asked = ["evaluate", "--model", model, "--cohort", table, "-o", tmp_path]
    assert run(*asked) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["networks"]) == 1


def test_a_finished_model_takes_no_options_of_fits(cohort, model, tmp_path, capsys) -> None:
    asked = ["evaluate", "--model", model, "--cohort", cohort.table, "-o", tmp_path / "report"]
    assert run(*asked, "--permute-labels", 1, "--folds", 3) == 2
    words = one_line(capsys.readouterr().err)
    assert "fits nothing: leave out --folds, --permute-labels" in words
    assert run(*asked, "--time-limit", 9, "--steps", 9) == 2
    assert "leave out --time-limit, --steps" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "report").exists()


def test_what_may_change_needs_a_model_to_change(cohort, tmp_path, capsys) -> None:
    asked = ["fit", cohort.first, cohort.labels, "--network", "linear", "--tune", "head"]
    assert run(*asked, "-o", tmp_path / "m.safetensors") == 2
    assert "--from" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    size = ["--rows", 24, "--columns", 32, "--channels", 200, "--slides", 8]
    size += ["--batches", 2]
    assert run("simulate", "-o", folder, *size) == 0
    return folder / "cohort.csv"


def test_fit_on_some_slides_and_evaluate_on_others_in_one_command_each(
    study, tmp_path, capsys
) -> None:
    model = tmp_path / "m.safetensors"
    asked = ["fit", "--cohort", study, "--slides", "1-4", "--network", "linear", "-o", model]
    assert run(*asked) == 0
    judge = ["evaluate", "--model", model, "--cohort", study]
    capsys.readouterr()
    assert run(*judge, "--slides", "5-8", "-o", tmp_path / "new") == 0
    shown = capsys.readouterr().out
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    assert report["slides"] == [f"simulated_{n}" for n in (5, 6, 7, 8)]
    assert report["warnings"] == []
    assert report["model"]["n tumor"] > 0
    figures = report["networks"]["linear"]
    assert figures["balanced_accuracy"] > 0.6
    interval = figures["intervals"]["balanced_accuracy"]
    assert f"({interval['low']:.4f} to {interval['high']:.4f})" in shown
    hashes = report["inputs"]["files"]
    assert hashes == {
        "cohort table": hashlib.sha256(study.read_bytes()).hexdigest(),
        "model file": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    assert run(*judge, "--slides", "4,simulated_5", "-o", tmp_path / "mixed") == 0
    report = json.loads((tmp_path / "mixed" / "report.json").read_text())
    assert "were in the model's fit (simulated_4)" in report["warnings"][0]
    assert "judged pixels were in the model" in (tmp_path / "mixed" / "report.html").read_text()


def test_slides_that_the_cohort_lacks(study, cohort, tmp_path, capsys) -> None:
    fit = ["fit", "-o", tmp_path / "x.safetensors"]
    assert run(*fit, "--cohort", study, "--slides", "7-9") == 2
    assert "there is no slide 9: the cohort lists 8" in one_line(capsys.readouterr().err)
    assert run(*fit, cohort.first, cohort.labels, "--slides", "1") == 2
    assert "--cohort" in one_line(capsys.readouterr().err)
    asked = ["evaluate", "--cohort", study, "--slides", "zebra", "-o", tmp_path / "x"]
    assert run(*asked) == 2
    assert "no slide 'zebra'" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "nowhere.imzML"], "nowhere.imzML"),
        (["ion-image", "FIRST", "--mz", "800", "--tolerance=-1Da", "-o", "x.npy"], "0 or more"),
        (["ion-image", "FIRST", "--mz", "nan", "-o", "x.npy"], "finite"),
        (["ion-image", "FIRST", "--mz", "800", "--normalize", "z", "-o", "x.npy"], "reference:MZ"),
        (["ion-image", "FIRST", "--mz", "800", "--reduce", "z", "-o", "x.npy"], "sum"),
        (["ion-image", "FIRST", "--mz", "800", "--tolerance", "20", "-o", "x.npy"], "20ppm"),
        (["ion-image", "FIRST", "--mz", "800", "-o", "x.jpg"], "x.jpg"),
        (["fit", "FIRST", "nowhere.npy", "-o", "x.safetensors"], "nowhere.npy"),
        (["fit", "-o", "x.safetensors"], "SLIDE and LABELS"),
        (["fit", "FIRST", "LABELS", "--from", "LABELS", "-o", "x.safetensors"], "LABELS"),
        (["predict", "nowhere.safetensors", "FIRST", "-o", "x.npy"], "nowhere.safetensors"),
        (["evaluate", "--cohort", "nowhere.csv", "-o", "x"], "nowhere.csv"),
        (["evaluate", "--cohort", "TABLE", "--networks", "resnet", "-o", "x"], "resnet"),
        (["simulate", "-o", "x", "--rows", "3"], "too small"),
        (["simulate", "-o", "x", "--label-noise", "0.9"], "0 to 0.5"),
        (["simulate", "-o", "x", "--scene", "village"], "section"),
        (["simulate", "-o", "x", "--slides", "2", "--batches", "3"], "1 to 2 batches"),
        (["fit", "FIRST", "LABELS", "--epochs", "0", "-o", "x"], "1 or more"),
        (["fit", "FIRST", "LABELS", "--time-limit", "0", "-o", "x"], "above 0"),
        (["fit", "FIRST", "LABELS", "--time-limit", "soon", "-o", "x"], "'soon'"),
        (["fit", "FIRST", "LABELS", "--steps", "0", "-o", "x"], "1 or more"),
        (["fit", "FIRST", "LABELS", "--resume", "-o", "x.safetensors"], "no such file"),
        (["unknown"], "unknown"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exit_2(
    cohort, tmp_path, monkeypatch, capsys, arguments, words
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"FIRST": str(cohort.first), "LABELS": str(cohort.labels), "TABLE": str(cohort.table)}
    assert main([names.get(argument, argument) for argument in arguments]) == 2
    line = one_line(capsys.readouterr().err)
    assert Path(names.get(words, words)).name in line
    assert "Traceback" not in line
    assert not list(tmp_path.glob("x*"))


def test_labels_of_another_slide_are_refused_with_both_shapes(cohort, tmp_path, capsys) -> None:
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.ones((5, 7), np.uint8))
    assert run("fit", cohort.first, wrong, "-o", tmp_path / "x.safetensors") == 2
    line = one_line(capsys.readouterr().err)
    assert "(5, 7)" in line
    assert str(np.load(cohort.labels).shape) in line


def test_absolute_labels_are_cropped_with_a_notice(cohort, tmp_path, capsys) -> None:
    run("info", cohort.first, "--json")
    top, left = json.loads(capsys.readouterr().out)["origin"]
    box = np.load(cohort.labels)
    absolute = np.zeros((top + box.shape[0] + 3, left + box.shape[1] + 2), np.uint8)
    absolute[top : top + box.shape[0], left : left + box.shape[1]] = box
    np.save(tmp_path / "absolute.npy", absolute)
    out = tmp_path / "x.safetensors"
    asked = ["fit", cohort.first, tmp_path / "absolute.npy", "--groups", cohort.patients]
    assert run(*asked, "-o", out, "--network", "linear") == 0
    assert "cropped" in capsys.readouterr().err


def _write_empty(folder: Path) -> Path:
    pixels = PixelGrid(np.zeros(3, int), np.arange(3), (1, 3))
    none = Spectrum(np.zeros(0), np.zeros(0))
    path = folder / "empty.imzML"
    write_imzml(path, InMemoryDataset.from_spectra([none] * 3, pixels, "empty"))
    return path


def _strict(text: str) -> dict:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_json_is_strict_where_nothing_was_measured(tmp_path, capsys) -> None:
    path = _write_empty(tmp_path)
    assert run("info", path, "--json") == 0
    assert _strict(capsys.readouterr().out)["mz_range"] == [None, None]
    assert run("check", path, "--json") in (0, 1)
    assert _strict(capsys.readouterr().out)["facts"]["lowest m/z"] is None
    assert run("info", path) == 0
    assert "not given" in capsys.readouterr().out


def test_an_empty_slide_is_named_when_it_is_predicted(model, tmp_path, capsys) -> None:
    assert run("predict", model, _write_empty(tmp_path), "-o", tmp_path / "x.npy") == 2
    line = one_line(capsys.readouterr().err)
    assert "holds no peak" in line
    assert "nan" not in line


def test_names_that_the_terminal_cannot_write(cohort, tmp_path) -> None:
    for suffix in (".imzML", ".ibd"):
        shutil.copy(cohort.first.with_suffix(suffix), tmp_path / f"肿瘤 µ{suffix}")
    command = [sys.executable, "-c", PROGRAM]
    for option, code in (("--json", 0), ("--no-such", 2)):
        done = subprocess.run(
            [*command, "info", str(tmp_path / "肿瘤 µ.imzML"), option],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            check=False,
        )
        assert done.returncode == code
        assert b"Traceback" not in done.stderr
        if code == 0:
            assert _strict(done.stdout.decode("ascii"))["name"] == "肿瘤 µ"


def test_a_reader_that_has_had_enough_is_no_error(cohort) -> None:
    command = f'"{sys.executable}" -c "{PROGRAM}" info "{cohort.first}" | true'
    done = subprocess.run(command, shell=True, capture_output=True, check=False)
    assert done.stderr == b""


def test_a_fault_of_the_program_is_one_line_too(monkeypatch, capsys, cohort) -> None:
    def broken(_given: object) -> int:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("napari_ims_tumor.cli.slide_commands._info", broken)
    assert run("info", cohort.first) == 2
    assert "ZeroDivisionError" in one_line(capsys.readouterr().err)
    monkeypatch.setenv("IMS_TUMOR_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("info", cohort.first)


@pytest.mark.parametrize("option", ["--seed", "--permute-labels"])
@pytest.mark.parametrize("value", ["-1", "x", str(2**63)])
def test_seeds_that_no_generator_takes(cohort, tmp_path, capsys, option, value) -> None:
    asked = ["evaluate", "--cohort", cohort.table, "-o", tmp_path / "x", f"{option}={value}"]
    assert run(*asked) == 2
    assert "whole number" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("victim", ["first", "labels", "patients", "table"])
def test_a_model_never_replaces_what_it_was_made_from(cohort, capsys, victim) -> None:
    path = getattr(cohort, victim)
    before = path.read_bytes()
    asked = ["fit", cohort.first, cohort.labels, "--groups", cohort.patients]
    assert run(*asked, "--network", "linear", "-o", path) == 2
    assert ".safetensors" in one_line(capsys.readouterr().err)
    assert path.read_bytes() == before


def test_a_report_never_replaces_the_table_it_was_made_from(study, tmp_path, capsys) -> None:
    table = study.with_name("predictions.csv")
    table.write_bytes(study.read_bytes())
    asked = ["evaluate", "--cohort", table, "--networks", "linear", "-o", study.parent]
    assert run(*asked) == 2
    assert "another folder" in one_line(capsys.readouterr().err)
    assert table.read_bytes() == study.read_bytes()


def test_where_nothing_can_be_written_is_said_before_the_work(
    cohort, model, tmp_path, monkeypatch, capsys
) -> None:
    def worked(*_: object) -> None:
        raise AssertionError("the work was begun")

    for verb in ("model_commands", "slide_commands", "cohort_commands"):
        monkeypatch.setattr(f"napari_ims_tumor.cli.{verb}.drive", worked)
    nowhere = tmp_path / "none"
    (tmp_path / "file").touch()
    for asked in (
        ["fit", cohort.first, cohort.labels, "-o", nowhere / "x.safetensors"],
        ["fit", cohort.first, cohort.labels, "-o", tmp_path],
        ["predict", model, cohort.first, "-o", nowhere / "x.npy"],
        ["predict", model, cohort.first, "-o", "x.png"],
        ["ion-image", cohort.first, "--mz", 800, "-o", nowhere / "x.npy"],
        ["evaluate", "--cohort", cohort.table, "-o", tmp_path / "file"],
        ["evaluate", "--cohort", cohort.table, "-o", tmp_path / "file" / "x"],
    ):
        assert run(*asked) == 2
        one_line(capsys.readouterr().err)


def test_an_image_does_not_replace_a_foreign_file_beside_it(cohort, tmp_path, capsys) -> None:
    (tmp_path / "x.json").write_text('{"format": "mine"}')
    asked = ["ion-image", cohort.first, "--mz", 800, "-o"]
    assert run(*asked, tmp_path / "x.npy") == 2
    assert "x.json" in one_line(capsys.readouterr().err)
    assert (tmp_path / "x.json").read_text() == '{"format": "mine"}'
    assert not (tmp_path / "x.npy").exists()
    assert run(*asked, tmp_path / "y.npy") == run(*asked, tmp_path / "y.npy") == 0
    # Before anything is read or predicted.
    assert run("predict", "nowhere.safetensors", cohort.first, "-o", tmp_path / "x.npy") == 2
    assert "x.json" in one_line(capsys.readouterr().err.splitlines()[-1])


def test_what_the_program_did_not_make_is_not_replaced(cohort, model, tmp_path, capsys) -> None:
    shutil.copy(cohort.labels, tmp_path / "labels.npy")
    tifffile.imwrite(tmp_path / "histology.tif", np.zeros((4, 5, 3), np.uint8))
    (tmp_path / "notes.docx").write_bytes(b"PK\x03\x04 years of work")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for asked, file in (
        (["predict", model, cohort.first], "labels.npy"),
        (["predict", model, cohort.first], "histology.tif"),
        (["ion-image", cohort.first, "--mz", 800], "labels.npy"),
        (["fit", cohort.first, cohort.labels], "notes.docx"),
    ):
        assert run(*asked, "-o", tmp_path / file) == 2
        line = one_line(capsys.readouterr().err)
        assert file in line
        assert "would be replaced: give another name" in line
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_the_program_made_is_replaced(cohort, model, tmp_path) -> None:
    for _ in range(2):
        assert run("predict", model, cohort.first, "-o", tmp_path / "p.ome.tif") == 0
        assert run("ion-image", cohort.first, "--mz", 800, "-o", tmp_path / "i.npy") == 0
    old = tmp_path / "model"
    shutil.copy(model, old)
    asked = ["fit", cohort.first, cohort.labels, "--groups", cohort.patients, "--seed", 1]
    assert run(*asked, "--network", "linear", "-o", old) == 0
    assert old.read_bytes() != model.read_bytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_a_pipe_is_not_replaced(cohort, tmp_path, capsys) -> None:
    os.mkfifo(tmp_path / "x.safetensors")
    os.mkfifo(tmp_path / "x.npy")
    assert run("fit", cohort.first, cohort.labels, "-o", tmp_path / "x.safetensors") == 2
    assert "device or a pipe" in one_line(capsys.readouterr().err)
    assert run("ion-image", cohort.first, "--mz", 800, "-o", tmp_path / "x.npy") == 2
    assert "device or a pipe" in one_line(capsys.readouterr().err)
    assert (tmp_path / "x.npy").is_fifo()


def test_what_is_in_the_way_of_a_report_is_found_before_the_work(tmp_path, capsys) -> None:
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    # The table is not even read.
    assert run("evaluate", "--cohort", tmp_path / "none.csv", "-o", tmp_path / "out") == 2
    assert "report.html is a folder" in one_line(capsys.readouterr().err)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text on this system")
def test_names_of_files_that_are_no_text(cohort, model, tmp_path, capsys) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sl\xe9.imzML"))
    for suffix in (".imzML", ".ibd"):
        shutil.copy(cohort.first.with_suffix(suffix), odd.with_suffix(suffix))
    for output in ("p.npy", "p.ome.tif"):
        assert main(["predict", str(model), str(odd), "-o", str(tmp_path / output)]) == 0
    assert json.loads((tmp_path / "p.json").read_text())["about"]["slide"] == "sl\\xe9"
    rows = [CohortSlide(odd, cohort.labels, cohort.patients)]
    report = run_inline(evaluate(tuple(rows), ("linear",)))
    report.write(tmp_path / "report")
    assert "sl\\xe9" in (tmp_path / "report" / "predictions.csv").read_text("utf-8")


def test_small_slides_are_simulated_with_fewer_pieces_of_tissue(tmp_path) -> None:
    size = ["--rows", 20, "--columns", 24, "--channels", 60]
    assert run("simulate", "-o", tmp_path, *size) == 0
    assert np.load(next(tmp_path.glob("*_patients.npy"))).max() == 4


def test_every_option_of_the_simulator_arrives_in_the_truth(tmp_path) -> None:
    asked = {
        "scene": "section", "signal": "additive", "strength": 2.0, "infiltration": 0.7, "seed": 4,
        "patient_effect": 0.3, "batch_effect": 0.5, "label_noise": 0.02, "hot_spots": 0.01,
        "dead_pixels": 0.03, "layout": "processed-centroid", "rows": 24, "columns": 26,
        "channels": 80, "ions": 90.0, "peak_width_da": 0.3, "baseline": 2.0,
    }  # fmt: skip
    options = [part for k, v in asked.items() for part in (f"--{k.replace('_', '-')}", str(v))]
    assert run("simulate", "-o", tmp_path, "--slides", 2, "--batches", 2, *options) == 0
    recipe = json.loads((tmp_path / "simulated_2_truth.json").read_text())["recipe"]
    flat = {**recipe, **recipe["variation"], **recipe["instrument"], **recipe["faults"]}
    assert {name: flat[name] for name in asked} == asked


def test_no_network_at_all(cohort, tmp_path, capsys) -> None:
    asked = ["evaluate", "--cohort", cohort.table, "-o", tmp_path / "x", "--networks", " , "]
    assert run(*asked) == 2
    assert "default or linear" in one_line(capsys.readouterr().err)


def test_a_device_that_is_not_there_is_refused_for_any_model(cohort, model, tmp_path, capsys):
    asked = ["predict", model, cohort.first, "-o", tmp_path / "x.npy", "--device", "abacus"]
    assert run(*asked) == 2
    assert "abacus" in one_line(capsys.readouterr().err)


def test_a_model_is_not_written_over_the_one_it_starts_from(cohort, model, capsys) -> None:
    before = model.read_bytes()
    asked = ["fit", cohort.first, cohort.labels, "--network", "linear", "--from", model]
    assert run(*asked, "-o", model) == 2
    assert "is read by this fit" in one_line(capsys.readouterr().err)
    assert model.read_bytes() == before
