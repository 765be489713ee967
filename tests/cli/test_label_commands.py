"""``labels``: every format into every other, and what was left out is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_ims_tumor as ims
from napari_ims_tumor.cli import main

SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3], [1, 1]]


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slide")
    (made,) = ims.simulate(folder, rows=16, columns=20, channels=60)
    return made.imzml


@pytest.fixture
def labels(slide: Path) -> Path:
    return slide.with_name(f"{slide.stem}_labels.npy")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def annotate(path: Path, *names: str, scale: float = 1) -> Path:
    ring = (scale * np.array(SQUARE)).tolist()
    geometry = {"type": "Polygon", "coordinates": [ring]}
    features = [
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": {"objectType": "annotation", "classification": {"name": name}},
        }
        for name in names
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_from_format_to_format_nothing_changes(slide: Path, labels: Path, tmp_path: Path) -> None:
    before = labels
    for ending in (".geojson", ".png", ".tif", ".geojson", ".npy"):
        after = tmp_path / f"to{ending}"
        if after.exists():
            after = tmp_path / f"again{ending}"
        assert run("labels", slide, before, "-o", after) == 0
        before = after
    assert np.array_equal(np.load(before), np.load(labels))
    assert (tmp_path / "to.geojson").read_bytes() == (tmp_path / "again.geojson").read_bytes()


def test_counts_go_to_stdout_and_what_was_left_out_to_stderr(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = annotate(tmp_path / "drawn.geojson", "Tumor", "Stroma", "Stroma")
    assert run("labels", slide, drawn, "-o", tmp_path / "a.npy") == 0
    out, err = capsys.readouterr()
    assert "tumor" in out
    assert '"Stroma" (2)' in err
    assert '--class "Stroma=CLASS"' in err
    assert np.load(tmp_path / "a.npy")[1:3, 1:4].tolist() == [[2] * 3] * 2
    assert run("labels", slide, drawn, "-o", tmp_path / "b.npy", "--class", "Stroma=healthy") == 0
    assert np.load(tmp_path / "b.npy")[1:3, 1:4].tolist() == [[1] * 3] * 2


def test_a_finer_image_needs_its_scale(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = annotate(tmp_path / "drawn.geojson", "tumor", scale=50)
    assert run("labels", slide, drawn, "-o", tmp_path / "a.npy") == 2
    assert "--scale" in capsys.readouterr().err
    assert not (tmp_path / "a.npy").exists()
    assert run("labels", slide, drawn, "-o", tmp_path / "a.npy", "--scale", 50) == 0
    affine = "0.02,0,0,0,0.02,0"
    assert run("labels", slide, drawn, "-o", tmp_path / "b.npy", "--affine", affine) == 0
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert np.load(tmp_path / "a.npy")[2, 3] == 2
    back = tmp_path / "back.geojson"
    assert run("labels", slide, tmp_path / "a.npy", "-o", back, "--scale", 50) == 0
    ring = json.loads(back.read_text())["features"][0]["geometry"]["coordinates"][0]
    assert ring == [[50, 50], [200, 50], [200, 150], [50, 150], [50, 50]]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--class", "Stroma"], "NAME=CLASS"),
        (["--class", "Stroma=fibrous"], "healthy, tumor, ignore"),
        (["--scale", "0"], "above 0"),
        (["--affine", "1,2,3"], "six numbers"),
        (["--affine", "1,2,0,2,4,0"], "area"),
    ],
)
def test_bad_options_are_one_line(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], reason: str
) -> None:
    drawn = annotate(tmp_path / "drawn.geojson", "tumor")
    assert run("labels", slide, drawn, "-o", tmp_path / "a.npy", *more) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "more", [["--scale", "2"], ["--affine", "1,0,0,0,1,0"], ["--class", "Stroma=healthy"]]
)
def test_options_that_would_do_nothing_are_refused(
    slide: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert run("labels", slide, labels, "-o", tmp_path / "a.npy", *more) == 2
    assert f"{more[0]}" in capsys.readouterr().err
    assert not (tmp_path / "a.npy").exists()


def test_inputs_are_never_overwritten(slide: Path, labels: Path, tmp_path: Path) -> None:
    kept = labels.read_bytes()
    assert run("labels", slide, labels, "-o", labels) == 2
    assert run("labels", slide, labels, "-o", slide) == 2
    assert labels.read_bytes() == kept


def test_a_fit_takes_outlines_like_images(slide: Path, labels: Path, tmp_path: Path) -> None:
    outlines = tmp_path / "labels.geojson"
    assert run("labels", slide, labels, "-o", outlines) == 0
    for given in (labels, outlines):
        output = tmp_path / f"{given.suffix[1:]}.safetensors"
        assert run("fit", slide, given, "--network", "linear", "-o", output) == 0
    assert (tmp_path / "npy.safetensors").read_bytes() == (
        tmp_path / "geojson.safetensors"
    ).read_bytes()
    table = tmp_path / "cohort.csv"
    table.write_text(f"slide,labels\n{slide},{outlines}\n")
    assert run("fit", "--cohort", table, "--network", "linear", "-o", tmp_path / "c.st") == 0


def test_a_png_shows_the_colors_of_the_classes(slide: Path, labels: Path, tmp_path: Path) -> None:
    assert run("labels", slide, labels, "-o", tmp_path / "a.png") == 0
    values, colors = np.load(labels), np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert {tuple(color) for color in colors[values == 2]} == {(0xD5, 0x5E, 0)}


def test_the_same_in_python(slide: Path, labels: Path, tmp_path: Path) -> None:
    drawn = annotate(tmp_path / "drawn.geojson", "Tumor", "Stroma", scale=4)
    with ims.open_imzml(slide) as opened:
        read, notices = ims.read_labels(drawn, opened, classes={"stroma": "ignore"}, scale=4)
        assert read.labels[1:3, 1:4].tolist() == [[2] * 3] * 2
        assert "left out" in notices[0]
        ims.write_labels(tmp_path / "a.npy", read, opened)
        ims.write_labels(tmp_path / "b.geojson", np.load(labels), opened)
        again, _ = ims.read_labels(tmp_path / "b.geojson", opened)
    assert np.array_equal(np.load(tmp_path / "a.npy"), read.labels)
    assert np.array_equal(again.labels, np.load(labels))


def test_weak_says_every_label_of_a_whole_region(
    slide: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "weak.geojson"
    assert run("labels", slide, labels, "-o", output, "--weak") == 0
    assert "of them roughly" in capsys.readouterr().out
    back = tmp_path / "back.npy"
    assert run("labels", slide, output, "-o", back) == 0
    image, told = np.load(back), np.load(labels)
    assert np.array_equal(image, np.where(told > 0, told + 128, 0))
