"""Ion images of a session: shown, pinned, three in one, and all of it back from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.session.conftest import Ear, two_tissues

from napari_ims_tumor import simulate
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, IonQuery, measured_images
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.ions import MOST_PINS
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session

DA = MassTolerance(0.5)
WINDOWS = [MassWindow(507.0 + i, DA) for i in range(MOST_PINS + 1)]


@pytest.fixture
def ear(session: Session) -> Ear:
    return Ear(session)


def test_the_shown_image_is_made_by_the_measure(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    session.adopt(slide)
    session.show_ion(WINDOWS[0])
    session.ions.measure_by(IonMeasure("max", "tic"))
    assert [m for (m,) in ear["measure_changed"]] == [IonMeasure("max", "tic")]
    raw, scaled = (shown for (shown,) in ear["ion_shown"])
    assert raw.measure == PLAIN
    expected = measured_images(slide, [WINDOWS[0]], IonMeasure("max", "tic"))[0]
    assert np.array_equal(scaled.image, expected, equal_nan=True)
    session.ions.measure_by(IonMeasure("max", "tic"))
    assert len(ear["ion_shown"]) == 2


def test_a_slide_that_was_not_looked_at_is_brought_up_to_the_measure(
    session: Session, ear: Ear
) -> None:
    first = session.adopt(two_tissues("first"))
    session.show_ion(WINDOWS[0])
    session.adopt(two_tissues("second", 1))
    session.ions.measure_by(IonMeasure("mean"))
    session.activate(first)
    assert ear["ion_shown"][-1][0].measure == IonMeasure("mean")
    assert ear["ion_shown"][-1][0].slide.name == "first"


def test_ten_are_pinned_and_the_next_is_told_why_not(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    state = session.adopt(slide)
    for window in WINDOWS:
        session.ions.pin(window)
    assert session.ions.pins(state) == tuple(IonQuery(w) for w in WINDOWS[:MOST_PINS])
    assert len(ear["ion_pinned"]) == MOST_PINS
    assert ear["noticed"] == [
        (
            "10 ion images are pinned, and more would make the viewer slow: delete the layer of "
            "one of them first.",
        )
    ]
    session.ions.unpin(state, IonQuery(WINDOWS[3]))
    assert len(ear["ion_unpinned"]) == 1
    session.ions.pin(WINDOWS[-1])
    assert session.ions.pins(state)[-1].window == WINDOWS[-1]


def test_the_same_ion_is_pinned_once_but_again_by_another_measure(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    state = session.adopt(slide)
    for measure in (PLAIN, PLAIN, IonMeasure("max")):
        session.ions.pin(WINDOWS[0], measure)
    assert [query.measure for query in session.ions.pins(state)] == [PLAIN, IonMeasure("max")]
    assert ear["noticed"] == [(f"{WINDOWS[0]} is pinned already.",)]


def test_three_become_one(session: Session, slide: InMemoryDataset, ear: Ear) -> None:
    state = session.adopt(slide)
    session.ions.combine([IonQuery(w) for w in WINDOWS[:2]])
    assert "three ion images" in ear["noticed"][0][0]
    queries = [IonQuery(WINDOWS[0]), IonQuery(WINDOWS[1], IonMeasure("max")), IonQuery(WINDOWS[2])]
    session.ions.combine(queries)
    (three,) = ear["ions_combined"][0]
    assert [one.query for one in three] == queries
    for one in three:
        expected = measured_images(slide, [one.window], one.measure)[0]
        assert np.array_equal(one.image, expected, equal_nan=True)
    assert session.ions.combined(state) == tuple(queries)
    session.close_slide(state)
    assert session.ions.combined(state) == session.ions.pins(state) == ()


def test_peaks_of_the_mean_are_there_and_those_of_the_maximum_on_demand(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    state = session.adopt(slide)
    current = session.current(state)
    assert current is not None
    assert current.overview is not None
    assert session.ions.peaks(current) is current.overview.peaks
    session.ions.pick_from("max")
    assert len(ear["peaks_found"]) == 1
    assert session.ions.peaks(current).mz.size > 0
    assert session.ions.peaks(current) is not current.overview.peaks
    session.ions.pick_from("max")
    assert len(ear["peaks_found"]) == 2


def test_pins_colors_and_measure_come_back_with_a_session(tmp_path: Path) -> None:
    (files,) = simulate(tmp_path, rows=14, columns=16, channels=80)
    session = Session(InlineRunner(), Autosave(tmp_path / "autosave"))
    session.open(files.imzml)
    slide = session.active
    assert slide is not None
    low, high = slide.dataset.mass_range
    windows = [MassWindow(mz, MassTolerance(0.4)) for mz in np.linspace(low + 1, high - 1, 4)]
    measure = IonMeasure("mean", windows[3])
    session.ions.measure_by(measure)
    session.show_ion(windows[0])
    for window in windows[:3]:
        session.ions.pin(window, IonMeasure("max", "rms"))
    session.ions.combine([IonQuery(window, measure) for window in windows[:3]])
    path = tmp_path / "study.imstumor"
    session.files.save_session(path)
    again = Session(InlineRunner(), Autosave(tmp_path / "autosave"))
    ear = Ear(again)
    again.files.open_session(path)
    assert not ear["failed"]
    other = again.active
    assert other is not None
    assert again.ions.measure == measure
    assert again.ions.pins(other) == session.ions.pins(slide)
    assert again.ions.combined(other) == session.ions.combined(slide)
    made = [one for (one,) in ear["ion_pinned"]] + list(ear["ions_combined"][0][0])
    made += [one for (one,) in ear["ion_shown"]]
    assert len(made) == 7
    for one in made:
        expected = measured_images(slide.dataset, [one.window], one.measure)[0]
        assert np.array_equal(one.image, expected, equal_nan=True)
    again.files.save_session(tmp_path / "again.imstumor")
    assert (tmp_path / "again.imstumor").read_bytes() == path.read_bytes()
