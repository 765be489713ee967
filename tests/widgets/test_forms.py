from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from pytestqt.qtbot import QtBot

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.widgets.fit_options import FIT_OPTIONS, MORE
from napari_ims_tumor.widgets.forms import form_for


@dataclass(frozen=True)
class Example:
    """An example.

    Attributes
    ----------
    kind
        What kind
        of thing.
    first, second, third
        Three of them, see :class:`.Other`; ``None`` = as many as there are.
    """

    kind: Literal["a", "b"] = "b"
    first: int = 3
    second: float | None = None
    third: int | None = None
    on: bool = True
    where: Annotated[Path, {"mode": "r"}] = Path("x")


def test_an_untouched_form_reads_as_the_defaults(qtbot: QtBot) -> None:
    form = form_for(Example, {})
    qtbot.addWidget(form)
    assert Example(**form.read()) == Example()


def test_explanations_hold_nothing_of_the_source(qtbot: QtBot) -> None:
    form = form_for(Example, {})
    qtbot.addWidget(form)
    assert form["second"].tooltip == "Three of them."
    options = form_for(FitConfig, FIT_OPTIONS, ("network", *MORE))
    qtbot.addWidget(options)
    for name, field in options.fields().items():
        assert not {"`", "None"} & set(field.tooltip.replace("`", " ` ").split()), name
        assert field.tooltip.endswith("."), name


def test_what_is_entered_is_read(qtbot: QtBot) -> None:
    form = form_for(Example, {})
    qtbot.addWidget(form)
    form["kind"].value = "a"
    form["first"].value = 7
    form["second"].value = 2.5
    form["third"].value = 4
    form["on"].value = False
    assert Example(**form.read()) == Example("a", 7, 2.5, 4, False, Path("x"))


def test_what_is_left_out_is_shown_in_words_and_whole_numbers_stay_whole(qtbot: QtBot) -> None:
    form = form_for(Example, {"third": {"none_text": "as many as needed"}})
    qtbot.addWidget(form)
    assert form["second"].native.text() == "none"
    assert form["third"].native.text() == "as many as needed"
    form["third"].value = 4
    assert form["third"].native.text() == "4"
    assert isinstance(form.read()["third"], int)


def test_docstrings_become_tooltips(qtbot: QtBot) -> None:
    form = form_for(Example, {})
    qtbot.addWidget(form)
    assert form["kind"].tooltip == "What kind of thing."
    assert form["second"].tooltip == "Three of them."


def test_only_the_named_fields_in_their_order(qtbot: QtBot) -> None:
    form = form_for(Example, {}, ("on", "kind"))
    qtbot.addWidget(form)
    assert list(form.read()) == ["on", "kind"]


def test_every_field_of_a_fit_has_a_typed_and_explained_field(qtbot: QtBot) -> None:
    # How spectra are prepared and changed is left to the spectra and the network in the window.
    left = ("smooth", "align", "augment")
    names = tuple(f.name for f in fields(FitConfig) if f.name not in left)
    form = form_for(FitConfig, FIT_OPTIONS, names)
    qtbot.addWidget(form)
    assert FitConfig(**form.read()) == FitConfig()
    for name in names:
        assert form[name].tooltip, name
        assert form[name].native.accessibleName()


def test_a_row_is_hidden_with_its_label(qtbot: QtBot) -> None:
    form = form_for(Example, {})
    qtbot.addWidget(form)
    form.show()
    form.show_row("kind", False)
    assert not form["kind"].native.isVisible()
    form.show_row("kind", True)
    assert form["kind"].native.isVisible()
