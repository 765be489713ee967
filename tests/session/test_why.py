from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.session.conftest import two_tissues

from napari_ims_tumor.cohort import explaining
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.why import Explained


class Ear:
    def __init__(self, session: Session) -> None:
        self.explained: list[Explained] = []
        self.not_explained: list[str] = []
        self.failed: list[str] = []
        session.explained.connect(self.explained.append)
        session.not_explained.connect(self.not_explained.append)
        session.failed.connect(self.failed.append)


@pytest.fixture
def ear(session: Session) -> Ear:
    return Ear(session)


def fitted(session: Session) -> None:
    slide = session.adopt(two_tissues())
    labels = np.zeros(slide.dataset.pixels.image_shape, np.uint8)
    rows, columns = labels.shape
    labels[1 : rows - 1, 1 : columns // 2 - 1] = 1
    labels[1 : rows - 1, columns // 2 + 1 : columns - 1] = 2
    labels[rows // 2] = 0
    session.annotate(labels)
    session.classifier.fit(FitConfig("linear", device="cpu"))
    assert session.classifier.model is not None


def measured(session: Session) -> tuple[int, int]:
    slide = session.active
    assert slide is not None
    return int(slide.dataset.pixels.rows[3]), int(slide.dataset.pixels.columns[3])


def test_it_says_why_not(session: Session, ear: Ear) -> None:
    session.why.want(True)
    assert "Open a slide first" in ear.not_explained[-1]
    session.adopt(two_tissues())
    session.why.explain_pixel()
    assert "Fit a model or open one first" in ear.not_explained[-1]
    session.why.explain_class("tumor")
    assert "Fit a model" in ear.failed[-1]


def test_without_a_click_it_asks_for_one(session: Session, ear: Ear) -> None:
    fitted(session)
    session.why.want(True)
    assert "Click a pixel" in ear.not_explained[-1]
    assert session.why.shown is None


def test_the_clicked_pixel_is_explained_with_what_peaks_say_alone(
    session: Session, ear: Ear
) -> None:
    fitted(session)
    session.pick(*measured(session))
    session.why.want(True)
    first, second = ear.explained
    assert first.explanation.univariate is None
    assert second.explanation.univariate is not None
    row, column = measured(session)
    assert f"row {row}, column {column} of" in second.explanation.about
    assert "against 8 of" in second.explanation.about
    assert second.explanation.left_over < 1e-3
    # What peaks say alone is known by now.
    session.why.explain_pixel()
    assert len(ear.explained) == 3
    assert ear.explained[-1].explanation.univariate is second.explanation.univariate


def test_new_strokes_let_peaks_be_compared_again(session: Session, ear: Ear) -> None:
    fitted(session)
    session.pick(*measured(session))
    session.why.want(True)
    before = ear.explained[-1].explanation.univariate
    slide = session.active
    assert slide is not None
    changed = slide.annotation.labels.copy()
    changed[changed == 2] = 0
    changed[1, -2] = 2
    session.annotate(changed)
    session.why.explain_pixel()
    assert ear.explained[-1].explanation.univariate is not before


def test_a_class_is_explained_toward_the_tumor(session: Session, ear: Ear, tmp_path: Path) -> None:
    fitted(session)
    session.why.explain_class("healthy")
    found = ear.explained[-1].explanation
    assert found.target == "tumor"
    assert "labelled as healthy" in found.about
    assert "labelled as tumor" in found.about
    assert ear.explained[-1].title == "all healthy against tumor pixels"
    assert found.moved < 0
    session.why.write(tmp_path / "why.csv")
    assert (tmp_path / "why.csv").read_text().startswith("# explained:")


def test_nothing_to_write_says_so(session: Session, ear: Ear, tmp_path: Path) -> None:
    session.why.write(tmp_path / "why.csv")
    assert ear.failed
    assert not list(tmp_path.glob("*.csv"))


def test_a_slide_closed_meanwhile_is_not_explained(session: Session, ear: Ear) -> None:
    fitted(session)
    session.pick(*measured(session))
    slide = session.active
    assert slide is not None
    session.close_slide(slide)
    session.why.explain_pixel()
    assert not ear.explained


def test_what_was_chosen_for_the_fit_explains_too(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    explainer = explaining.Explainer

    def watched(model: Any, target: str, how: Any, device: object) -> Any:
        asked.append(device)
        return explainer(model, target, how, Computing.of(device))  # type: ignore[arg-type]

    monkeypatch.setattr(explaining, "Explainer", watched)
    fitted(session)
    session.pick(*measured(session))
    session.why.explain_pixel()
    session.why.explain_class("healthy")
    assert asked == [Computing("cpu")] * 2
