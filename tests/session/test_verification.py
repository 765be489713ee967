"""Each opened slide's hash is compared once, in the background."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.session.conftest import Ear, two_tissues

from napari_ims_tumor.io.imzml import integrity
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.job import Progress
from napari_ims_tumor.session.session import Session


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A slide whose hash holds."""
    return write_imzml(tmp_path / "sound.imzML", two_tissues())


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A slide one byte of which was changed."""
    path = write_imzml(tmp_path / "changed.imzML", two_tissues(seed=1))
    ibd = path.with_suffix(".ibd")
    data = bytearray(ibd.read_bytes())
    data[-3] ^= 1
    ibd.write_bytes(data)
    return path


def test_a_slide_is_verified_after_it_was_surveyed(session: Session, sound: Path) -> None:
    ear = Ear(session)
    session.open(sound)
    assert [lane for (lane,) in ear["job_started"]] == ["open", "survey", "verify"]
    assert [slide.name for (slide,) in ear["slide_verified"]] == ["sound"]
    assert ear["noticed"] == ear["failed"] == []
    reports = [r for lane, r in ear["job_reported"] if lane == "verify"]
    assert {report.phase for report in reports} == {"Verifying the SHA-1"}
    assert reports[-1].fraction == 1


def test_a_changed_byte_is_one_warning_of_the_slide(session: Session, changed: Path) -> None:
    ear = Ear(session)
    session.open(changed)
    assert session.active is not None
    (warning,) = [w for w in session.active.dataset.warnings if "SHA-1" in w]
    assert warning.startswith("changed.imzML: the .ibd file is not the one whose SHA-1 is stated")
    assert warning.endswith("Copy both files again from the same export.")
    assert [text for (text,) in ear["noticed"]] == [warning.replace(".imzML", "", 1)]
    assert ear["failed"] == []


def test_slides_are_verified_one_after_the_other(
    session: Session, sound: Path, changed: Path
) -> None:
    ear = Ear(session)
    for path in (sound, changed, sound):
        session.open(path)
    assert [slide.name for (slide,) in ear["slide_verified"]] == ["sound", "changed"]


def test_slides_without_a_file_or_a_hash_are_left_out(session: Session, sound: Path) -> None:
    ear = Ear(session)
    session.adopt(two_tissues())
    text = sound.read_text("utf-8").replace("IMS:1000091", "IMS:1999999")
    sound.write_text(text, "utf-8")
    session.open(sound)
    assert "verify" not in [lane for (lane,) in ear["job_started"]]


def test_it_can_be_stopped_and_nobody_hears_of_it(
    session: Session, sound: Path, monkeypatch
) -> None:
    monkeypatch.setattr(integrity, "_PIECE", 64)
    ear = Ear(session)

    def stop(lane: str, report: object) -> None:
        if lane == "verify" and isinstance(report, Progress) and report.done > 200:
            session.verification.stop()

    session.job_reported.connect(stop)
    session.open(sound)
    assert ear["slide_verified"] == ear["failed"] == ear["noticed"] == []
    assert [r.done for lane, r in ear["job_reported"] if lane == "verify"][-1] == 256


def test_a_slide_closed_meanwhile_is_no_failure(session: Session, sound: Path, monkeypatch) -> None:
    monkeypatch.setattr(integrity, "_PIECE", 64)
    ear = Ear(session)

    def close(lane: str, _: object) -> None:
        if lane == "verify" and session.active is not None:
            slide = session.active
            session.close_slide(slide)
            slide.dataset.close()

    session.job_reported.connect(close)
    session.open(sound)
    assert session.slides == ()
    assert ear["slide_verified"] == ear["failed"] == []
