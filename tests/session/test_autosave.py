"""Strokes are never lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from napari_ims_tumor.session import life_sign
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session

KILLED = """
import sys, time
sys.path.insert(0, {here!r})
from conftest import two_tissues
import numpy as np
from pathlib import Path
from napari_ims_tumor.session import life_sign
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
session = Session(InlineRunner(), Autosave(Path({folder!r})))
slide = two_tissues()
session.adopt(slide)
labels = np.zeros((12, 10), np.uint8)
labels[2, 2:6] = 2
session.annotate(labels)
session.files.autosave_now()
print("painted", flush=True)
time.sleep(60)
"""


def _kept(folder: Path) -> list[Path]:
    return list((folder / "autosave").glob("*.npz"))


def test_a_killed_process_has_its_strokes_offered_back(session, ear, slide, tmp_path) -> None:
    here = str(Path(__file__).parent)
    code = KILLED.format(here=here, folder=str(tmp_path / "autosave"))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "painted\n"
    os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait(10)

    session.adopt(slide)
    [(state, found)] = ear["strokes_found"]
    assert found.n_pixels == 4
    assert found.describe().startswith("4 painted pixels from 20")
    session.files.recover(state, found)
    assert (session.active.annotation.labels[2, 2:6] == 2).all()
    # Once recovered they are this session's: offered again only if this one is killed, too.
    [kept] = _kept(tmp_path)
    with np.load(kept) as stored:
        np.testing.assert_array_equal(stored["labels"], session.active.annotation.labels)


def test_strokes_of_a_window_that_still_runs_are_offered_to_nobody(
    session, ear, slide, strokes, tmp_path
) -> None:
    here = str(Path(__file__).parent)
    code = KILLED.format(here=here, folder=str(tmp_path / "autosave"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "painted\n"
        session.adopt(slide)
        assert not ear["strokes_found"]
        # Nor to a second window of the same process.
        session.annotate(strokes)
        session.files.autosave_now()
        assert Autosave(tmp_path / "autosave").find(slide) is None
        other.kill()
        other.wait(10)
        found = Autosave(tmp_path / "autosave").find(slide)
        assert found is not None
        assert found.n_pixels == 4
    assert len(_kept(tmp_path)) == 2


def test_a_slide_closed_and_opened_again_has_its_strokes_offered_back(
    session, ear, slide, strokes, tmp_path
) -> None:
    session.close_slide(_annotated(session, slide, strokes))
    again = session.adopt(slide)
    # Painting on must not overwrite what was found.
    session.annotate(np.eye(12, 10, dtype=np.uint8), again)
    session.files.autosave_now()
    [(state, found)] = ear["strokes_found"]
    assert state.key == again.key
    np.testing.assert_array_equal(found.annotation.labels, strokes)
    assert found.path.is_file()


def _annotated(session, slide, strokes):
    state = session.adopt(slide)
    session.annotate(strokes, state)
    return state


def test_strokes_that_a_file_replaces_are_offered_back(
    session, ear, slide, strokes, tmp_path
) -> None:
    state = _annotated(session, slide, strokes)
    np.save(tmp_path / "other.npy", np.zeros_like(strokes))
    session.files.load_labels(tmp_path / "other.npy")
    assert not session.active.annotation.labels.any()
    [(offered, found)] = ear["strokes_found"]
    assert offered.key == state.key
    session.files.recover(offered, found)
    np.testing.assert_array_equal(session.active.annotation.labels, strokes)


def test_saved_strokes_that_a_file_replaces_are_not_offered(
    session, ear, slide, strokes, tmp_path
) -> None:
    _annotated(session, slide, strokes)
    session.files.save_labels(tmp_path / "mine.npy")
    np.save(tmp_path / "other.npy", np.zeros_like(strokes))
    session.files.load_labels(tmp_path / "other.npy")
    assert not ear["strokes_found"]


def test_a_folder_without_locks_still_offers_strokes(slide, strokes, tmp_path, monkeypatch) -> None:
    def refuse(_: object) -> None:
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr(life_sign, "_lock", refuse)
    writer = Session(InlineRunner(), Autosave(tmp_path / "autosave"))
    _annotated(writer, slide, strokes)
    writer.files.autosave_now()
    assert Autosave(tmp_path / "autosave").find(slide) is not None


def test_recovered_strokes_do_not_paint_over_newer_ones(session, ear, slide, tmp_path) -> None:
    other = Session(InlineRunner(), Autosave(tmp_path / "autosave"))
    other.adopt(slide)
    other.annotate(np.full((12, 10), 1, np.uint8))
    other.close()
    session.adopt(slide)
    newer = np.zeros((12, 10), np.uint8)
    newer[0] = 2
    session.annotate(newer)
    [(state, found)] = ear["strokes_found"]
    session.files.recover(state, found)
    assert (session.active.annotation.labels[0] == 2).all()
    assert (session.active.annotation.labels[1:] == 1).all()


def test_saved_strokes_are_not_offered_back(session, slide, strokes, tmp_path) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.files.autosave_now()
    assert _kept(tmp_path)
    session.files.save_labels(tmp_path / "labels.npy")
    assert not _kept(tmp_path)
    session.close()
    assert Autosave(tmp_path / "autosave").find(slide) is None


def test_erasing_everything_leaves_nothing_to_offer(session, slide, strokes, tmp_path) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.files.autosave_now()
    session.annotate(np.zeros_like(strokes))
    session.files.autosave_now()
    assert not _kept(tmp_path)


def test_closing_the_window_keeps_what_was_just_painted(session, slide, strokes, tmp_path) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.close()
    assert Autosave(tmp_path / "autosave").find(slide) is not None


def test_a_damaged_copy_disturbs_nobody(session, ear, slide, strokes, tmp_path) -> None:
    writer = Autosave(tmp_path / "autosave")
    first = Session(InlineRunner(), writer)
    first.adopt(slide)
    first.annotate(strokes)
    first.close()
    [path] = _kept(tmp_path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"PK\x03\x04" + bytes(50), whole[:-30]):
        path.write_bytes(damaged)
        assert Autosave(tmp_path / "autosave").find(slide) is None


def test_a_folder_that_cannot_be_written_is_said_once_and_tried_again(
    ear, session, slide, strokes, tmp_path
) -> None:
    (tmp_path / "autosave").write_text("a file where the folder should be")
    session.adopt(slide)
    session.annotate(strokes)
    session.files.autosave_now()
    session.files.autosave_now()
    [(message,)] = ear["failed"]
    assert "could not be autosaved" in message
    # The disk is back: what could not be kept is kept now, without another stroke.
    (tmp_path / "autosave").unlink()
    session.files.autosave_now()
    assert len(ear["failed"]) == 1
    [copy] = (tmp_path / "autosave").glob("*.npz")
    with np.load(copy) as stored:
        np.testing.assert_array_equal(stored["labels"], strokes)


def test_whole_regions_are_offered_back_too(session, ear, slide, strokes) -> None:
    regions = np.where(strokes == 0, 130, strokes).astype(np.uint8)
    session.close_slide(_annotated(session, slide, regions))
    session.adopt(slide)
    [(_, found)] = ear["strokes_found"]
    np.testing.assert_array_equal(found.annotation.labels, regions)
