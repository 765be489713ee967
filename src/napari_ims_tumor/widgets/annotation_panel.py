"""Section *Annotate*: the labels layer, the brush, the classes and how much of each there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_ims_tumor.annotation.label_classes import TUMOR, TUMOR_SCHEME, LabelClass
from napari_ims_tumor.session.labels_reading import LabelsQuestion
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.labels_dialog import LabelsDialog
from napari_ims_tumor.widgets.section import Section, text_line
from napari_ims_tumor.widgets.wiring import Wiring

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ims_tumor.viewer.binding import Binding

KEYS = {"tumor": "T", "healthy": "H"}
REGION_HINT = (
    "Click a piece of tissue: it is roughly of this class. Strokes on it are certain and stay. "
    "Ctrl+Z takes it back."
)
HINT = "Ctrl+Z takes a stroke back. A few small strokes in many regions teach more than one large."
SCOPES = (
    ("Stroke", "annotate_stroke", "Paint pixels that you are sure of"),
    (
        "Whole region",
        "annotate_region",
        "Click a piece of tissue: roughly all of it is of the class, at least 30 % of a tumor",
    ),
)
NO_SLIDE = "Open a slide first."
LABELS = "Labels (*.npy *.png *.tif *.tiff *.geojson *.json)"
LARGEST_BRUSH = 40


class AnnotationPanel(Section):
    """Hands out brushes and counts what was painted."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__("2  Annotate", "annotate", parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._layer: Labels | None = None
        self._make()
        self._connect(wiring)
        self.refresh()

    def _make(self) -> None:
        self.start = QPushButton("Start annotating")
        self.start.setObjectName("annotate_start")
        self.brushes = QButtonGroup(self)
        self.counts: dict[str, QLabel] = {}
        grid = QWidget()
        self._grid = QGridLayout(grid)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self._add_scope()
        # Tumor first: it is what one looks for.
        for row, label in enumerate(reversed(TUMOR_SCHEME.classes), 1):
            self._add_class(row, label)
        self.eraser = self._brush("Erase (E)", "annotate_erase", 0)
        self._grid.addWidget(self.eraser, len(self.counts) + 1, 0)
        self._add_size(len(self.counts) + 2)
        self.hint = text_line("annotate_hint", HINT)
        self.load = QPushButton("Load labels…")
        self.load.setObjectName("annotate_load")
        self.load.setToolTip(
            "Read labels: .npy, .png or .tif of the slide's shape, or .geojson from QuPath"
        )
        self.add(self.start, grid, self.hint, self.load)

    def _add_scope(self) -> None:
        """What a brush is for: strokes, each pixel certain, or whole regions, roughly."""
        self.scope = QButtonGroup(self)
        for column, (text, name, about) in enumerate(SCOPES):
            button = QRadioButton(text)
            button.setObjectName(name)
            button.setToolTip(about)
            self.scope.addButton(button, column)
            self._grid.addWidget(button, 0, column)
        self.scope.button(0).setChecked(True)

    def _add_class(self, row: int, label: LabelClass) -> None:
        key = KEYS.get(label.role, "")
        text = f"{label.name.capitalize()} ({key})" if key else label.name.capitalize()
        button = self._brush(text, f"annotate_{label.role}", label.value)
        button.setIcon(_swatch(label.color))
        button.setToolTip(f"Paint {label.name} pixels: key {key}")
        count = QLabel("0 pixels")
        count.setObjectName(f"count_{label.name}")
        # As wide as there is room: the dock is not widened by many pixels.
        count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        count.setWordWrap(True)
        self.counts[label.name] = count
        self._grid.addWidget(button, row, 0)
        self._grid.addWidget(count, row, 1)

    def _brush(self, text: str, name: str, value: int) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setAccessibleName(text)
        button.setCheckable(True)
        button.setMinimumWidth(120)
        button.setToolTip("Erase labels: key E")
        button.setStyleSheet("QPushButton { text-align: left; padding-left: 8px; }")
        self.brushes.addButton(button, value)
        return button

    def _add_size(self, row: int) -> None:
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setObjectName("annotate_size")
        self.size.setAccessibleName("Brush size in pixels")
        self.size.setRange(1, LARGEST_BRUSH)
        self.size_text = QLabel("Brush")
        self.size_text.setObjectName("annotate_size_text")
        self._grid.addWidget(self.size_text, row, 0)
        self._grid.addWidget(self.size, row, 1)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (
            session.active_changed, session.annotation_changed, session.slide_surveyed,
            session.session_opened,
        ):  # fmt: skip
            wiring.on(signal, self._changed)
        wiring.on(session.labels_asked, self._ask)
        if self._binding is not None:
            events = self._binding.viewer.layers.events
            for emitter in (events.inserted, events.removed):
                wiring.on(emitter, self._changed)
            wiring.on(self._binding.viewer.layers.selection.events.active, self._changed)
        self.start.clicked.connect(self._start)
        self.brushes.idClicked.connect(self._take)
        self.scope.idClicked.connect(self._choose_scope)
        self.size.valueChanged.connect(self._resize_brush)
        self.load.clicked.connect(self._load)

    def refresh(self) -> None:
        """Show what can be painted with, and how much was painted."""
        slide = self._session.active
        ready = slide is not None and self._binding is not None
        for widget in (self.start, self.load, *self.brushes.buttons(), *self.scope.buttons()):
            widget.setEnabled(ready)
        # A region is clicked: there is no brush to be sized.
        painting = ready and self.scope.checkedId() == 0
        for widget in (self.size, self.size_text):
            widget.setEnabled(painting)
        self.start.setToolTip(
            "Make the labels layer and take the tumor brush" if ready else NO_SLIDE
        )
        for name, label in self.counts.items():
            label.setText(_count_words(slide, name))
        self._follow(_labels_layer(self._binding, slide))

    # ---- the labels layer -------------------------------------------------------------------

    def _follow(self, layer: Labels | None) -> None:
        """Show the brush of this layer, and go on showing it when napari changes it."""
        if layer is not self._layer:
            self.unfollow()
            self._layer = layer
            for emitter in _brush_events(layer):
                emitter.connect(self._show_brush)
        self._show_brush()

    def unfollow(self) -> None:
        """Let go of the labels layer."""
        for emitter in _brush_events(self._layer):
            emitter.disconnect(self._show_brush)
        self._layer = None

    def _show_brush(self, _: object = None) -> None:
        layer = self._layer
        self.start.setText("Start annotating" if layer is None else "Annotate")
        mode = str(layer.mode) if layer is not None and self._is_selected(layer) else ""
        held = {"paint": layer.selected_label, "erase": 0}.get(mode, -1) if layer else -1
        of_regions = None if self._binding is None else self._binding.region_tool.held
        held = held if of_regions is None else of_regions
        # An exclusive group cannot show that no brush is held.
        self.brushes.setExclusive(False)
        for button in self.brushes.buttons():
            button.setChecked(self.brushes.id(button) == held)
        self.brushes.setExclusive(held >= 0)
        size = int(layer.brush_size) if layer is not None else self.size.value()
        self.size.blockSignals(True)
        self.size.setValue(size)
        self.size.blockSignals(False)
        self.size_text.setText(f"Brush size {size}")

    def _is_selected(self, layer: Labels) -> bool:
        return self._binding is not None and self._binding.viewer.layers.selection.active is layer

    # ---- what the user does -----------------------------------------------------------------

    def _start(self) -> None:
        if self._binding is not None:
            self._binding.new_labels_layer()
        self.refresh()

    def _choose_scope(self, column: int) -> None:
        if self._binding is not None:
            self._binding.region_tool.choose(bool(column))
            self._binding.take_brush(TUMOR)
        self.hint.setText(REGION_HINT if column else HINT)
        self.refresh()

    def _take(self, value: int) -> None:
        tool = None if self._binding is None else self._binding.region_tool
        if tool is not None and tool.held == value:
            tool.lay_down()
            self._show_brush()
            return
        if self._binding is not None and value:
            self._binding.take_brush(value)
        elif self._binding is not None:
            self._binding.take_eraser()
        self.refresh()

    def _resize_brush(self, size: int) -> None:
        if self._layer is not None:
            self._layer.brush_size = size
        self.size_text.setText(f"Brush size {size}")

    def _load(self) -> None:
        path = file_dialogs.ask_open(self, "Load labels", LABELS)
        if path is not None:
            self._session.files.load_labels(path)

    def _ask(self, question: LabelsQuestion) -> None:
        from napari_ims_tumor.io.geojson import ClassMapping, LabelsImport, Placement

        def answered(said: dict[str, str], scale: float) -> None:
            known = {**question.said, **said}
            how = LabelsImport(ClassMapping(known), Placement.scaled(scale))
            self._session.files.load_labels(question.path, how, question.slide)

        dialog = LabelsDialog(question, self)
        dialog.answered.connect(answered)
        # Not executed: the window goes on, and a job that ends meanwhile is heard.
        dialog.open()

    def _changed(self, _: object) -> None:
        self.refresh()


def _count_words(slide: SlideState | None, name: str) -> str:
    """How many pixels of a class were painted, and how many are of it roughly."""
    if slide is None:
        return "0 pixels"
    pixels, annotation = slide.dataset.pixels, slide.annotation
    n = annotation.counts_by_hand(pixels)[name]
    rough = annotation.counts(pixels)[name] - n
    words = f"{n:,} pixel{'' if n == 1 else 's'}"
    if not rough:
        return words
    return f"{n:,} + {rough:,} roughly" if n else f"{rough:,} roughly"


def _labels_layer(binding: Binding | None, slide: SlideState | None) -> Labels | None:
    if binding is None or slide is None:
        return None
    return first_of(binding.viewer.layers, slide.dataset, "labels")


def _brush_events(layer: Labels | None) -> tuple[Any, ...]:
    if layer is None:
        return ()
    return layer.events.selected_label, layer.events.mode, layer.events.brush_size


def _swatch(color: str) -> QIcon:
    square = QPixmap(QSize(14, 14))
    square.fill(QColor(color))
    icon = QIcon(square)
    # The class keeps its color while the button is gray.
    icon.addPixmap(square, QIcon.Mode.Disabled)
    return icon
