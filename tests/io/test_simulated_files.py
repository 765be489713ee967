"""A simulated cohort on disk is the one in memory."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from napari_ims_tumor.cohort.table import read_cohort
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.annotation_file import read_groups, read_labels
from napari_ims_tumor.io.image_file import read_planes
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.simulated_files import write_cohort, write_cohort_job, write_slide
from napari_ims_tumor.job import JobStopped, run_inline
from napari_ims_tumor.msi.synthetic.recipe import SLIDE_LAYOUTS, SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import (
    TRUTH_PLANES,
    CohortPlan,
    plan_slide,
    simulate_slide,
)

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


def test_truth_images_lie_beside_the_slide(tmp_path):
    recipe = SlideRecipe(scene="section", rows=40, columns=50, channels=100)
    plan = plan_slide(recipe)
    files = write_slide(tmp_path, plan)
    read = read_planes(files.truth_images)
    assert read.names == TRUTH_PLANES
    assert read.pixel_size_um == (50.0, 50.0)
    assert np.array_equal(read.values, plan.truth_planes, equal_nan=True)
    truth = json.loads(files.truth.read_text())
    assert (truth["format"], truth["version"]) == ("napari-ims-tumor simulated truth", 1)
    assert {"recipe", "batch", "molecules", "slide", "detector"} <= set(truth)
    for molecule in truth["molecules"]:
        assert molecule["isotopes"][0] == pytest.approx(molecule["mz"])
        assert sum(molecule["isotope_heights"]) == pytest.approx(1, abs=1e-4)


def test_batches_stand_in_the_table_and_readers_pass_them_over(tmp_path):
    write_cohort(tmp_path, SlideRecipe(**SMALL), slides=4, batches=2)
    with (tmp_path / "cohort.csv").open(newline="") as file:
        assert [row["batch"] for row in csv.DictReader(file)] == ["1", "1", "2", "2"]
    batches = [
        json.loads(path.read_text())["batch"]
        for path in sorted(tmp_path.glob("*_truth.json"), key=lambda p: p.name)
    ]
    assert batches[0] == batches[1] != batches[2] == batches[3]
    assert len(read_cohort(tmp_path / "cohort.csv")) == 4


def test_a_stop_keeps_the_slides_that_are_whole(tmp_path):
    job = write_cohort_job(tmp_path, CohortPlan(SlideRecipe(**SMALL), slides=3))
    seen = []
    written = run_inline(job, seen.append, lambda: seen[-1].phase.startswith("Simulating slide 2"))
    assert [files.imzml.name for files in written] == ["simulated_1.imzML"]
    assert {p.name.split(".")[0].split("_")[1] for p in tmp_path.glob("simulated*")} == {"1"}
    assert not list(tmp_path.glob(".*"))
    assert len(read_cohort(tmp_path / "cohort.csv")) == 1


def test_a_stop_within_the_first_slide_leaves_nothing(tmp_path):
    job = write_cohort_job(tmp_path, CohortPlan(SlideRecipe(**SMALL), slides=3))
    with pytest.raises(JobStopped):
        run_inline(job, should_stop=lambda: True)
    assert not list(tmp_path.iterdir())


def test_progress_counts_spectra_and_ends_at_all_of_them(tmp_path):
    recipe = SlideRecipe(rows=30, columns=40, channels=60)
    seen = []
    run_inline(write_cohort_job(tmp_path, CohortPlan(recipe, slides=1)), seen.append)
    assert len(seen) > 2
    assert seen[-1].done == seen[-1].total == plan_slide(recipe).source.n_spectra


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


@pytest.mark.parametrize("text", ["slide,labels\nmine.imzML,mine.npy\n", "patients\n", "\x00"])
def test_a_cohort_table_written_by_hand_is_never_replaced(tmp_path, text):
    table = tmp_path / "cohort.csv"
    table.write_text(text)
    with pytest.raises(ImsTumorError, match="would be replaced"):
        write_cohort(tmp_path, SlideRecipe(**SMALL))
    assert table.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["cohort.csv"]


def test_a_table_of_simulated_slides_is_renewed(tmp_path):
    for slides in (2, 1):
        write_cohort(tmp_path, SlideRecipe(**SMALL), slides=slides)
    assert len((tmp_path / "cohort.csv").read_text().splitlines()) == 2
