"""Forms made from frozen configs: one field per dataclass field, typed and explained as there."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from magicgui.widgets import create_widget
from magicgui.widgets.bases import ValueWidget
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget


class ConfigForm(QWidget):
    """A form of magicgui fields, one under the other, their labels in one column."""

    def __init__(self, widgets: Sequence[ValueWidget[Any]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = {widget.name: widget for widget in widgets}
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(8)
        self._rows.setVerticalSpacing(4)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for widget in widgets:
            self._add(widget)

    def __getitem__(self, name: str) -> Any:
        """The magicgui widget of a field."""
        return self._fields[name]

    def fields(self) -> dict[str, Any]:
        """The magicgui widgets by name."""
        return dict(self._fields)

    def _add(self, widget: ValueWidget[Any]) -> None:
        label = QLabel(widget.label)
        label.setToolTip(widget.tooltip or "")
        widget.native.setAccessibleName(widget.label)
        self._rows.addRow(label, widget.native)

    def show_row(self, name: str, shown: bool) -> None:
        """Show or hide a field with its label."""
        native = self._fields[name].native
        native.setVisible(shown)
        self._rows.labelForField(native).setVisible(shown)

    def read(self) -> dict[str, Any]:
        """Read the fields; an optional number left at its lowest value is ``None``."""
        return {n: None if _left_out(w) else _entered(w) for n, w in self._fields.items()}


def form_for(
    config: type[Any], options: Mapping[str, Mapping[str, Any]], names: Sequence[str] | None = None
) -> ConfigForm:
    """Make a form with a field for each (named) field of a dataclass."""
    return ConfigForm(fields_for(config, options, names))


def fields_for(
    config: type[Any], options: Mapping[str, Mapping[str, Any]], names: Sequence[str] | None = None
) -> list[ValueWidget[Any]]:
    """Make a magicgui field for each (named) field of a dataclass.

    Parameters
    ----------
    config
        A dataclass whose fields are scalars, literals or paths.
    options
        Field name → what magicgui is told beyond the type: label, minimum, choices; ``text`` is
        written beside a check box.
    names
        Which fields, in order; all by default.
    """
    hints = get_type_hints(config, include_extras=True)
    known = {field.name: field for field in fields(config)}
    chosen = list(known) if names is None else list(names)
    widgets = [_field(known[name], hints[name], options.get(name, {})) for name in chosen]
    for widget, about in zip(widgets, _explained(config, chosen), strict=True):
        widget.tooltip = widget.tooltip or about
    return widgets


def _field(field: Any, hint: Any, options: Mapping[str, Any]) -> ValueWidget[Any]:
    required, optional = _without_none(hint)
    default = None if field.default is MISSING else field.default
    given: dict[str, Any] = dict(options)
    special = given.pop("none_text", "none")
    if optional:
        given = {"min": 0, "max": 1e6, **given}
        default = given["min"]
    label = given.pop("label", field.name.replace("_", " "))
    about, beside = given.pop("tooltip", None), given.pop("text", None)
    kind = {} if default is None else {"value": default}
    # The spin box for whole numbers shows no words; the other one can be made to hold them.
    whole = optional and required is int
    if whole:
        required, given = float, {"step": 1, **given}
    made: Any = create_widget(
        annotation=required, name=field.name, label=label, options=given, **kind
    )
    made.tooltip = about
    if beside is not None:
        # Not given to magicgui, which takes a button's text and label for the same, and warns.
        made.native.setText(beside)
    made.native.setObjectName(field.name)
    if whole:
        made.native.setDecimals(0)
    if optional:
        # A spin box knows no None: its lowest value is shown as words instead.
        made.native.setSpecialValueText(special)
    return made  # type: ignore[no-any-return]


def _entered(widget: ValueWidget[Any]) -> Any:
    decimals = getattr(widget.native, "decimals", None)
    return widget.value if decimals is None or decimals() else int(widget.value)


def _left_out(widget: ValueWidget[Any]) -> bool:
    special = getattr(widget.native, "specialValueText", None)
    return special is not None and bool(special()) and widget.value == widget.min  # type: ignore[attr-defined]


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return kinds[0], len(kinds) < len(get_args(hint))


def _explained(config: type[Any], names: Sequence[str]) -> list[str]:
    """Find what the docstring's *Attributes* say about each field."""
    lines = [line.strip() for line in (config.__doc__ or "").splitlines()]
    return [_explanation(lines, name) for name in names]


def _explanation(lines: Sequence[str], name: str) -> str:
    start = next((i for i, line in enumerate(lines) if name in line.split(", ")), None)
    if start is None:
        return ""
    words: list[str] = []
    for line in lines[start + 1 :]:
        if not line or (words and words[-1].endswith((".", "limit."))):
            break
        words.append(line)
    return _plain(" ".join(words))


_ROLE = re.compile(r",? ?(?:see )?:\w+:`[^`]*`")
_NONE = re.compile(r"[;,.]? *``None``[^.]*")


def _plain(text: str) -> str:
    """Take out of an explanation what only readers of the source understand."""
    return _NONE.sub("", _ROLE.sub("", text)).replace("``", "").replace('"', "")
