"""Exports hold the numbers of the session, say what they are, and never harm another file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ims_tumor.io.image_file import read_planes
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.picture_file import ColorScale
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.mean_spectrum import region_mean_spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.exports import FORMATS, View, ending_of
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.shown_images import ShownImage
from napari_ims_tumor.session.slide_state import PickedSpectrum

COLORS = np.array([(0, 0, 0, 1), (1, 0, 0, 1.0)])


def rows_of(path: Path) -> tuple[str, list[dict[str, str]]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    return "\n".join(head), list(csv.DictReader(lines[len(head) :]))


def shown(slide: InMemoryDataset, mz: float = 507.0, high: float = 9.0) -> ShownImage:
    window = MassWindow(mz, MassTolerance(0.5))
    values = slide.ion_images([window])[0]
    return ShownImage(f"m/z {mz}", values, ColorScale(COLORS, 0.0, high, "intensity"), window)


@pytest.fixture
def ready(session: Session, slide: InMemoryDataset, strokes: Any) -> Session:
    session.adopt(slide)
    session.annotate(strokes)
    session.classifier.fit(FitConfig("linear"))
    return session


@pytest.fixture
def view(ready: Session, slide: InMemoryDataset) -> View:
    assert ready.active is not None
    picked = PickedSpectrum(ready.active, 5, 0, 5, 0, slide.spectrum(5))
    tumor = ready.active.prediction.probabilities[1]
    classes = np.where(tumor >= 0.5, 2, 1).astype(np.uint8)
    return View(
        ions=(shown(slide), shown(slide, 521.0)),
        prediction=ShownImage("tumor probability", tumor, ColorScale(COLORS, 0, 1, "p")),
        classes=classes,
        rule="tumor from a probability of 0.5 on",
        tissue=shown(slide),
        picked=picked,
    )


def test_every_kind_is_written_and_said(ready: Session, view: View, tmp_path: Path, ear: Any):
    kinds = [(what, ending) for what, endings in FORMATS.items() for ending in endings]
    for what, ending in kinds:
        ready.exports.write(what, tmp_path / f"{what}{ending}", view)
    assert not ear["failed"]
    assert all((tmp_path / f"{what}{ending}").stat().st_size > 0 for what, ending in kinds)
    said = [text for (text,) in ear["noticed"] if text.startswith("Exported")]
    assert len(said) == len(kinds)


def test_ion_images_are_the_same_numbers_in_every_file(
    ready: Session, view: View, slide: InMemoryDataset, tmp_path: Path
):
    for ending in (".ome.tif", ".npy", ".csv"):
        ready.exports.write("ions", tmp_path / f"a{ending}", view)
    expected = np.stack([image.values for image in view.ions])
    for name in ("a.ome.tif", "a.npy"):
        read = read_planes(tmp_path / name)
        assert np.array_equal(read.values, expected, equal_nan=True)
        assert read.names == ("m/z 507.0", "m/z 521.0")
        assert read.about["normalization"] == "none"
        assert read.about["windows"][0] == [506.5, 507.5]
    head, rows = rows_of(tmp_path / "a.csv")
    assert "506.500000 to 507.500000" in head
    assert [float(row["m/z 521.0"]) for row in rows] == expected[1][slide.pixels.measured].tolist()


def test_a_prediction_as_a_table(ready: Session, view: View, tmp_path: Path):
    ready.exports.write("prediction", tmp_path / "a.csv", view)
    head, rows = rows_of(tmp_path / "a.csv")
    assert ready.active is not None
    prediction = ready.active.prediction
    assert prediction.model_id in head
    assert "tumor from a probability of 0.5 on" in head
    assert len(rows) == len(ready.active.dataset.pixels)
    for row in rows:
        place = int(row["row"]), int(row["column"])
        assert np.float32(row["tumor"]) == prediction.probabilities[1][place]
        assert row["class"] == ("tumor" if float(row["tumor"]) >= 0.5 else "healthy")


def test_a_prediction_as_an_image_has_its_uncertainty(ready: Session, view: View, tmp_path: Path):
    ready.exports.write("prediction", tmp_path / "a.ome.tif", view)
    read = read_planes(tmp_path / "a.ome.tif")
    assert read.names[:2] == ("healthy", "tumor")
    assert "uncertainty" in read.names[2]
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.is_ome


def test_labels_as_a_table(ready: Session, view: View, strokes: Any, tmp_path: Path):
    ready.exports.write("labels", tmp_path / "a.csv", view)
    _, rows = rows_of(tmp_path / "a.csv")
    back = np.zeros_like(strokes)
    for row in rows:
        back[int(row["row"]), int(row["column"])] = int(row["label"])
        assert row["class"] == {1: "healthy", 2: "tumor"}[int(row["label"])]
    assert np.array_equal(back, strokes)


def test_spectra_are_those_shown_and_the_means_of_the_classes(
    ready: Session, view: View, slide: InMemoryDataset, strokes: Any, tmp_path: Path
):
    ready.exports.write("spectra", tmp_path / "a.csv", view)
    head, rows = rows_of(tmp_path / "a.csv")
    by_name: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        found = by_name.setdefault(row["spectrum"], [])
        found.append((float(row["mz"]), float(row["intensity"])))
    tumor = slide.pixels.lookup[(strokes == 2) & slide.pixels.measured]
    expected = {
        "mean of the slide": slide.mean_spectrum(),
        f"mean of tumor ({tumor.size} pixels)": region_mean_spectrum(slide, tumor),
        "row 0, column 5": slide.spectrum(5),
    }
    for name, spectrum in expected.items():
        mz, intensity = np.array(by_name[name]).T
        assert np.array_equal(mz, spectrum.mz)
        assert np.array_equal(intensity, spectrum.intensity.astype(np.float64))
    assert "normalization: none" in head


def test_painted_pixels_become_a_slide_with_their_labels(
    ready: Session, view: View, strokes: Any, slide: InMemoryDataset, tmp_path: Path
):
    ready.exports.write("part", tmp_path / "part.imzML", view)
    painted = np.flatnonzero(slide.pixels.as_vector(strokes) > 0)
    with open_imzml(tmp_path / "part.imzML") as part:
        assert part.n_spectra == painted.size
        for k, i in enumerate(painted.tolist()):
            assert np.array_equal(part.spectrum(k).intensity, slide.spectrum(i).intensity)
        labels = np.load(tmp_path / "part_labels.npy")
        assert np.array_equal(
            part.pixels.as_vector(labels), slide.pixels.as_vector(strokes)[painted]
        )


def test_pictures_say_what_was_clipped_and_keep_the_facts(
    ready: Session, view: View, tmp_path: Path
):
    from napari_ims_tumor.session.shown_images import picture_of

    assert ready.active is not None
    picture = picture_of(ready.active.dataset, view.ions, view.tissue)
    assert "% of pixels above" in picture.panels[0].note
    assert picture.panels[0].extends == "max"
    assert len(picture.panels[0].layers) == 2
    ready.exports.write("ions", tmp_path / "a.png", view)
    facts = json.loads(Image.open(tmp_path / "a.png").text["Description"])
    assert facts["windows"][0] == [506.5, 507.5]


def test_sections_of_a_stack_are_panels_of_their_own(slide: InMemoryDataset):
    from dataclasses import replace

    from napari_ims_tumor.msi.pixel_grid import PixelGrid
    from napari_ims_tumor.session.shown_images import picture_of

    old = slide.pixels
    planes = np.arange(len(old)) % 2
    pixels = PixelGrid(old.rows, old.columns, old.shape, old.pixel_size_um, planes=planes)
    stack = replace(slide, pixels=pixels)
    picture = picture_of(stack, (shown(stack),))
    assert [panel.title for panel in picture.panels] == ["m/z 507.0, plane 0", "m/z 507.0, plane 1"]


def test_what_is_not_there_cannot_be_exported(
    session: Session, slide: InMemoryDataset, tmp_path: Path, ear: Any
):
    assert session.exports.why_not("spectra") == "Open a slide first."
    session.adopt(slide)
    assert session.exports.why_not("spectra") is None
    for what in ("prediction", "labels", "ions"):
        session.exports.write(what, tmp_path / "a.csv", View())
    reasons = [text for (text,) in ear["failed"]]
    assert ["Predict" in reasons[0], "painted" in reasons[1], "visible" in reasons[2]] == [True] * 3
    assert not list(tmp_path.glob("*.csv"))


@pytest.mark.parametrize("name", ["slide.imzML", "slide.ibd", "a.xlsx", "a"])
def test_other_endings_are_refused_so_no_slide_is_ever_overwritten(
    ready: Session, view: View, tmp_path: Path, ear: Any, name: str
):
    (tmp_path / name).write_text("precious")
    for what in FORMATS:
        ready.exports.write(what, tmp_path / name, view)
    assert (tmp_path / name).read_text() == "precious"
    assert len(ear["failed"]) == len(FORMATS)


def test_endings(tmp_path: Path):
    assert ending_of(Path("a.OME.TIF"), "ions") == ".ome.tif"
    assert ending_of(Path("a.tiff"), "ions") == ".ome.tif"
    assert ending_of(Path("a.tif"), "labels") == ".tif"
    assert ending_of(Path("a.geojson"), "ions") is None
