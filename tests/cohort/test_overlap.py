"""A validation says when it judges a model on what it was fitted on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.overlap import group_mark
from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.checkpoint import model_bytes, read_model, write_model
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.seen import Seen

LINEAR = FitConfig(network="linear")


def fitted(*slides: Any, base: FittedModel | None = None) -> FittedModel:
    return run_inline(fit_cohort(slides, LINEAR, base))


def warnings(model: FittedModel, *slides: Any) -> tuple[str, ...]:
    return run_inline(validate(model, slides)).warnings


def halves(slide: Any) -> tuple[Any, Any]:
    upper, lower = slide.labels.labels.copy(), slide.labels.labels.copy()
    upper[3:], lower[:3] = 0, 0
    return replace(slide, labels=Annotation(upper)), replace(slide, labels=Annotation(lower))


def test_new_slides_of_new_patients_give_no_warning(cohorts: Any) -> None:
    model = fitted(*cohorts.cohort(2))
    assert warnings(model, cohorts.slide(7, "new")) == ()


def test_the_same_pixels_are_counted(cohorts: Any) -> None:
    model = fitted(*cohorts.cohort(2))
    said = warnings(model, cohorts.slide(0, "new"), cohorts.slide(7, "newer"))
    assert said[0].startswith("38 of the 76 judged pixels were in the model's fit (slide0)")


def test_other_pixels_of_a_slide_are_named(cohorts: Any) -> None:
    upper, lower = halves(cohorts.slide(0, "ann"))
    (said,) = warnings(fitted(upper), replace(lower, groups="ben"))
    assert said.startswith("The model was fitted on other pixels of slide0")


def test_the_same_patient_on_another_slide_is_named(cohorts: Any) -> None:
    model = fitted(cohorts.slide(0, "ann"), cohorts.slide(1, "ben"))
    (said,) = warnings(model, cohorts.slide(5, "ben"), cohorts.slide(6, "cid"))
    assert "(ben)" in said


def test_fine_tuning_keeps_what_the_base_was_fitted_on(cohorts: Any) -> None:
    upper, lower = halves(cohorts.slide(0, "ann"))
    base = fitted(upper)
    tuned = fitted(lower, cohorts.slide(1, "ben"), base=base)
    said = warnings(tuned, cohorts.slide(0, "ann"))
    assert said[0].startswith("38 of the 38 judged pixels")
    assert "(ann)" in said[1]


def test_a_fine_tuned_model_says_what_its_base_had_seen(cohorts: Any) -> None:
    upper, lower = halves(cohorts.slide(0, "ann"))
    base = fitted(upper, cohorts.slide(1, "ben"))
    assert "held-out warning" not in base.card
    same = fitted(cohorts.slide(0, "ann"), cohorts.slide(2, "cid"), base=base).summary()
    both = "was fitted on 19 of these 76 pixels and groups of the same name (ann): held-out figures"
    assert any(both in text for text in same)
    other = fitted(lower, cohorts.slide(2, "cid"), base=base).summary()
    assert any("was fitted on other pixels of slide0" in text for text in other)
    new = fitted(cohorts.slide(2, "cid"), cohorts.slide(3, "dan"), base=base)
    assert "held-out warning" not in new.card


def test_a_fine_tuned_model_says_that_its_base_knew_the_patients(cohorts: Any) -> None:
    base = fitted(cohorts.slide(0, "ann"), cohorts.slide(1, "ben"))
    other = fitted(cohorts.slide(2, "ann"), cohorts.slide(3, "cid"), base=base)
    assert other.card["held-out warning"] == (
        "the model to start from was fitted on groups of the same name (ann): if they are the same "
        "patients, held-out figures are too high, and probabilities too sure"
    )
    unnamed = fitted(cohorts.slide(2), cohorts.slide(3), base=fitted(*cohorts.cohort(2)))
    assert "held-out warning" not in unnamed.card


def test_marks_survive_the_file_and_hold_no_name(cohorts: Any, tmp_path: Path) -> None:
    model = fitted(cohorts.slide(0, "Ms Secret"), cohorts.slide(1, "Mr Hidden"))
    write_model(tmp_path / "m.safetensors", model)
    assert read_model(tmp_path / "m.safetensors").seen == model.seen
    content = model_bytes(model)
    assert not any(name in content for name in (b"Secret", b"Hidden", b"slide0", b"slide1"))
    assert group_mark("Ms Secret", "a") != group_mark("Ms Secret", "b")


def test_a_slide_is_known_again_under_another_name(cohorts: Any, tmp_path: Path) -> None:
    made = cohorts.slide(0)
    write_imzml(tmp_path / "a.imzML", made.slide)
    first = replace(made, slide=tmp_path / "a.imzML", labels=Annotation(made.labels.labels[:, :7]))
    model = fitted(first)
    moved = tmp_path / "moved.imzML"
    for suffix in (".imzML", ".ibd"):
        (tmp_path / f"a{suffix}").rename(moved.with_suffix(suffix))
    assert "in the model's fit (moved)" in warnings(model, replace(first, slide=moved))[0]


def test_models_without_marks_are_read_and_said_to_be_unchecked(
    cohorts: Any, tmp_path: Path
) -> None:
    old = replace(fitted(*cohorts.cohort(2)), seen=None)
    assert b'"seen"' not in model_bytes(old)
    write_model(tmp_path / "old.safetensors", old)
    read = read_model(tmp_path / "old.safetensors")
    assert read.seen is None
    assert "does not say what it was fitted on" in warnings(read, cohorts.slide(7, "new"))[0]


@pytest.mark.parametrize("stored", [[], "x", {"slides": {"a": 1}, "groups": [], "salt": ""}, {}])
def test_damaged_marks_are_refused(stored: object) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        Seen.from_dict(stored)


def test_marks_that_are_no_pixels_find_none(cohorts: Any) -> None:
    model = fitted(*cohorts.cohort(2))
    assert model.seen is not None
    broken = dict.fromkeys(model.seen.slides, "!")
    said = warnings(replace(model, seen=Seen(broken)), cohorts.slide(0, "new"))
    assert said[0].startswith("The model was fitted on other pixels")


def test_spectra_are_told_by_their_number_in_the_file(cohorts: Any) -> None:
    slide = cohorts.slide(0)
    report = run_inline(validate(fitted(slide), (slide,)))
    from napari_ims_tumor.cohort.overlap import spectra_of

    gathered = report.gathered
    pixels = slide.slide.pixels
    expected = [
        pixels.index_at(int(r), int(c)) for r, c in zip(gathered.row, gathered.column, strict=True)
    ]
    np.testing.assert_array_equal(spectra_of(gathered, 0), expected)
