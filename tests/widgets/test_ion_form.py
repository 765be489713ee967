from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.widgets.ion_form import IonForm, read_tolerance, read_window


@pytest.fixture
def form(qtbot: QtBot) -> IonForm:
    made = IonForm()
    qtbot.addWidget(made)
    made.show()
    made.mass_range = (600.0, 1000.0)
    return made


def test_typed_fields_become_a_window(form: IonForm, qtbot: QtBot) -> None:
    form.tolerance.clear()
    qtbot.keyClicks(form.tolerance, "20")
    form.unit.setCurrentText("ppm")
    qtbot.keyClicks(form.mz, "700.5")
    with qtbot.waitSignal(form.window_requested) as caught:
        qtbot.keyClick(form.mz, Qt.Key.Key_Return)
    assert caught.args == [MassWindow(700.5, MassTolerance(20, "ppm"))]
    assert form.message.isHidden()


@pytest.mark.parametrize(
    ("mz", "tolerance", "words"),
    [
        ("", "0.3", "type a number"),
        ("abc", "0.3", "'abc' is not a number"),
        ("nan", "0.3", "finite"),
        ("inf", "0.3", "finite"),
        ("700", "-1", "0 or more"),
        ("700", "nan", "0 or more"),
        ("700", "", "tolerance: type a number"),
        ("5000", "0.3", "outside this slide, which goes from 600.00 to 1000.00"),
        ("-3", "0.3", "outside this slide"),
    ],
)
def test_what_cannot_be_shown_is_said_at_the_fields(
    form: IonForm, qtbot: QtBot, mz: str, tolerance: str, words: str
) -> None:
    form.mz.setText(mz)
    form.tolerance.setText(tolerance)
    with qtbot.assertNotEmitted(form.window_requested):
        qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)
    assert words in form.message.text()
    assert form.message.isVisible()


def test_a_good_answer_takes_the_message_away(form: IonForm, qtbot: QtBot) -> None:
    form.mz.setText("x")
    form.submit()
    form.mz.setText("700")
    form.submit()
    assert form.message.isHidden()


def test_a_comma_is_a_point() -> None:
    assert read_window("700,25", MassTolerance(0.1), None).center == 700.25
    assert read_tolerance(" 0,5 ", "Da") == MassTolerance(0.5)


def test_zero_tolerance_is_allowed() -> None:
    assert read_window("700", read_tolerance("0", "ppm"), (600, 800)).low == 700


def test_a_window_that_reaches_into_the_slide_is_shown() -> None:
    assert read_window("599.9", MassTolerance(0.2), (600, 800)).center == 599.9
    with pytest.raises(QueryError):
        read_window("599", MassTolerance(0.2), (600, 800))


def test_a_chosen_window_fills_the_fields(form: IonForm) -> None:
    form.show_window(MassWindow(957.49, MassTolerance(20, "ppm")))
    assert (form.mz.text(), form.tolerance.text()) == ("957.49", "20")
    assert form.unit.currentText() == "ppm"
