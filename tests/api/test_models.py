"""What the window and the command line say and check, Python says and checks as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cohort.conftest import Cohorts

import napari_ims_tumor as ims
from napari_ims_tumor.api import fit_config
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


def begins_at(row: int, column: int) -> InMemoryDataset:
    """A slide whose own coordinates begin somewhere."""
    made = Cohorts.slide(0).slide
    grid = made.pixels
    pixels = PixelGrid(grid.rows, grid.columns, grid.shape, None, (row, column))
    values = made.content.intensity
    return InMemoryDataset.from_matrix(made.mass_axis, values, pixels, "slide0")


def test_what_was_done_to_labels_is_a_warning(tmp_path: Path) -> None:
    larger = np.zeros((20, 20), np.uint8)
    larger[2:8, 3:11] = Cohorts.slide(0).labels.labels
    larger[15, 15] = 2
    np.save(tmp_path / "whole.npy", larger)
    with pytest.warns(UserWarning, match="1 labelled pixels lay outside and were left out"):
        ims.fit(begins_at(2, 3), tmp_path / "whole.npy", network="linear")
    with pytest.raises(ims.ImsTumorError, match=r"29 of 45 labelled pixels of whole.npy"):
        ims.fit(begins_at(0, 0), tmp_path / "whole.npy", network="linear")


WRONG = {
    "epochs": (0, -3, 1.5, "5", True, np.nan), "steps": (0, 2.0), "seed": (-1, 0.5, 2**63, "x"),
    "time_limit_s": (-1, 0, np.nan, np.inf, "60"), "region_share": (5, -0.1, np.nan, "half"),
    "smooth": ("no", 1), "align": ("yes", 0), "deterministic": ("no",), "doubt_labels": (1,),
    "tune": ("x", "last_blocks", 3), "network": ("resnet", ["linear"]), "precision": ("float16",),
    "augment": ("noise", ("shift", "noise"), 3), "device": (0,), "epoch": (3,),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_an_option_that_cannot_be_is_refused_by_name(name: str, value: object) -> None:
    words = {"tune": "way to fine-tune", "augment": "augmentation"}.get(name, name)
    with pytest.raises(ims.ImsTumorError, match=words):
        _ = fit_config(**{name: value}).computing


def test_options_that_can_be_are_taken_as_they_are_meant() -> None:
    config = fit_config(
        epochs=np.int64(3), seed=np.uint8(4), steps=None, time_limit_s=np.float32(0.5),
        smooth=np.bool_(False), tune="last-blocks", augment=["shift"], region_share=1,
    )  # fmt: skip
    assert (config.epochs, config.seed, type(config.epochs)) == (3, 4, int)
    assert (config.smooth, config.tune, config.augment) == (False, "last blocks", ("shift",))
    assert fit_config(augment="shift").augment == ("shift",)
    assert fit_config(augment=()).augment == ()


def test_groups_that_are_no_whole_numbers_are_refused_and_not_cut() -> None:
    made = Cohorts.slide(0)
    image = np.linspace(0.1, 0.9, 48).reshape(6, 8)
    with pytest.raises(ims.ImsTumorError, match="image of groups holds float64 values that are"):
        ims.fit(made.slide, made.labels, image, network="linear")
    halves = np.repeat([[1.0], [2.0]], [3, 3], axis=0).repeat(8, axis=1)
    same = [
        ims.fit(made.slide, made.labels, groups, network="linear").model_id
        for groups in (halves, halves.astype(int), halves.astype(int).tolist())
    ]
    assert same[0] == same[1] == same[2]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    ims.simulate(folder, slides=2, rows=20, columns=24, channels=60)
    return folder / "cohort.csv"


def test_one_network_by_its_name_and_memory_in_bytes(table: Path) -> None:
    report = ims.evaluate(table, networks="linear", folds=np.int64(2), memory_budget=2_000_000_000)
    assert "linear" in report.results
    assert "default" not in report.results
    assert report.options["folds"] == 2


@pytest.mark.parametrize(
    "wrong", [{"folds": "5"}, {"folds": 2.5}, {"folds": 1}, {"permute_labels": -1},
              {"permute_labels": 0.5}, {"networks": "l"}, {"networks": ()}],
)  # fmt: skip
def test_questions_to_evaluate_that_cannot_be(table: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ims.ImsTumorError, match=r"whole number|no network"):
        ims.evaluate(table, **{"networks": ("linear",), **wrong})


@pytest.mark.parametrize("wrong", [3, [1], {"a": 1}, np.zeros(3)])
def test_what_is_no_model_or_slide_is_one_sentence(table: Path, wrong: Any) -> None:
    made = Cohorts.slide(0)
    model = ims.fit(made.slide, made.labels, network="linear")
    with pytest.raises(ims.ImsTumorError, match=r"base is .*: give a model to start from"):
        ims.fit(made.slide, made.labels, base=wrong, network="linear")
    with pytest.raises(ims.ImsTumorError, match=r"base is .*: give a model to start from"):
        ims.fit_cohort(table, base=wrong, network="linear")
    for other in (wrong, None):
        for ask in (ims.predict, ims.explain):
            with pytest.raises(ims.ImsTumorError, match=r"the model is .*: give the path of a"):
                ask(other, made.slide)
            with pytest.raises(ims.ImsTumorError, match=r"the slide is .*: give the path of an"):
                ask(model, other)
        with pytest.raises(ims.ImsTumorError, match=r"the model is .*: give the path of a"):
            ims.validate(other, table)
        with pytest.raises(ims.ImsTumorError, match=r"the slide is .*: give the path of an"):
            ims.fit(other, made.labels, network="linear")
        with pytest.raises(ims.ImsTumorError, match=r"the slide is .*: give the path of an"):
            ims.plan_export(other, "part.imzML")


def test_masked_pixels_are_not_labelled_and_in_no_group() -> None:
    made = Cohorts.slide(0)
    labels, groups = made.labels.labels, np.repeat([[1], [2]], [3, 3], axis=0).repeat(8, axis=1)
    corner = np.zeros(labels.shape, bool)
    corner[:2] = True
    masked, fewer = np.ma.masked_array(labels, corner), np.where(corner, 0, labels)
    models = [ims.fit(made.slide, known, network="linear") for known in (masked, fewer)]
    assert models[0].model_id == models[1].model_id
    assert models[0].card["n healthy"] == models[1].card["n healthy"]
    with pytest.raises(ims.ImsTumorError, match="14 labelled pixels of slide0 have no group"):
        ims.fit(made.slide, made.labels, np.ma.masked_array(groups, corner), network="linear")


def test_a_report_where_no_folder_can_be_is_one_sentence(table: Path, tmp_path: Path) -> None:
    report = ims.evaluate(table, networks="linear", folds=2)
    (tmp_path / "taken").write_text("something", encoding="utf-8")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(ims.ImsTumorError, match="no folder can be made there for the report"):
            report.write(folder)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "something"
