"""A simulated cohort on disk is the one in memory."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.annotation_file import read_groups, read_labels
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.simulated_files import write_cohort, write_slide
from napari_ims_tumor.msi.synthetic.recipe import SLIDE_LAYOUTS, SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import plan_slide, simulate_slide

SMALL = {"rows": 24, "columns": 30, "channels": 200, "patients": 2, "seed": 5}


@pytest.mark.parametrize("layout", SLIDE_LAYOUTS)
def test_round_trip(tmp_path, layout):
    recipe = SlideRecipe(layout=layout, **SMALL)
    slide = simulate_slide(recipe)
    files = write_slide(tmp_path / "new" / "folder", plan_slide(recipe), "mine")
    assert files.imzml.name == "mine.imzML"
    with open_imzml(files.imzml) as read:
        assert (read.layout, read.mode) == (slide.dataset.layout, slide.dataset.mode)
        assert read.pixels.pixel_size_um == (50.0, 50.0)
        for i in range(0, read.n_spectra, 37):
            assert np.array_equal(read.spectrum(i).mz, slide.dataset.spectrum(i).mz)
            assert np.array_equal(read.spectrum(i).intensity, slide.dataset.spectrum(i).intensity)
        labels, notices = read_labels(files.labels, read.pixels)
        assert notices == ()
        assert np.array_equal(labels.labels, slide.labels)
        assert np.array_equal(read_groups(files.patients, read.pixels), slide.patients)
    assert json.loads(files.truth.read_text()) == json.loads(json.dumps(dict(slide.truth)))


def test_the_table_lists_every_slide_relative_to_itself(tmp_path):
    written = write_cohort(tmp_path, SlideRecipe(**SMALL), slides=3)
    with (tmp_path / "cohort.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(written) == 3
    for row, files in zip(rows, written, strict=True):
        assert tmp_path / row["slide"] == files.imzml
        assert tmp_path / row["labels"] == files.labels
        assert tmp_path / row["groups"] == files.patients
        assert all((tmp_path / row[name]).is_file() for name in ("slide", "labels", "groups"))
    patients = [set(np.unique(np.load(f.patients))) - {0} for f in written]
    assert not (patients[0] & patients[1]) | (patients[1] & patients[2])


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for place in ("one", "two"):
        write_cohort(tmp_path / place, SlideRecipe(layout="processed-centroid", **SMALL))
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_refusals(tmp_path):
    with pytest.raises(ImsTumorError, match="at least 1"):
        write_cohort(tmp_path, SlideRecipe(**SMALL), slides=0)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImsTumorError, match="cannot be made"):
        write_cohort(tmp_path / "file" / "folder", SlideRecipe(**SMALL))
