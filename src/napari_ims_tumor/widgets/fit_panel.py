"""Section *Fit*: from which model, with what, how it goes, and stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ims_tumor.job import Progress
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import FitConfig, why_not_fine_tune
from napari_ims_tumor.session.jobs import one_step
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.widgets.fit_options import FIT_OPTIONS, FROM_FILE, MORE, StartForm
from napari_ims_tumor.widgets.fit_plot import FitPlot
from napari_ims_tumor.widgets.fit_words import (
    fitted_words,
    model_score_words,
    model_scores,
    of_other_slides,
    progress_words,
    score_words,
    why_not_together,
)
from napari_ims_tumor.widgets.forms import ConfigForm, fields_for, form_for
from napari_ims_tumor.widgets.section import Section, show_text, text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

if TYPE_CHECKING:
    from napari_ims_tumor.model.device import DeviceNote
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.fitting import EpochReport

COMPUTING = ("device", "precision", "deterministic")
NO_BASE = "Choose the model file to start from."
NO_MODEL_YET = "Stopped before there was a model."


class FitPanel(Section):
    """Asks for a fit, shows how it goes and stops it.

    Signals
    -------
    plot_shown
        The curves of a fit have appeared.
    """

    plot_shown = Signal()

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__("3  Fit", "fit", parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._base: FittedModel | None = None
        self._device_asked = False
        self._time_left: tuple[str, float] | None = None
        self._is_stopping = False
        self._make()
        self._connect(wiring)
        self._computing_chosen()
        self.refresh()
        self._show_last_fit()
        for slide in self._session.slides:
            self._ask_device(slide)

    def _make(self) -> None:
        # One form: labels of the same column line up.
        network = fields_for(FitConfig, FIT_OPTIONS, ("network",))
        self.start = ConfigForm(
            [*fields_for(StartForm, {"model_file": {"label": "model"}}), *network]
        )
        file: Any = self.start["model_file"]
        file.choose_btn.tooltip = "Choose a model that was fitted earlier"
        file.choose_btn.text = "Choose…"
        file.line_edit.value = ""
        file.line_edit.native.setPlaceholderText("a .safetensors file")
        self.more = Section("Options", "fit_options")
        self.more.heading.setChecked(False)
        self.options = form_for(FitConfig, FIT_OPTIONS, MORE)
        self.more.add(self.options)
        self.device = text_line("fit_device")
        self.advice = text_line("fit_advice")
        self.reason = text_line("fit_reason")
        self.plot = FitPlot(self)
        self.progress = text_line("fit_progress")
        self.score = text_line("fit_score")
        self.add(self.start, self.more, self.device, self.advice)
        self.add(self._buttons(), self.reason, self.progress, self.plot, self.score)
        for widget in (self.plot, self.device, self.advice, self.progress, self.score):
            widget.hide()

    def _buttons(self) -> QWidget:
        self.fit = QPushButton("Fit")
        self.fit.setObjectName("fit_start")
        self.stop = QPushButton("Stop")
        self.stop.setObjectName("fit_stop")
        self.stop.setToolTip("End the fit now and keep its best model so far")
        self.go_on = QPushButton("Go on")
        self.go_on.setObjectName("fit_go_on")
        self.go_on.setToolTip("Go on with the fit that was ended, from its last epoch")
        self.go_on.hide()
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.fit, 2)
        row.addWidget(self.go_on, 1)
        row.addWidget(self.stop, 1)
        return holder

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (session.annotation_changed, session.active_changed, session.slide_closed):
            wiring.on(signal, self._changed)
        for known in (session.slide_opened, session.slide_surveyed):
            wiring.on(known, self._ask_device)
        wiring.on(session.job_started, self._job_started)
        wiring.on(session.job_reported, self._job_reported)
        wiring.on(session.job_ended, self._job_ended)
        wiring.on(session.fitted, self._fitted)
        wiring.on(session.session_opened, self._reopened)
        self.fit.clicked.connect(self._start)
        self.go_on.clicked.connect(self._go_on)
        self.stop.clicked.connect(self._stop)
        self.start["start_from"].changed.connect(self._changed)
        self.start["network"].changed.connect(self._changed)
        self.start["model_file"].changed.connect(self._file_chosen)
        for name in COMPUTING:
            self.options[name].changed.connect(self._computing_chosen)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.plot.paint_with(colors)
        self.advice.setStyleSheet(f"color: {colors.warning};")

    def fit_config(self) -> FitConfig:
        """Read the form."""
        return FitConfig(network=self.start["network"].value, **self.options.read())

    def refresh(self) -> None:
        """Enable what can be pressed, and say why the rest cannot."""
        tuning = self.start["start_from"].value == FROM_FILE
        self.start.show_row("model_file", tuning)
        self.options["tune"].enabled = tuning
        reason = self._session.classifier.why_not_fit() or why_not_together(self._session.slides)
        if reason is None and tuning:
            reason = self._why_not_tune()
        running = self._session.runner.is_busy("fit")
        self.fit.setEnabled(reason is None)
        self.fit.setToolTip(reason or "Fit a model to all strokes on all open slides")
        self.stop.setEnabled(running)
        self.go_on.setVisible(self._session.classifier.can_go_on)
        elsewhere = of_other_slides(self._session.slides, self._session.active)
        show_text(self.reason, "" if running else reason or elsewhere)

    def _why_not_tune(self) -> str | None:
        """Say why the chosen network cannot start from the chosen model."""
        networks = [self.start["network"].value]
        if self._base is not None:
            networks.append(self._base.network.network)
        reasons = [reason for reason in map(why_not_fine_tune, networks) if reason is not None]
        return reasons[0] if reasons else (NO_BASE if self._base is None else None)

    # ---- what the user does -----------------------------------------------------------------

    def _start(self) -> None:
        if self._binding is not None:
            self._binding.flush()
        tuning = self.start["start_from"].value == FROM_FILE
        self._session.classifier.fit(self.fit_config(), self._base if tuning else None)
        self.refresh()

    def _go_on(self) -> None:
        if self._binding is not None:
            self._binding.flush()
        # A stroke that was not told yet makes it another fit.
        if self._session.classifier.can_go_on:
            self._session.classifier.go_on(self.options.read()["time_limit_s"])
        self.refresh()

    def _file_chosen(self, path: Path) -> None:
        self._base = None
        self.refresh()
        if not path.is_file():
            return

        def read() -> FittedModel:
            from napari_ims_tumor.model.checkpoint import read_model

            return read_model(path)

        self._session.run("file", one_step("Reading the model", read), self._base_read)

    def _base_read(self, model: FittedModel) -> None:
        self._base = model
        self.refresh()

    def _stop(self) -> None:
        self._is_stopping = True
        self._session.classifier.stop()

    def _computing_chosen(self, _: object = None) -> None:
        """Models that are opened are computed as the next fit would be."""
        read = self.options.read()
        self._session.classifier.chosen = Computing(**{name: read[name] for name in COMPUTING})

    # ---- what the session says --------------------------------------------------------------

    def _changed(self, _: object) -> None:
        self.refresh()

    def _job_started(self, lane: str) -> None:
        if lane == "fit":
            self._time_left, self._is_stopping = None, False
            self.plot.clear_fit()
            self.plot.hide()
            show_text(self.score, "")
            show_text(self.progress, "Starting…")

    def _job_reported(self, lane: str, report: Any) -> None:
        if lane != "fit":
            return
        if not self.stop.isEnabled():
            self.refresh()
        if not isinstance(report, Progress):
            report = self._with_time_left(report)
        show_text(self.progress, progress_words(report))
        if not isinstance(report, Progress):
            self.plot.add(report)
            if self.plot.isHidden() and self.plot.has_rows:
                self.plot.show()
                self.plot_shown.emit()
            show_text(self.score, score_words(report) or self.score.text())

    def _reopened(self, _: Path) -> None:
        self._show_last_fit()

    def _show_last_fit(self) -> None:
        """Draw again what the last fit reported: this panel may be younger than the model."""
        if self._session.runner.is_busy("fit"):
            return
        self.plot.clear_fit()
        self.score.setText("")
        for report in self._session.classifier.log:
            self.plot.add(report)
            self.score.setText(score_words(report) or self.score.text())
        self.plot.setVisible(self.plot.has_rows)
        show_text(self.score, self.score.text())
        model = self._session.classifier.model
        if model is None:
            show_text(self.progress, "")
        else:
            self._say(model)
        self.refresh()

    def _say(self, model: FittedModel) -> None:
        show_text(self.progress, fitted_words(model))
        show_text(self.score, model_score_words(model) or self.score.text())
        self.plot.conclude(*model_scores(model))
        self.plot.setVisible(self.plot.has_rows)

    def _with_time_left(self, report: EpochReport) -> EpochReport:
        """Keep the last estimate of a phase: reports within an epoch bring none."""
        if report.seconds_left is not None:
            self._time_left = report.phase, report.seconds_left
        elif self._time_left is not None and self._time_left[0] == report.phase:
            return replace(report, seconds_left=self._time_left[1])
        return report

    def _job_ended(self, lane: str) -> None:
        if lane == "fit":
            show_text(self.progress, "")
            self.refresh()
            # After its result is known, if it has one.
            QTimer.singleShot(0, self._tell_of_the_old)

    def _tell_of_the_old(self) -> None:
        """Say that the model before is still there, where a fit has come to nothing."""
        model, running = self._session.classifier.model, self._session.runner.is_busy("fit")
        if running or self.progress.text():
            return
        if model is not None:
            self._say(model)
        elif self._is_stopping:
            show_text(self.progress, NO_MODEL_YET)

    def _fitted(self, model: FittedModel) -> None:
        if not self._session.classifier.fitted_to:
            # One from a file: the curves are those of another.
            self.plot.clear_fit()
        self._say(model)
        self.refresh()

    def _ask_device(self, slide: SlideState) -> None:
        """Name the processor once a slide is shown: asking loads torch, a worker's work."""
        if self._device_asked or slide.overview is None:
            return
        self._device_asked = True

        def ask() -> DeviceNote:
            from napari_ims_tumor.model.device import describe_device

            return describe_device()

        self._session.run("device", one_step("Looking for a GPU", ask), self._show_device)

    def _show_device(self, note: DeviceNote) -> None:
        show_text(self.device, f"Computes on {note.name}")
        show_text(self.advice, note.advice or "")
