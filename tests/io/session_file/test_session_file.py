from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.io.session_file.conftest import LABELS, VERSION_1, npy, version_1, zipped

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import ImsTumorError, SessionFileError
from napari_ims_tumor.io.session_file import (
    StoredSession,
    read_session,
    session_bytes,
    write_session,
)
from napari_ims_tumor.io.session_file.session_file import migrated


def assert_same(one: StoredSession, other: StoredSession) -> None:
    """Bytes tell every difference: the same content gives the same file."""
    assert session_bytes(one) == session_bytes(other)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.imstumor"


def test_a_session_comes_back_whole(stored: StoredSession, path: Path) -> None:
    write_session(path, stored)
    back = read_session(path)
    assert_same(back, stored)
    assert path.read_bytes() == session_bytes(stored)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    slide, known = back.slides[0], stored.slides[0]
    assert slide.address == known.address
    assert np.array_equal(slide.annotation.labels, known.annotation.labels)
    assert (slide.annotation.revision, slide.fitted_revision, slide.ion) == (4, 3, known.ion)
    assert slide.annotation.scheme == known.annotation.scheme
    assert slide.prediction is not None
    assert known.prediction is not None
    made, expected = (asdict(p) for p in (slide.prediction, known.prediction))
    assert np.array_equal(made.pop("probabilities"), expected.pop("probabilities"), equal_nan=True)
    assert made == expected
    assert (back.active, back.picked, back.model) == (0, (1, 2, 0), b"the bytes of a model")
    assert (back.fit_log, back.view) == (stored.fit_log, stored.view)


def test_trust_and_several_slides_come_back(stored: StoredSession, path: Path) -> None:
    first = stored.slides[0]
    assert first.prediction is not None
    apart = np.full(LABELS.shape, 0.5, np.float32)
    points = ((0.5, 1.0, 0.75), (0.75, 0.5, 1.0))
    told = replace(first.prediction, disagreement=apart, unfamiliarity=2 * apart, answers=points)
    second = replace(first, prediction=told, ion=None)
    third = replace(first, prediction=None, fitted_revision=None)
    many = replace(stored, slides=(first, second, third), active=2, picked=None, model=None)
    write_session(path, many)
    assert_same(read_session(path), many)


def test_an_older_version_opens(stored: StoredSession, path: Path) -> None:
    path.write_bytes(zipped(version_1()))
    assert_same(read_session(path), stored)


def test_versions_are_brought_up_one_by_one() -> None:
    steps = {
        1: lambda text: {**text, "picked_pixel": text["picked"]},
        2: lambda text: {name: text[name] for name in text if name != "picked"},
    }
    about = migrated({"version": 1, "picked": 7}, 3, steps)
    assert about == {"version": 3, "picked_pixel": 7}
    assert migrated({"version": 3}, 3, steps) == {"version": 3}


