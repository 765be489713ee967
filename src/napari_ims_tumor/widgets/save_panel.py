"""Section *Save*: labels, model and prediction to files, and a model back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from magicgui.widgets import Container, PushButton
from qtpy.QtWidgets import QWidget

from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.export_form import ExportForm
from napari_ims_tumor.widgets.section import Section, show_text, text_line
from napari_ims_tumor.widgets.wiring import Wiring

LABELS = "Labels (*.npy *.tif *.tiff *.png);;Outlines for QuPath (*.geojson)"
SAVE_LABELS = "Write what was painted: .npy, .tif, .png, or .geojson for QuPath"
MODEL = "Models (*.safetensors)"
PREDICTION = "Predictions (*.npy *.ome.tif)"


class SavePanel(Section):
    """Asks where, and lets the session write and read."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__("5  Save", "save", parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._busy = False
        self.export = ExportForm(wiring)
        self._make()
        self._connect(wiring)
        self.refresh()

    def _make(self) -> None:
        self.labels = _button("Save labels…", "save_labels", SAVE_LABELS)
        self.model = _button("Save model…", "save_model", "Write the model, .safetensors")
        self.prediction = _button(
            "Save prediction…", "save_prediction", "Write the probabilities, .npy or .ome.tif"
        )
        self.open_model = _button(
            "Open model…", "open_model", "Read a model, to predict this slide with it"
        )
        self.unsaved = text_line("save_unsaved")
        for pair in ((self.labels, self.prediction), (self.model, self.open_model)):
            self.add(_side_by_side(*pair))
        self.add(self.unsaved, self.export)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (
            session.active_changed, session.annotation_changed, session.fitted, session.predicted,
            session.labels_saved, session.session_opened,
        ):  # fmt: skip
            wiring.on(signal, self._changed)
        wiring.on(session.job_started, self._job_started)
        wiring.on(session.job_ended, self._job_ended)
        self.labels.clicked.connect(self._save_labels)
        self.model.clicked.connect(self._save_model)
        self.prediction.clicked.connect(self._save_prediction)
        self.open_model.clicked.connect(self._open_model)

    def refresh(self) -> None:
        """Enable what there is something to save of."""
        slide = self._session.active
        painted = slide is not None and bool(slide.annotation.labels.any())
        self.labels.enabled = painted and not self._busy
        self.model.enabled = self._session.classifier.model is not None and not self._busy
        predicted = slide is not None and slide.prediction is not None
        self.prediction.enabled = predicted and not self._busy
        self.open_model.enabled = not self._busy
        show_text(self.unsaved, _unsaved_words(slide) if painted and slide else "")

    # ---- what the user does -----------------------------------------------------------------

    def _save_labels(self) -> None:
        self._ask_save("Save labels", "_labels.npy", LABELS, self._session.files.save_labels)

    def _save_model(self) -> None:
        self._ask_save("Save model", "_model.safetensors", MODEL, self._session.files.save_model)

    def _save_prediction(self) -> None:
        save = self._session.files.save_prediction
        self._ask_save("Save prediction", "_prediction.ome.tif", PREDICTION, save)

    def _open_model(self) -> None:
        path = file_dialogs.ask_open(self, "Open model", MODEL)
        if path is not None:
            self._session.files.load_model(path)

    def _ask_save(
        self, title: str, ending: str, kinds: str, save: Callable[[Path], object]
    ) -> None:
        if self._binding is not None:
            self._binding.flush()
        slide = self._session.active
        name = (slide.name if slide else "ims-tumor") + ending
        path = file_dialogs.ask_save(self, title, file_dialogs.beside(slide, name), kinds)
        if path is not None:
            save(path)

    # ---- what the session says --------------------------------------------------------------

    def _changed(self, _: object) -> None:
        self.refresh()

    def _job_started(self, lane: str) -> None:
        # A second save would take the place of the first on its lane: one at a time.
        if lane == "file":
            self._busy = True
            self.refresh()

    def _job_ended(self, lane: str) -> None:
        if lane == "file":
            self._busy = False
            self.refresh()


def _unsaved_words(slide: SlideState) -> str:
    if slide.saved_revision == slide.annotation.revision and slide.labels_path is not None:
        return f"Labels are saved in {slide.labels_path.name}."
    return "Labels are not saved yet (a copy is kept every 5 seconds)."


def _side_by_side(*buttons: PushButton) -> QWidget:
    row: Container[PushButton] = Container(widgets=buttons, layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    widget: QWidget = row.native
    return widget


def _button(text: str, name: str, tooltip: str) -> PushButton:
    button = PushButton(text=text, tooltip=tooltip)
    button.native.setObjectName(name)
    button.native.setAccessibleName(text.rstrip("…"))
    return button
