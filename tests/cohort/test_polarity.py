"""Positive and negative ions are never mixed where files say which they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import napari_ims_tumor as ims
from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cli import main
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError, ModelFileError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig

LINEAR = FitConfig("linear", device="cpu")


@pytest.fixture
def slides(cohorts: Any, tmp_path: Path) -> dict[str, CohortSlide]:
    found = {"unknown": cohorts.slide(2, "patient 2")}
    for seed, polarity in enumerate(("positive", "negative")):
        made = cohorts.slide(seed, f"patient {seed}")
        write_imzml(tmp_path / f"{polarity}.imzML", made.slide, polarity)
        labels = Annotation(made.labels.labels[:, :7])
        found[polarity] = CohortSlide(tmp_path / f"{polarity}.imzML", labels, made.groups)
    return found


def test_a_cohort_of_both_is_refused(slides: dict[str, CohortSlide]) -> None:
    both = (slides["positive"], slides["unknown"], slides["negative"])
    with pytest.raises(CohortError, match="positive is of positive ions and negative of negative"):
        run_inline(gather(both))
    assert run_inline(gather(both[:2])).polarity == "positive"
    assert run_inline(gather((slides["unknown"],))).polarity is None


def test_a_model_keeps_its_polarity_and_meets_no_other(
    slides: dict[str, CohortSlide], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run_inline(fit_cohort((slides["positive"],), LINEAR))
    assert model.card["polarity"] == "positive"
    file = tmp_path / "m.safetensors"
    ims.write_model(file, model)
    model = ims.read_model(file)
    other = slides["negative"]
    said = "fitted to positive ions and negative is of negative"
    with pytest.raises(ModelFileError, match=said):
        ims.predict(model, other.slide)
    with pytest.raises(ModelFileError, match=said):
        ims.explain(model, other.slide, pixel=(0, 0))
    with pytest.raises(ModelFileError, match=said):
        run_inline(validate(model, (other,)))
    with pytest.raises(ModelFileError, match=said):
        run_inline(fit_cohort((other,), LINEAR, model))
    assert main(["predict", str(file), str(other.slide), "-o", str(tmp_path / "p.npy")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "p.npy").exists()


def test_what_is_not_known_goes_with_everything(slides: dict[str, CohortSlide]) -> None:
    model = run_inline(fit_cohort((slides["positive"],), LINEAR))
    assert ims.predict(model, slides["unknown"].slide).probabilities.size
    again = run_inline(fit_cohort((slides["unknown"],), LINEAR, model))
    assert again.card["polarity"] == "positive"
    unknown = run_inline(fit_cohort((slides["unknown"],), LINEAR))
    assert "polarity" not in unknown.card
    assert ims.predict(unknown, slides["negative"].slide).probabilities.size
    both = replace(model, card={**model.card, "polarity": "positive and negative"})
    assert ims.predict(both, slides["negative"].slide).probabilities.size
