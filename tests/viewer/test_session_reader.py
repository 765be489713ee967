"""``napari study.imstumor``: the session is there without a dock, and a dock goes on with it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

import napari_ims_tumor as ims
from napari_ims_tumor.errors import SessionFileError
from napari_ims_tumor.session.autosave import FOLDER_VARIABLE
from napari_ims_tumor.viewer import session_reader
from napari_ims_tumor.viewer.bound import binding_of
from napari_ims_tumor.viewer.reader import NOTHING_TO_ADD
from napari_ims_tumor.viewer.slide_tag import first_of, tag_of


@pytest.fixture
def saved(session, tmp_path, monkeypatch):
    """A session file with strokes on a slide beside it."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "autosave"))
    (slide,) = ims.simulate(tmp_path, rows=16, columns=20, channels=60)
    session.open(slide.imzml)
    session.annotate(np.load(slide.labels))
    path = tmp_path / "study.imstumor"
    session.files.save_session(path)
    return path


@pytest.fixture
def shown(monkeypatch):
    """A viewer that napari has open."""
    viewer = ViewerModel()
    monkeypatch.setattr(session_reader.napari, "current_viewer", lambda: viewer)
    return viewer


def test_one_session_file_is_claimed(tmp_path):
    assert session_reader.get_session_reader(str(tmp_path / "a.IMSTUMOR")) is not None
    assert session_reader.get_session_reader([tmp_path / "a.imstumor"] * 2) is None
    assert session_reader.get_session_reader(tmp_path / "a.imzML") is None


def test_layers_appear_and_strokes_are_followed(saved, shown, session):
    read = session_reader.get_session_reader(saved)
    assert read(saved) == NOTHING_TO_ADD
    assert [tag_of(la).role for la in shown.layers] == ["tic", "stack", *["peak"] * 3, "labels"]
    binding = binding_of(shown)
    assert binding is not None
    (slide,) = binding.session.slides
    assert np.array_equal(slide.annotation.labels, session.active.annotation.labels)
    first_of(shown.layers, slide.dataset, "labels").paint((4, 4), 2)
    assert binding.session.slides[0].annotation.labels[4, 4] == 2
    assert binding.session.slides[0].annotation.revision == 2


def test_a_second_file_takes_the_place_of_the_first(saved, shown):
    session_reader.read_session(saved)
    session_reader.read_session(saved)
    assert len(binding_of(shown).session.slides) == 1
    assert len(shown.layers) == 6


def test_without_a_viewer_the_layers_are_handed_over(saved):
    layers = [Layer.create(*made) for made in session_reader.read_session(saved)]
    assert [tag_of(la).role for la in layers] == ["tic", "stack", *["peak"] * 3, "labels"]
    assert layers[-1].data.any()
    saved.write_bytes(b"nonsense")
    with pytest.raises(SessionFileError, match="not a session file"):
        session_reader.read_session(saved)
