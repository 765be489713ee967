from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.job import STOP, Job, Progress
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets.status_line import StatusLine
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def line(qtbot: QtBot, wiring: Wiring) -> StatusLine:
    made = StatusLine(wiring)
    qtbot.addWidget(made)
    made.show()
    return made


def test_what_went_wrong_stays_until_dismissed(
    line: StatusLine, session: Session, qtbot: QtBot
) -> None:
    session.failed.emit("The file is damaged.")
    assert line.message.text() == "⚠ The file is damaged."
    assert line.message.isVisible()
    assert not line._fading.isActive()
    qtbot.mouseClick(line.dismiss, Qt.MouseButton.LeftButton)
    assert line.message.isHidden()
    assert line.dismiss.isHidden()


def test_a_notice_goes_by_itself(line: StatusLine, session: Session, qtbot: QtBot) -> None:
    line._fading.setInterval(30)
    session.noticed.emit("Saved.")
    assert line.message.text() == "Saved."
    qtbot.waitUntil(line.message.isHidden)


def test_an_error_outlives_the_notice_before_it(
    line: StatusLine, session: Session, qtbot: QtBot
) -> None:
    line._fading.setInterval(30)
    session.noticed.emit("Saved.")
    session.failed.emit("Broken.")
    qtbot.wait(80)
    assert line.message.text() == "⚠ Broken."


def test_what_was_said_of_a_slide_goes_with_it(
    line: StatusLine, session: Session, qtbot: QtBot
) -> None:
    slide, other = (session.adopt(make_dataset(name=name)) for name in ("slide", "other"))
    session.failed.emit("slide cannot be predicted.")
    qtbot.wait(20)
    session.close_slide(other)
    assert line.message.isVisible()
    session.close_slide(slide)
    assert line.message.isHidden()


def test_what_closing_a_slide_has_to_say_stays(line: StatusLine, session: Session) -> None:
    slide = session.adopt(make_dataset(name="slide"))
    session.failed.emit("The strokes on slide could not be autosaved.")
    session.close_slide(slide)
    assert line.message.isVisible()


def test_progress_names_its_phase(line: StatusLine, session: Session) -> None:
    seen: list[tuple[bool, str]] = []

    def look(*_: object) -> None:
        seen.append((line.bar.isVisible(), line.bar.format()))

    def job() -> Job[Progress, int]:
        yield Progress("Reading spectra", 5, 10)
        look()
        yield Progress("Guessing")
        look()
        return 1

    session.run("open", job(), look)
    assert seen[:2] == [(True, "Reading spectra  50%"), (True, "Guessing")]
    assert line.bar.isHidden()


def test_two_jobs_end_one_after_the_other(line: StatusLine, session: Session) -> None:
    session.job_started.emit("open")
    session.job_started.emit("survey")
    session.job_reported.emit("survey", Progress("Averaging", 1, 2))
    session.job_ended.emit("open")
    assert line.bar.isVisible()
    session.job_ended.emit("survey")
    assert line.bar.isHidden()


def test_the_fit_tells_its_own_progress(line: StatusLine, session: Session) -> None:
    session.job_started.emit("fit")
    session.job_reported.emit("fit", Progress("Fitting", 1, 2))
    assert line.bar.isHidden()


def test_work_in_the_background_can_be_stopped_and_never_hides_other_work(
    line: StatusLine, session: Session, qtbot: QtBot
) -> None:
    seen: list[tuple[str, bool]] = []
    stopped: list[object] = []

    def look(*_: object) -> None:
        seen.append((line.bar.format(), line.stop.isVisible()))

    def background() -> Job[Progress, str]:
        yield Progress("Preparing fast ion images", 1, 4)
        look()
        session.run("ion", other(), lambda _: None)
        look()
        yield Progress("Preparing fast ion images", 2, 4)
        look()
        qtbot.mouseClick(line.stop, Qt.MouseButton.LeftButton)
        stopped.append((yield Progress("Preparing fast ion images", 3, 4)))
        return ""

    def other() -> Job[Progress, str]:
        yield Progress("Ion image")
        look()
        session.job_reported.emit("index", Progress("Preparing fast ion images", 2, 4))
        look()
        return ""

    session.run("index", background(), lambda _: None)
    name = "Preparing fast ion images"
    assert seen == [
        (f"{name}  25%", True),
        ("Ion image", False),
        ("Ion image", False),
        ("Ion image", False),
        (f"{name}  50%", True),
    ]
    assert stopped == [STOP]
    assert line.bar.isHidden()
    assert line.stop.isHidden()


def test_verifying_is_told_and_can_be_stopped(
    line: StatusLine, session: Session, qtbot: QtBot
) -> None:
    session.job_started.emit("verify")
    # More bytes than Qt's numbers hold.
    session.job_reported.emit("verify", Progress("Verifying the SHA-1", 3 << 40, 4 << 40))
    assert line.bar.format() == "Verifying the SHA-1  75%"
    assert line.bar.value() == pytest.approx(0.75 * line.bar.maximum(), rel=1e-3)
    asked: list[str] = []
    session.runner.stop = asked.append  # type: ignore[method-assign]
    qtbot.mouseClick(line.stop, Qt.MouseButton.LeftButton)
    assert asked == ["verify"]
    session.job_ended.emit("verify")
    assert line.stop.isHidden()
    assert line.bar.isHidden()
