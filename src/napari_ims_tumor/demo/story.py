"""One slide from opening to saving, told by a pair of hands at a real window.

Each chapter does one thing a pathologist does, waits until the window has answered, and takes a
picture. The demo, the documentation's pictures and the test of the window all tell these chapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ims_tumor.demo.expert import Pixel, Stroke
from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.viewer.slide_tag import first_of

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

    from napari_ims_tumor.session.session import Session
    from napari_ims_tumor.session.slide_state import SlideState
    from napari_ims_tumor.viewer.slide_tag import Role
    from napari_ims_tumor.widgets.dock import ImsTumorDock

PLUGIN = "napari-ims-tumor"
WIDGET = "IMS Tumor"
WINDOW_SIZE = (1400, 900)


class Story:
    """The chapters of one slide.

    Parameters
    ----------
    viewer
        A shown napari viewer.
    pictures
        Folder of the pictures; ``None`` takes none.
    """

    def __init__(self, viewer: napari.Viewer, pictures: Path | None = None) -> None:
        self.viewer = viewer
        self.hands = Hands(viewer)
        self.taken: list[Path] = []
        self._pictures = pictures
        viewer.window.resize(*WINDOW_SIZE)
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        self.dock: ImsTumorDock = dock
        settle(0.5)

    @property
    def session(self) -> Session:
        """The window's session."""
        return self.dock.session

    @property
    def slide(self) -> SlideState:
        """The active slide."""
        slide = self.session.active
        assert slide is not None  # noqa: S101 - a story begins by opening a slide
        return slide

    def layer(self, role: Role) -> Layer | None:
        """Find the slide's layer of a role."""
        return first_of(self.viewer.layers, self.slide.dataset, role)

    # ---- chapters ---------------------------------------------------------------------------

    def open(self, path: Path, picture: str | None = "01-open") -> None:
        """Open a slide as napari opens a dropped file."""
        self.viewer.open(str(path), plugin=PLUGIN)
        self._opened(picture)

    def open_sample(self) -> None:
        """Open the simulated slide as *File › Open Sample* does."""
        self.viewer.open_sample(PLUGIN, "simulated-slide")
        self._opened()

    def click_pixel(self, pixel: Pixel) -> tuple[Any, Any]:
        """Click a pixel and read the plotted spectrum back."""
        layer = self._must("tic")
        self.viewer.layers.selection.active = layer
        self.hands.click_pixel(layer, pixel)
        where = f"Row {pixel[0]}, column {pixel[1]}"
        title = self.hands.find("spectrum_title")
        wait_until(lambda: where in title.text(), f"the spectrum of {where}", 10)
        self._picture("02-click-spectrum")
        return self.dock.spectrum.plotted_spectrum()

    def click_peak(self, mz: float, intensity: float) -> Layer:
        """Click a peak of the plotted spectrum and wait for its ion image."""
        shown: list[Any] = []
        self.session.ion_shown.connect(shown.append)
        self.hands.click_plot(self.dock.spectrum.plot, mz, intensity)
        wait_until(lambda: bool(shown), f"the ion image of m/z {mz:.4f}", 20)
        self.session.ion_shown.disconnect(shown.append)
        settle(0.1)
        self._picture("03-ion-image")
        return self._must("ion")

    def pick_peaks(self, rows: Sequence[int] = (0, 1, 2)) -> None:
        """Look at the highest peaks of the table, and at three of them as red, green and blue."""
        self.hands.click_button("ions_heading")
        self.hands.scroll_to("peaks_export")
        # Twice: from the highest down.
        for _ in range(2):
            self.hands.click_heading("peaks_table", 1)
        self.hands.click_row("peaks_table", rows[0])
        self._wait_for_ions()
        self._picture("ions-table", prefix="")
        for row in rows[1:]:
            self.hands.click_row("peaks_table", row, held=True)
        self.hands.click_button("peaks_rgb")
        self._wait_for_ions()
        self._picture("ions-colors", prefix="")
        self.hands.click_row("peaks_table", rows[0])
        self._wait_for_ions()
        self.hands.scroll_to("ions_heading")
        self.hands.click_button("ions_heading")

    def compare_spectra(self) -> None:
        """Draw the means of both classes over that of the slide, around its highest peaks."""
        names = [f"curve_{name}" for name in ("pixel", "tumor", "healthy")]
        for name in names:
            self.hands.click_button(name)
            wait_until(lambda: not self.session.runner.is_busy("average"), "the mean", 20)
        plot = self.dock.spectrum.plot
        highest = float(self.slide.overview.strongest[0].mz) if self.slide.overview else 0.0
        plot.setXRange(highest - 30, highest + 30, padding=0)
        settle(0.3)
        self._picture("ions-spectra", prefix="")
        for name in names:
            self.hands.click_button(name)
        plot.show_all()

    def paint(self, strokes: Sequence[Stroke], brush: int = 1) -> None:
        """Paint strokes with the mouse, taking each class up by its key."""
        self.hands.click_button("annotate_start")
        layer: Any = self._must("labels")
        layer.brush_size = brush
        keys = {1: "h", 2: "t"}
        for stroke in strokes:
            self.hands.press_key(keys[stroke.value])
            self.hands.drag_pixels(layer, stroke.path)
        expected = np.count_nonzero(layer.data)
        wait_until(
            lambda: int((self.slide.annotation.labels > 0).sum()) == expected, "the counts", 10
        )
        settle(0.2)
        self._picture("04-paint")

    def fit(self, seconds: float = 300) -> None:
        """Press *Fit* and wait for the model and its overlay."""
        before = self.session.classifier.model
        self.hands.click_button("fit_start")
        wait_until(lambda: self._loss_is_drawn() or self._model_is_not(before), "the fit", seconds)
        self._picture("05-fit")
        wait_until(lambda: self._model_is_not(before), "the fitted model", seconds)
        self._wait_for_prediction()
        self._picture("06-predict")

    def ask_why(self) -> None:
        """Ask what moved the answer at the clicked pixel, and on average to all tumor pixels."""
        why = self.session.why
        self.hands.click_button("spectrum_why")
        wait_until(lambda: why.shown is not None, "the relevance of the pixel", 60)
        wait_until(lambda: not self.session.runner.is_busy("peaks alone"), "the peaks alone", 60)
        self.hands.click_row("relevance_table", 0)
        self._wait_for_ions()
        self._picture("why", prefix="")
        before = why.shown
        self.hands.click_button("relevance_tumor")
        wait_until(lambda: why.shown is not before, "the relevance of the tumor", 120)
        self.hands.click_button("spectrum_why")

    def fit_and_stop(self, seconds: float = 120) -> None:
        """Press *Fit*, then *Stop* as soon as the network is learning."""
        before = self.session.classifier.model
        self.hands.click_button("fit_start")
        wait_until(lambda: self.session.runner.is_busy("fit"), "the fit to begin", 10)
        settle(1.0)
        self.hands.click_button("fit_stop")
        wait_until(lambda: self._model_is_not(before), "the stopped fit's model", seconds)
        self._wait_for_prediction()
        self._picture("08-stop")

    def save(self, folder: Path) -> dict[str, Path]:
        """Save labels, model and prediction through the file choosers."""
        slide = self.slide.name
        files = {
            "save_labels": folder / f"{slide}_labels.npy",
            "save_model": folder / f"{slide}_model.safetensors",
            "save_prediction": folder / f"{slide}_prediction.ome.tif",
        }
        for button, path in files.items():
            # What an earlier telling left: the file chooser would ask whether to replace it.
            path.unlink(missing_ok=True)
            self.hands.answer_dialog(button, path)
            wait_until(path.is_file, f"{path.name} to be written", 20)
            wait_until(lambda: not self.session.runner.is_busy("file"), "the file", 20)
        self.hands.scroll_to("export_start")
        self._picture("09-save")
        return files

    def look_at_uncertainty(self) -> None:
        """Show where the model is unsure, and the tumor probability again."""
        self.hands.choose("show", "uncertainty")
        wait_until(lambda: self._must("uncertainty").visible, "the uncertainty", 10)
        self.hands.scroll_to("predict_next")
        self._picture("07-uncertainty")
        self.hands.choose("show", "tumor")

    def save_and_reopen(self, path: Path) -> None:
        """Save the session, close the slide, and open the session again."""
        path.unlink(missing_ok=True)  # as in save
        self.hands.answer_dialog("session_save", path)
        wait_until(path.is_file, "the session to be written", 20)
        wait_until(lambda: not self.session.runner.is_busy("file"), "the file", 20)
        self.hands.click_button("slide_close")
        wait_until(lambda: self.session.active is None, "the slide to close", 10)
        self.hands.answer_dialog("session_open", path)
        wait_until(lambda: self.session.active is not None, "the session to open", 60)
        wait_until(lambda: not self.session.runner.is_busy("file"), "the file", 20)
        settle(0.5)
        self.hands.scroll_to("slide_list")
        self._picture("10-session")

    def open_model(self, path: Path) -> None:
        """Open a model through the file chooser and predict with it."""
        before = self.session.classifier.model
        self.hands.answer_dialog("open_model", path)
        wait_until(lambda: self._model_is_not(before), "the model to be read", 20)
        made = self.slide.prediction
        self.hands.click_button("predict_start")
        wait_until(lambda: self.slide.prediction is not made, "the prediction", 60)

    def restore(self) -> None:
        """Take back the strokes that a killed window left."""
        wait_until(self.dock.recovery.isVisible, "the offer of unsaved strokes", 10)
        self._picture("11-recover")
        self.hands.click_button("recovery_restore")
        settle(0.3)

    def overview(self, path: Path) -> None:
        """Take the one picture that says it all: strokes, overlay and spectrum."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.taken.append(self.hands.picture(path))

    # ---- inside -----------------------------------------------------------------------------

    def _opened(self, picture: str | None = "01-open") -> None:
        wait_until(lambda: self.session.active is not None, "the slide", 60)
        wait_until(lambda: self.slide.overview is not None, "the slide's overview", 60)
        self.hands.see_all()
        settle(0.3)
        if picture is not None:
            self._picture(picture)

    def _wait_for_prediction(self) -> None:
        def done() -> bool:
            busy = any(self.session.runner.is_busy(lane) for lane in ("fit", "predict"))
            return not busy and self.slide.prediction is not None

        wait_until(done, "the overlay", 120)
        settle(0.3)

    def _loss_is_drawn(self) -> bool:
        epochs, _ = self.dock.fit.plot.loss.getData()
        return epochs is not None and len(epochs) > 1

    def _model_is_not(self, before: object) -> bool:
        return self.session.classifier.model is not before

    def _must(self, role: Role) -> Layer:
        layer = self.layer(role)
        assert layer is not None, role  # noqa: S101 - the chapter before has made it
        return layer

    def _wait_for_ions(self) -> None:
        wait_until(lambda: not self.session.runner.is_busy("ion"), "the ion image", 20)
        settle(0.2)

    def _picture(self, name: str, prefix: str = "walk-") -> None:
        if self._pictures is not None:
            self.taken.append(self.hands.picture(self._pictures / f"{prefix}{name}.png"))
