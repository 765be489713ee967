"""A session is saved into one file and opened from it, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.session.conftest import Ear, two_tissues

import napari_ims_tumor as ims
from napari_ims_tumor.io.session_file import read_session, write_session
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.synthetic.recipe import Faults, SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.reopening import MissingSlide
from napari_ims_tumor.session.session import Session

WINDOW = MassWindow(798.0, MassTolerance(0.3))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("slides")
    return ims.simulate(folder, rows=16, columns=20, channels=80, slides=2)


@pytest.fixture
def study(simulated: list[Any], tmp_path: Path) -> SimpleNamespace:
    """A folder of two slides, and where a session file would lie in it."""
    folder = (tmp_path / "study").resolve()
    shutil.copytree(simulated[0].imzml.parent, folder)
    first, second = (folder / one.imzml.name for one in simulated)
    labels = np.load(folder / simulated[0].labels.name)
    return SimpleNamespace(
        folder=folder, first=first, second=second, labels=labels, file=folder / "a.imstumor"
    )


def new_session(tmp_path: Path) -> Session:
    return Session(InlineRunner(), Autosave(tmp_path / "autosave"))


def worked(session: Session, study: SimpleNamespace) -> None:
    """Two slides, strokes, an ion image, a model, a prediction and a picked pixel."""
    session.open(study.second)
    session.open(study.first)
    strokes = study.labels.copy()
    strokes[::3] = 0
    session.annotate(strokes)
    session.show_ion(WINDOW)
    session.classifier.fit(FitConfig("linear"))
    row, column = np.argwhere(session.slides[1].dataset.pixels.measured)[5]
    session.pick(int(row), int(column))


def move(study: SimpleNamespace, folder: Path, name: str | None = None) -> Path:
    """Move the first slide away."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / (name or study.first.name)
    for suffix in (".imzML", ".ibd"):
        shutil.move(study.first.with_suffix(suffix), place.with_suffix(suffix))
    return place


def test_everything_comes_back(session: Session, study: SimpleNamespace, tmp_path: Path) -> None:
    worked(session, study)
    session.annotate(np.where(study.labels == 2, 2, 0).astype(np.uint8))
    session.files.save_session(study.file)
    again = new_session(tmp_path)
    ear = Ear(again)
    again.files.open_session(study.file)
    assert not ear["failed"]
    assert not ear["strokes_found"]
    assert [s.name for s in again.slides] == [s.name for s in session.slides]
    one, other = session.active, again.active
    assert one is not None
    assert other is not None
    assert other.name == one.name
    assert np.array_equal(other.annotation.labels, one.annotation.labels)
    assert other.annotation.revision == one.annotation.revision == 2
    assert other.prediction_is_stale
    assert one.prediction is not None
    assert other.prediction is not None
    for name in ("probabilities", "uncertainty"):
        values = (getattr(p, name) for p in (one.prediction, other.prediction))
        assert np.array_equal(*values, equal_nan=True)
    assert again.classifier.model is not None
    assert session.classifier.model is not None
    assert again.classifier.model.model_id == session.classifier.model.model_id
    assert len(again.classifier.log) == len(session.classifier.log) > 0
    assert (again.picked, again.ion_of(other)) == (session.picked, WINDOW)
    assert [p.index for (p,) in ear["spectrum_picked"]] == [
        other.dataset.pixels.index_at(*session.picked[:2])  # type: ignore[index]
    ]
    assert np.isfinite(ear["ion_shown"][0][0].image).any()


