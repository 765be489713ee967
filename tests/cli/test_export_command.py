"""``ims-tumor export``: what it writes is what Python gives; what cannot be is one line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_ims_tumor.cli import main
from napari_ims_tumor.io.imzml import open_imzml

SIMULATE = ["--rows", "20", "--columns", "28", "--channels", "120", "--patients", "4"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("slides")
    assert main(["simulate", "-o", str(folder), *SIMULATE]) == 0
    slide = folder / "simulated_1.imzML"
    names = {k: folder / f"simulated_1_{k}.npy" for k in ("labels", "patients")}
    return SimpleNamespace(folder=folder, slide=slide, **names)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_labelled_pixels_of_a_class_become_a_slide_with_its_labels(made, tmp_path, capsys) -> None:
    target = tmp_path / "tumor.imzML"
    asked = ["--labels", made.labels, "--class", "tumor", "--mz-range", "775-800"]
    assert run("export", made.slide, *asked, "-o", target) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.split() == ["wrote", str(target), "wrote", str(tmp_path / "tumor_labels.npy")]
    with open_imzml(made.slide) as whole, open_imzml(target) as part:
        tumor = whole.pixels.as_vector(np.load(made.labels)) == 2
        assert part.n_spectra == tumor.sum()
        low, high = part.mass_range
        assert 775 <= low < high <= 800
    assert set(np.load(tmp_path / "tumor_labels.npy")[part.pixels.measured]) == {2}


def test_a_dry_run_says_how_large_and_writes_nothing(made, tmp_path, capsys) -> None:
    target = tmp_path / "part.imzML"
    asked = ["export", made.slide, "--rows", "0-9", "-o", target]
    assert run(*asked, "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert list(tmp_path.iterdir()) == []
    assert run(*asked) == 0
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert plan["size"] == pytest.approx(size, rel=0.1)
    assert run(*asked, "--dry-run") == 0
    assert "rows 0 to 9" in capsys.readouterr().out


def test_centroids_in_the_way_that_is_asked_for(made, tmp_path) -> None:
    how = ["--centroid", "--position", "mean", "--measure", "area", "--noise", "2"]
    assert run("export", made.slide, *how, "-o", tmp_path / "peaks.imzML") == 0
    with open_imzml(tmp_path / "peaks.imzML") as peaks:
        assert (peaks.mode, peaks.layout) == ("centroid", "processed")
    text = (tmp_path / "peaks.imzML").read_text()
    assert "area at the mean, above 2 times the noise" in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["-o", "{slide}"], "is read by this export"),
        (["-o", "{ibd}.imzML"], "is read by this export"),
        (["-o", "{folder}/a.jpg"], "by the ending of the name"),
        (["-o", "{folder}/none/a.imzML"], "does not exist"),
        (["--mz-range", "a-b", "-o", "{folder}/a.imzML"], "like 600-900"),
        (["--mz-range", "1-2", "-o", "{folder}/a.imzML"], "it goes from 770.0000 to"),
        (["--rows", "x", "-o", "{folder}/a.imzML"], "like 10-19"),
        (["--class", "tumor", "-o", "{folder}/a.imzML"], "no labels are given"),
        (["--labels", "{labels}", "--class", "fat", "-o", "{folder}/a.imzML"], "no class 'fat'"),
        (["--labels", "{labels}", "--rows", "0", "--columns", "0", "-o", "{folder}/a.imzML"],
         "no measured pixel of simulated_1 is chosen (labelled healthy or tumor, rows 0"),
        (["--groups", "{patients}", "--group", "77", "-o", "{folder}/a.imzML"], "there are 1, 2"),
        (["--mz", "800", "-o", "{folder}/a.imzML"], "files with channels"),
        (["--mz", "300", "-o", "{folder}/a.ome.tif"], "is outside simulated_1, which goes from"),
        (["--peaks", "3", "--bins", "1Da", "-o", "{folder}/a.csv"], "exclude each other"),
        (["--noise", "2", "-o", "{folder}/a.imzML"], "--noise is for --centroid"),
        (["--json", "-o", "{folder}/a.imzML"], "--json is for --dry-run"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_one_line(made, capsys, asked, said) -> None:
    before = sorted(made.folder.iterdir())
    places = {**vars(made), "ibd": made.slide.with_suffix("")}
    assert run("export", made.slide, *(str(word).format(**places) for word in asked)) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert sorted(made.folder.iterdir()) == before


def test_measured_slides_are_never_replaced_but_earlier_exports_are(made, tmp_path, capsys) -> None:
    measured = tmp_path / "measured.imzML"
    measured.write_text("<mzML>years of work</mzML>")
    assert run("export", made.slide, "-o", measured) == 2
    assert "measured.imzML is not an export of this program" in capsys.readouterr().err
    assert measured.read_text() == "<mzML>years of work</mzML>"
    (tmp_path / "alone.ibd").write_bytes(b"years of work")
    assert run("export", made.slide, "-o", tmp_path / "alone.imzML") == 2
    assert "alone.ibd is not an export" in capsys.readouterr().err
    for rows in ("0-9", "0-5"):
        assert run("export", made.slide, "--rows", rows, "-o", tmp_path / "part.imzML") == 0
    with open_imzml(tmp_path / "part.imzML") as part:
        assert part.pixels.shape[0] <= 6


def test_a_disk_that_is_too_small_is_named_with_both_sizes(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1234))
    assert run("export", made.slide, "-o", tmp_path / "a.imzML") == 2
    line = capsys.readouterr().err
    assert "a.imzML would take about" in line
    assert "has 1 kB free: choose fewer pixels" in line
    assert list(Path(tmp_path).iterdir()) == []


def test_labels_beside_an_export_never_replace_those_that_are_read(made, tmp_path, capsys) -> None:
    own = tmp_path / "a_labels.npy"
    own.write_bytes(made.labels.read_bytes())
    assert run("export", made.slide, "--labels", own, "-o", tmp_path / "a.imzML") == 2
    assert "a_labels.npy is read by this export" in capsys.readouterr().err
