"""Section *Slide*: open one, choose among several, see what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QPushButton, QToolButton, QWidget

from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.widgets.forms import form_for
from napari_ims_tumor.widgets.section import Section, show_text, text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

NO_SLIDE = "No slide is open. Choose an .imzML file, or drop one on the window."


@dataclass(frozen=True)
class OpenForm:
    """What the open form asks for.

    Attributes
    ----------
    slide
        The .imzML file; its .ibd lies beside it.
    """

    slide: Annotated[Path, {"mode": "r", "filter": "Mass spectrometry images (*.imzML *.ibd)"}]


class SlidePanel(Section):
    """Opens slides and shows the facts of the active one.

    Signals
    -------
    spectrum_requested
        The user wants to see the spectrum dock.
    """

    spectrum_requested = Signal()

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__("1  Slide", "slide", parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._make()
        self._connect(wiring)
        self.refresh()

    def _make(self) -> None:
        self.form = form_for(OpenForm, {"slide": {"label": "open"}})
        chooser = self.form["slide"]
        chooser.choose_btn.native.setObjectName("slide_choose")
        chooser.choose_btn.tooltip = "Choose an .imzML file; its .ibd lies beside it"
        chooser.choose_btn.text = "Choose…"
        chooser.line_edit.native.setPlaceholderText("an .imzML file")
        self.list = QComboBox()
        self.list.setObjectName("slide_list")
        self.list.setAccessibleName("Open slides")
        # A long name is cut in the list, not a reason to make the dock wider.
        self.list.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.list.setMinimumContentsLength(8)
        self.list.setToolTip("Which open slide the sections below act on")
        self.close_slide = QPushButton("Close")
        self.close_slide.setObjectName("slide_close")
        self.close_slide.setToolTip("Close this slide; unsaved strokes are offered back next time")
        self.reopen = QToolButton()
        self.reopen.setObjectName("slide_reopen")
        self.reopen.setText("⟳")
        self.reopen.setToolTip("Read this slide's files again, after another program changed them")
        self.reopen.setAccessibleName("Reopen this slide")
        self._choice = QWidget()
        row = QHBoxLayout(self._choice)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.list, 1)
        row.addWidget(self.reopen)
        row.addWidget(self.close_slide)
        self.facts = _FactTable()
        self.warnings = text_line("slide_warnings")
        self.empty = text_line("slide_empty", NO_SLIDE)
        self.spectrum = QPushButton("Show the spectrum")
        self.spectrum.setObjectName("slide_spectrum")
        self.spectrum.setToolTip("Bring the spectrum dock back")
        self.spectrum.hide()
        self.note = text_line("slide_note")
        self.add(self.form, self._choice, self.empty, self.facts, self.note, self.warnings)
        self.add(self.spectrum)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (session.slide_opened, session.slide_closed, session.active_changed):
            wiring.on(signal, self._changed)
        wiring.on(session.slide_verified, self._verified)
        wiring.on(session.slide_surveyed, self._surveyed)
        self.form["slide"].changed.connect(self._chosen)
        self.list.activated.connect(self._selected)
        self.close_slide.clicked.connect(self._close)
        self.reopen.clicked.connect(self._reopen)
        self.spectrum.clicked.connect(self.spectrum_requested)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.warnings.setStyleSheet(f"color: {colors.warning};")

    def refresh(self) -> None:
        """Show the session's slides and the facts of the active one."""
        slides, active = self._session.slides, self._session.active
        self.list.clear()
        self.list.addItems([slide.name for slide in slides])
        if active is not None:
            self.list.setCurrentIndex(next(i for i, s in enumerate(slides) if s.key == active.key))
        self._choice.setVisible(bool(slides))
        self.reopen.setEnabled(active is not None and active.dataset.source is not None)
        self.facts.setVisible(active is not None)
        self.empty.setVisible(active is None)
        self.facts.show_facts(slide_facts(active.dataset) if active else {})
        self._show_warnings()

    def _show_warnings(self) -> None:
        active = self._session.active
        warnings = active.dataset.warnings if active else ()
        show_text(self.warnings, "\n".join(f"⚠ {warning}" for warning in warnings))
        show_text(self.note, _note(active))

    def _surveyed(self, _: SlideState) -> None:
        self._show_warnings()

    def _verified(self, _: SlideState) -> None:
        self._show_warnings()

    def _changed(self, _: SlideState | None) -> None:
        self.refresh()

    def _chosen(self, path: Path) -> None:
        if path.is_file():
            self._session.open(path)
        elif path.suffix.lower() in (".imzml", ".ibd"):
            self._session.failed.emit(f"There is no file {path}.")

    def _selected(self, index: int) -> None:
        if 0 <= index < len(self._session.slides):
            self._session.activate(self._session.slides[index])

    def _close(self) -> None:
        self._take_strokes()
        if self._session.active is not None:
            self._session.close_slide(self._session.active)

    def _reopen(self) -> None:
        self._take_strokes()
        if self._session.active is not None:
            self._session.reopen(self._session.active)

    def _take_strokes(self) -> None:
        if self._binding is not None:
            self._binding.flush()


class _FactTable(QWidget):
    """A few facts, name beside value."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("slide_facts")
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(8)
        self._form.setVerticalSpacing(3)

    def show_facts(self, facts: dict[str, str]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in facts.items():
            self._form.addRow(name, text_line(f"fact_{name.replace(' ', '_')}", value))


def _note(slide: SlideState | None) -> str:
    """Say why a slide opens with a peak instead of its total ion current; empty where it does not.

    The picture would be of the tissue's outline alone, and looks like a fault.
    """
    overview = slide.overview if slide is not None else None
    if overview is None or not overview.tic_is_flat:
        return ""
    said = "The total ion current is the same everywhere: this slide was normalized to it."
    if not overview.strongest:
        return said
    return f"{said} Its strongest peak, m/z {overview.strongest[0].mz:.4f}, is shown instead."


def slide_facts(dataset: MsiDataset) -> dict[str, str]:
    """Tell what a slide is, in the order a reader asks.

    Returns
    -------
    dict of str
        Name of a fact → its value in words.
    """
    pixels, axis = dataset.pixels, dataset.mass_axis
    rows, columns = pixels.shape
    planes = f"{pixels.n_planes} planes of " if pixels.n_planes > 1 else ""
    low, high = dataset.mass_range
    channels = f"{len(axis):,} channels, " if axis is not None else ""
    size = pixels.pixel_size_um
    return {
        "pixels": f"{len(pixels):,} in {planes}{rows} × {columns}",
        "pixel size": f"{size[0]:g} × {size[1]:g} µm" if size else "not in the file",
        "m/z": f"{low:,.2f} to {high:,.2f}",
        "spectra": f"{channels}{dataset.mode}, {dataset.layout}",
    }
