"""How the dock looks: folded sections, filled fields, the spectrum's range, sizes; and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_ims_tumor.viewer.layer_state import tolerant
from napari_ims_tumor.widgets.forms import ConfigForm
from napari_ims_tumor.widgets.section import Section

if TYPE_CHECKING:
    from napari_ims_tumor.widgets.dock import ImsTumorDock

SETTLED_MS: Final = 60
"""After this long Qt has given new docks their places, and scroll bars their ranges."""


class DockState:
    """Says how a dock looks and makes it look so again; a part of the session's views."""

    def __init__(self, dock: ImsTumorDock) -> None:
        self._dock = dock

    def capture(self) -> dict[str, Any]:
        """Say how the dock looks."""
        ion, plot = self._dock.spectrum.form, self._dock.spectrum.plot
        return {
            "folds": {s.objectName(): s.heading.isChecked() for s in self._sections()},
            "fields": {name: _value_of(field) for name, field in self._fields()},
            "ion": [ion.mz.text(), ion.tolerance.text(), ion.unit.currentText()],
            "mz_range": [float(end) for end in plot.getViewBox().viewRange()[0]],
            "scroll": self._dock.scroll_bar().value(),
            "sizes": self._sizes(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Make it look so again, as far as it is understood."""
        for section in self._sections():
            with tolerant():
                section.heading.setChecked(bool(state["folds"][section.objectName()]))
        for name, field in self._fields():
            with tolerant():
                _fill(field, state["fields"][name])
        with tolerant():
            mz, tolerance, unit = (str(text) for text in state["ion"])
            ion = self._dock.spectrum.form
            ion.mz.setText(mz)
            ion.tolerance.setText(tolerance)
            ion.unit.setCurrentText(unit)
        self._dock.refresh()
        # The dock may be so new that it has no place in the window yet.
        self._dock.later(SETTLED_MS, lambda: self._restore_places(state))

    def _restore_places(self, state: Mapping[str, Any]) -> None:
        with tolerant():
            self._resize(state["sizes"])
        with tolerant():
            low, high = (float(end) for end in state["mz_range"])
            self._dock.spectrum.plot.setXRange(low, high, padding=0)
        with tolerant():
            value = int(state["scroll"])
            self._dock.later(SETTLED_MS, lambda: self._dock.scroll_bar().setValue(value))

    def _sections(self) -> Iterator[Section]:
        yield from self._dock.findChildren(Section)

    def _fields(self) -> Iterator[tuple[str, Any]]:
        """All fields of the dock's forms, under the section's name and their own."""
        for section in self._sections():
            for form in section.body.children():
                if isinstance(form, ConfigForm):
                    for name, field in form.fields().items():
                        yield f"{section.objectName()}/{name}", field

    # ---- sizes ------------------------------------------------------------------------------

    def _docks(self) -> tuple[QWidget | None, QWidget | None]:
        """The docks that hold the dock's own widget and the spectrum."""
        return self._dock.parentWidget(), self._dock.spectrum.parentWidget()

    def _sizes(self) -> dict[str, Any]:
        window, (dock, spectrum) = self._dock.window(), self._docks()
        return {
            "window": [window.width(), window.height()],
            "dock": dock.width() if dock else 0,
            "spectrum": spectrum.height() if spectrum else 0,
        }

    def _resize(self, sizes: Mapping[str, Any]) -> None:
        window, (dock, spectrum) = self._dock.window(), self._docks()
        if not isinstance(window, QMainWindow):
            return
        width, height = (int(size) for size in sizes["window"])
        if _fits(window, width, height) and (window.width(), window.height()) != (width, height):
            window.resize(width, height)
        for widget, size, direction in (
            (dock, sizes["dock"], Qt.Orientation.Horizontal),
            (spectrum, sizes["spectrum"], Qt.Orientation.Vertical),
        ):
            if widget is not None and widget.isVisible() and int(size) > 0:
                window.resizeDocks([widget], [int(size)], direction)


def _fits(window: QMainWindow, width: int, height: int) -> bool:
    """Whether a window may take a size: it is not maximized, and the screen is large enough."""
    screen = window.screen() or QApplication.primaryScreen()
    room = screen.availableGeometry() if screen else None
    free = not (window.isMaximized() or window.isFullScreen())
    return (
        free
        and room is not None
        and 300 <= width <= room.width()
        and (200 <= height <= room.height())
    )


def _value_of(field: Any) -> Any:
    line = getattr(field, "line_edit", None)
    value = field.value if line is None else line.value
    return str(value) if isinstance(value, Path) else value


def _fill(field: Any, value: Any) -> None:
    """Put a value into a field. Nobody hears of it but who reads a file that is named."""
    if value == _value_of(field):
        return
    line = getattr(field, "line_edit", None)
    if line is not None:
        line.value = value
        return
    with field.changed.blocked():
        field.value = value