def test_the_same_session_gives_the_same_bytes(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    content = study.file.read_bytes()
    again = new_session(tmp_path)
    again.files.open_session(study.file)
    again.files.save_session(study.folder / "b.imstumor")
    assert (study.folder / "b.imstumor").read_bytes() == content


def test_a_fit_after_reopening_is_as_after_the_first_time(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    again = new_session(tmp_path)
    again.files.open_session(study.file)
    before = again.classifier.model
    again.classifier.fit(FitConfig("linear"))
    assert again.classifier.model is not before
    assert again.classifier.model is not None
    assert before is not None
    assert again.classifier.model.model_id == before.model_id


def test_strokes_in_a_session_file_are_saved_strokes(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.autosave_now()
    assert list((tmp_path / "autosave").glob("*.npz"))
    session.files.save_session(study.file)
    assert not list((tmp_path / "autosave").glob("*.npz"))
    slide = session.active
    assert slide is not None
    assert slide.labels_path == study.file
    again = new_session(tmp_path)
    again.files.open_session(study.file)
    again.files.autosave_now()
    assert not list((tmp_path / "autosave").glob("*.npz"))


def test_unsaved_strokes_are_put_aside_and_offered_back(
    session: Session, ear: Ear, study: SimpleNamespace
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    mine = np.where(study.labels == 1, 1, 0).astype(np.uint8)
    session.annotate(mine)
    session.files.open_session(study.file)
    ((slide, found),) = ear["strokes_found"]
    assert np.array_equal(found.annotation.labels, mine)
    assert not np.array_equal(slide.annotation.labels, mine)


def test_the_whole_folder_may_move(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    away = tmp_path / "elsewhere"
    shutil.move(study.folder, away)
    again = new_session(tmp_path)
    again.files.open_session(away / study.file.name)
    assert {s.dataset.source.parent for s in again.slides} == {away.resolve()}  # type: ignore[union-attr]


def test_the_session_file_alone_may_move(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    again = new_session(tmp_path)
    again.files.open_session(Path(shutil.move(study.file, tmp_path / "b.imstumor")))
    assert len(again.slides) == 2


def test_a_moved_slide_is_asked_for_and_nothing_is_open_until_then(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    place = move(study, tmp_path / "disk", "renamed.imzML")
    again = new_session(tmp_path)
    again.adopt(two_tissues())
    ear, asked = Ear(again), list[MissingSlide]()
    again.files.on_missing = asked.append
    again.files.open_session(study.file)
    assert [s.name for s in again.slides] == ["two tissues"]
    assert (asked[0].name, asked[0].last_place) == ("simulated_1", str(study.first))
    again.files.open_session(asked[0].session_file, (*asked[0].places, place))
    assert [s.name for s in again.slides] == ["simulated_2", "renamed"]
    assert len(asked) == 1
    assert not ear["failed"]


def test_without_a_window_a_missing_slide_is_one_sentence(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    move(study, tmp_path / "disk")
    again = new_session(tmp_path)
    ear = Ear(again)
    again.files.open_session(study.file)
    ((message,),) = ear["failed"]
    assert f"simulated_1 is not found. It was last at {study.first}" in message
    assert again.slides == ()
    again.files.open_session(study.file, (tmp_path / "disk",))
    assert len(again.slides) == 2


def test_another_slide_is_refused_with_both_uuids(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    uuids = [s.dataset.metadata["uuid"].replace("-", "") for s in session.slides]  # type: ignore[attr-defined]
    move(study, tmp_path / "disk")
    for suffix in (".imzML", ".ibd"):
        shutil.copy(study.second.with_suffix(suffix), study.first.with_suffix(suffix))
    again = new_session(tmp_path)
    ear = Ear(again)
    again.files.open_session(study.file)
    ((message,),) = ear["failed"]
    assert all(uuid in message for uuid in uuids)
    assert again.slides == ()


def test_a_changed_slide_opens_with_a_warning(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    content = study.first.read_bytes()
    study.first.write_bytes(content.replace(b"</mzML>", b"<!-- edited --></mzML>"))
    assert study.first.read_bytes() != content
    again = new_session(tmp_path)
    ear = Ear(again)
    again.files.open_session(study.file)
    assert len(again.slides) == 2
    assert any("simulated_1 was changed" in words for (words,) in ear["noticed"])


def test_labels_of_another_shape_are_refused(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.save_session(study.file)
    stored = read_session(study.file)
    first = stored.slides[0]
    short = replace(first.annotation, labels=first.annotation.labels[:-1])
    write_session(study.file, replace(stored, slides=(replace(first, annotation=short),), active=0))
    again = new_session(tmp_path)
    ear = Ear(again)
    again.files.open_session(study.file)
    assert "have the shape" in ear["failed"][0][0]
    assert again.slides == ()


def test_a_damaged_file_changes_nothing(session: Session, ear: Ear, study: SimpleNamespace) -> None:
    worked(session, study)
    slides, model = session.slides, session.classifier.model
    study.file.write_bytes(b"nonsense")
    session.files.open_session(study.file)
    assert "not a session file" in ear["failed"][0][0]
    assert (session.slides, session.classifier.model) == (slides, model)
    stored = replace(read_session(_saved(session, study)), model=b"no model")
    write_session(study.file, stored)
    session.files.open_session(study.file)
    assert "the model in a.imstumor" in ear["failed"][1][0]
    assert session.classifier.model is model


def _saved(session: Session, study: SimpleNamespace) -> Path:
    session.files.save_session(study.file)
    return Path(study.file)


def test_no_session_is_opened_over_a_running_fit(
    session: Session, ear: Ear, study: SimpleNamespace
) -> None:
    worked(session, study)
    _saved(session, study)
    tried: list[str | None] = []

    def opened(_: object) -> None:
        tried.append(session.files.why_not_open_session())
        session.files.open_session(study.file)

    session.fit_reported.connect(opened)
    slides = session.slides
    session.classifier.fit(FitConfig("linear"))
    assert tried[0] is not None
    assert "stop it" in tried[0]
    assert ear["failed"][0] == (tried[0],)
    assert [s.key for s in session.slides] == [s.key for s in slides]


def test_a_simulated_slide_is_made_again(session: Session, tmp_path: Path) -> None:
    recipe = SlideRecipe(16, 20, 80, seed=3, faults=Faults(dead_pixels=0.1))
    dataset = simulate_slide(recipe, number=2, batch=1).dataset
    session.adopt(dataset)
    path = tmp_path / "a.imstumor"
    session.files.save_session(path)
    again = new_session(tmp_path)
    ear = Ear(again)
    again.files.open_session(path)
    assert not ear["failed"] + ear["noticed"]
    made = again.slides[0].dataset
    assert isinstance(made, InMemoryDataset)
    assert (made.name, made.digest()) == ("simulated_3", dataset.digest())
    stored = read_session(path)
    address = stored.slides[0].address
    assert address.recipe is not None
    for broken, words in (
        ({**address.recipe, "number": 1}, "simulated otherwise"),
        ({**address.recipe, "recipe": {}}, "recipe is damaged"),
        ({**address.recipe, "recipe": {**address.recipe["recipe"], "rows": 4096,
                                       "columns": 4096, "patients": None}}, "too large"),
    ):  # fmt: skip
        slide = replace(stored.slides[0], address=replace(address, recipe=broken))
        write_session(path, replace(stored, slides=(slide,)))
        again.files.open_session(path)
        told = [words for (words,) in ear["failed"] + ear["noticed"]]
        assert words in told[-1] or "have the shape" in told[-1]


def test_what_cannot_be_found_again_is_not_saved(
    session: Session, ear: Ear, tmp_path: Path
) -> None:
    session.files.save_session(tmp_path / "a.imstumor")
    assert "open a slide first" in ear["failed"][0][0]
    session.adopt(two_tissues())
    session.files.save_session(tmp_path / "a.imstumor")
    assert "lies in no file" in ear["failed"][1][0]
    assert not (tmp_path / "a.imstumor").exists()


class Look:
    """A part of the screen that remembers a number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def capture(self) -> dict[str, int]:
        return {"number": self.number}

    def restore(self, state: Any) -> None:
        self.number = state["number"]


def test_how_it_looked_waits_for_whoever_shows_it(
    session: Session, study: SimpleNamespace, tmp_path: Path
) -> None:
    worked(session, study)
    session.files.views.attach("dock", Look(7))
    session.files.save_session(study.file)
    again = new_session(tmp_path)
    again.files.open_session(study.file)
    again.files.save_session(study.folder / "b.imstumor")
    assert read_session(study.folder / "b.imstumor").view == {"dock": {"number": 7}}
    late = Look(0)
    again.files.views.attach("dock", late)
    assert late.number == 7
    late.number = 8
    again.files.views.detach("dock", late, late.capture())
    later = Look(0)
    again.files.views.attach("dock", later)
    assert later.number == 8
