"""Spectra are prepared while strokes are painted; what is fitted and answered stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.session.conftest import two_tissues

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.binning import kept_nbytes, let_bins_go
from napari_ims_tumor.msi.memory_budget import MemoryBudget
from napari_ims_tumor.session.session import Session

LINEAR = FitConfig(network="linear")


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    let_bins_go()
    yield
    let_bins_go()


def fitted(session: Session) -> tuple[str, np.ndarray]:
    session.classifier.fit(LINEAR)
    assert session.classifier.model is not None
    assert session.active is not None
    assert session.active.prediction is not None
    return session.classifier.model.model_id, session.active.prediction.probabilities


def nothing_fits(monkeypatch: Any) -> None:
    monkeypatch.setattr(MemoryBudget, "of_kept_bins", property(lambda _: 0))


def test_the_same_model_and_answers_with_and_without(session, slide, strokes, monkeypatch) -> None:
    session.adopt(slide)
    assert kept_nbytes() == 0
    session.annotate(strokes)
    assert kept_nbytes() == slide.n_spectra * 40 * 4
    prepared = fitted(session)
    let_bins_go()
    nothing_fits(monkeypatch)
    plain = fitted(session)
    assert kept_nbytes() == 0
    assert plain[0] == prepared[0]
    np.testing.assert_array_equal(plain[1], prepared[1])


def test_it_is_let_go_with_the_slide_and_with_the_session(session, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.close_slide(session.active)
    assert kept_nbytes() == 0
    session.adopt(two_tissues("another"))
    session.annotate(strokes)
    assert kept_nbytes() > 0
    session.close()
    assert kept_nbytes() == 0


def test_the_slide_that_is_predicted_is_the_one_that_is_kept(session, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    fitted(session)
    rng = np.random.default_rng(1)
    larger = two_tissues("larger", seed=int(rng.integers(9)))
    session.adopt(larger)
    session.classifier.predict()
    before = session.active.prediction.probabilities
    # A second time without a file: from memory.
    session.classifier.predict()
    np.testing.assert_array_equal(session.active.prediction.probabilities, before)


def test_a_slide_that_cannot_be_prepared_says_nothing(session, ear, slide, strokes, monkeypatch):
    session.adopt(slide)

    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(type(slide), "blocks", broken)
    session.annotate(strokes)
    assert ear["failed"] == []