def test_neither_clock_nor_machine_is_inside(stored: StoredSession, path: Path) -> None:
    write_session(path, stored)
    with zipfile.ZipFile(path) as file:
        assert {i.date_time for i in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        text = file.read("session.json").decode()
    assert str(path.parent) not in text
    assert text.count("/study/") == 1


def test_only_its_own_ending_is_written(stored: StoredSession, tmp_path: Path) -> None:
    with pytest.raises(SessionFileError, match=r"\.imstumor"):
        write_session(tmp_path / "slide.imzML", stored)
    with pytest.raises(ImsTumorError, match="cannot be written"):
        write_session(tmp_path / "missing" / "a.imstumor", stored)


def test_a_missing_file_is_one_sentence(path: Path) -> None:
    with pytest.raises(SessionFileError, match="cannot be read"):
        read_session(path)


def text_with(**changes: Any) -> dict[str, bytes]:
    slide = {**VERSION_1["slides"][0], **changes}
    return version_1(slides=[slide])


FOREIGN: list[tuple[bytes, str]] = [
    (b"", "not a session file"),
    (b"not a zip at all", "not a session file"),
    (pickle.dumps({"a": 1}), "not a session file"),
    (b"PK\x03\x04 and no more", "cut off or damaged"),
    (zipped({}), "a zip file, but not"),
    (zipped({"word/document.xml": b"<xml/>"}), "a zip file, but not"),
    (zipped({**version_1(), "../../evil.py": b"x"}), "evil.py"),
    (zipped({**version_1(), "/etc/passwd": b"x"}), "passwd"),
    (zipped({**version_1(), "slides/0/evil.npy": npy(LABELS)}), "lacks images, or holds foreign"),
    (zipped(version_1(), zipfile.ZIP_LZMA), "not a session file"),
    (zipped(version_1(version=2)), "newer version of this program .format 2, known: 1."),
    (zipped(version_1(version=True)), "a zip file, but not"),
    (zipped(version_1(version=0)), "a zip file, but not"),
    (zipped(version_1(format="another")), "a zip file, but not"),
    (zipped({"session.json": b"[1, 2"}), "damaged"),
    (zipped({"session.json": b"[]"}), "damaged"),
    (zipped({"session.json": b"[" * 200_000}), "damaged"),
    (zipped(version_1(slides=None)), "damaged"),
    (zipped(version_1(slides={})), "damaged"),
    (zipped(version_1(slides=[])), "lacks images, or holds foreign"),
    (zipped(version_1(active=1)), "damaged"),
    (zipped(version_1(active="0")), "damaged"),
    (zipped(version_1(picked=[1])), "damaged"),
    (zipped(version_1(view=3)), "damaged"),
    (zipped(text_with(shape=[3, 3])), "wrong shape"),
    (zipped(text_with(shape=[0, 3])), "damaged"),
    (zipped(text_with(shape=[2.0, 3])), "damaged"),
    (zipped(text_with(shape=[2] * 9)), "damaged"),
    (zipped(text_with(classes=[])), "unknown value"),
    (zipped(text_with(classes=VERSION_1["slides"][0]["classes"][:1] * 2)), "damaged"),
    (zipped(text_with(ion=[0.0, -1.0, "Da"])), "tolerance"),
    (zipped(text_with(labels_revision=-1)), "damaged"),
    (zipped(text_with(pins=[[[500.0, 0.1, "Da"], ["sum", "z"]]])), "normalization"),
    (zipped(text_with(pins=[[[500.0, 0.1, "Da"], ["median", "tic"]]])), "damaged"),
    (zipped(text_with(combined=7)), "damaged"),
    (zipped(version_1(measure=["sum"])), "damaged"),
    (zipped(text_with(address={"name": "x"})), "damaged"),
]


@pytest.mark.parametrize(("content", "words"), FOREIGN, ids=range(len(FOREIGN)))
def test_what_is_no_sound_session_is_refused_in_one_sentence(
    path: Path, content: bytes, words: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(SessionFileError, match=words) as caught:
        read_session(path)
    assert str(caught.value).startswith(path.name)


def test_a_pickled_array_is_refused_and_not_run(path: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (trap,))  # type: ignore[return-value]

    members = {**version_1(), "slides/0/labels.npy": npy(np.array([Trap()], object))}
    path.write_bytes(zipped(members))
    with pytest.raises(SessionFileError):
        read_session(path)
    assert not trap.exists()


def test_nothing_large_is_made_of_a_small_file(path: Path) -> None:
    """A text of zeros, an image of zeros, a shape and a header that promise far too much."""
    nothing = bytes(80 * 2**20)
    path.write_bytes(zipped({**version_1(), "session.json": nothing}))
    with pytest.raises(SessionFileError, match="larger than it can be"):
        read_session(path)
    path.write_bytes(zipped({**version_1(), "slides/0/labels.npy": nothing}))
    with pytest.raises(SessionFileError, match="larger than it can be"):
        read_session(path)
    path.write_bytes(zipped(text_with(shape=[2**31, 2**31])))
    with pytest.raises(SessionFileError, match="GB"):
        read_session(path)
    lying = npy(LABELS).replace(b"(2, 3)", b"(9**9,)")
    path.write_bytes(zipped({**version_1(), "slides/0/labels.npy": lying}))
    with pytest.raises(SessionFileError):
        read_session(path)
    lying = npy(LABELS).replace(b"(2, 3), }  ", b"(99999, 99)")
    path.write_bytes(zipped({**version_1(), "slides/0/labels.npy": lying}))
    with pytest.raises(SessionFileError):
        read_session(path)


def test_a_file_that_was_cut_off_is_refused(stored: StoredSession, path: Path) -> None:
    content = session_bytes(stored)
    for length in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        with pytest.raises(SessionFileError):
            read_session(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_harmless(
    stored: StoredSession, tmp_path: Path, place: int, bit: int
) -> None:
    content = bytearray(session_bytes(stored))
    content[place % len(content)] ^= 1 << bit
    path = tmp_path / "flipped.imstumor"
    path.write_bytes(content)
    try:
        back = read_session(path)
    except SessionFileError:
        return
    # A date or a right of a member, which nobody reads.
    assert_same(back, stored)


def test_numbers_that_are_not_finite_are_not_written(stored: StoredSession, path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_session(path, replace(stored, view={"viewer": {"zoom": float("nan")}}))
    assert json.dumps(VERSION_1)


def test_whole_regions_come_back(stored: StoredSession, path: Path) -> None:
    labels = np.array([[129, 1, 130], [0, 130, 2]], np.uint8)
    slide = replace(stored.slides[0], annotation=Annotation(labels, revision=4))
    write_session(path, replace(stored, slides=(slide, *stored.slides[1:])))
    assert np.array_equal(read_session(path).slides[0].annotation.labels, labels)
