"""Loss and held-out score of a running fit, drawn as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_ims_tumor.widgets.theme import Palette

if TYPE_CHECKING:
    from napari_ims_tumor.model.fitting import EpochReport

LOWEST_SCORE = 0.45
"""Just below chance: a worse score moves the axis down instead of leaving the picture."""
ROW_PX = 92
AXIS_PX = 30
MARGINS_PX = 8
BASELINE_WORDS = 0.75
"""Where along the line they stand: beside those of the network."""


class FitPlot(pg.GraphicsLayoutWidget):
    """Two small plots over the epochs: held-out score with the linear answer as a line, and loss.

    Attributes
    ----------
    loss, score
        The curves.
    baseline
        The linear model's held-out score.
    chosen
        The held-out score of the network that the finished model has.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._losses: dict[int, float] = {}
        self._scores: dict[int, float] = {}
        self._build()
        self.clear_fit()

    def _build(self) -> None:
        self.setObjectName("fit_plot")
        self.setAccessibleName("Loss and held-out score of the fit")
        self.setToolTip("Held-out score: balanced accuracy on strokes the fit did not see.")
        self.ci.layout.setContentsMargins(0, 4, 4, 0)
        self.ci.layout.setVerticalSpacing(0)
        self.score_plot = self._row(0, "score")
        self.loss_plot = self._row(1, "loss")
        self.score_plot.hideAxis("bottom")
        self.loss_plot.setXLink(self.score_plot)
        self.loss_plot.setLabel("bottom", "epoch")
        self._show_scores(LOWEST_SCORE)
        # A small filled circle on each point: one epoch alone is visible too.
        self.score = self.score_plot.plot(symbol="o", symbolSize=4)
        self.loss = self.loss_plot.plot(symbol="o", symbolSize=4)
        self.baseline = self._line("linear", BASELINE_WORDS)
        self.chosen = self._line("network", 0.25)

    def _line(self, name: str, position: float) -> Any:
        line = pg.InfiniteLine(angle=0, label=name)
        line.label.setPosition(position)
        self.score_plot.addItem(line, ignoreBounds=True)
        return line

    def _row(self, row: int, label: str) -> Any:
        plot = self.addPlot(row=row, col=0)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        plot.setLabel("left", label)
        plot.getAxis("left").setWidth(64)
        plot.getAxis("left").enableAutoSIPrefix(False)
        return plot

    def clear_fit(self) -> None:
        """Begin a new fit: nothing is drawn."""
        self._phase: str | None = None
        self._linear: float | None = None
        self._chosen: float | None = None
        self._losses.clear()
        self._scores.clear()
        self.loss.setData([], [])
        self.score.setData([], [])
        for line in (self.baseline, self.chosen):
            line.hide()
        self.baseline.label.setPosition(BASELINE_WORDS)
        self._show_rows()

    def add(self, report: EpochReport) -> None:
        """Draw one report's numbers."""
        if report.loss is not None:
            self._add_epoch(report, report.loss)
        if report.linear_score is not None:
            self._linear = report.linear_score
            _put(self.baseline, "linear", report.linear_score)
        self._show_all()

    def conclude(self, network: float | None, linear: float | None) -> None:
        """Draw the scores of the finished model: the last report may tell of fewer folds.

        Where the network was not chosen, its curve stays beside the linear score on the spectra
        that it was judged by: that of all folds would compare unlike things.
        """
        self._chosen = network
        if self._scores and self._linear is not None and network is None:
            _put(self.baseline, "linear, same pixels", self._linear)
            self.baseline.label.setPosition(0.5)  # or the long words would be cut off
        elif linear is not None:
            self._linear = linear
            _put(self.baseline, "linear", linear)
        if network is not None:
            _put(self.chosen, "network", network)
        self._show_all()

    def _show_all(self) -> None:
        known = (score for score in (self._linear, self._chosen) if score is not None)
        self._show_scores(min((LOWEST_SCORE, *known, *self._scores.values())))
        self._show_rows()

    def _add_epoch(self, report: EpochReport, loss: float) -> None:
        """Draw one epoch of the network."""
        if self._phase not in (None, report.phase):
            # The last fit, on all labels, counts anew and has no score of its own.
            return
        self._phase = report.phase
        self._losses[report.epoch] = loss
        self.loss.setData(list(self._losses), list(self._losses.values()))
        self.loss_plot.setXRange(0, max(report.epochs, 1), padding=0.02)
        if report.held_out_score is not None:
            self._scores[report.epoch] = report.held_out_score
            self.score.setData(list(self._scores), list(self._scores.values()))

    def _show_scores(self, lowest: float) -> None:
        # pyqtgraph's own margin would depend on how large the plot happens to be.
        self.score_plot.setYRange(lowest, 1.0, padding=0.03)

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to see."""
        known = self._linear is not None or self._chosen is not None
        return bool(self._losses or self._scores) or known

    def _show_rows(self) -> None:
        """Give no place to a plot while it has nothing to show."""
        # Not asked of the items: an item of a hidden plot always says that it is hidden.
        scored = bool(self._scores) or self._linear is not None or self._chosen is not None
        shown = (scored, bool(self._losses))
        for row, plot in enumerate((self.score_plot, self.loss_plot)):
            plot.setVisible(shown[row])
            self.ci.layout.setRowFixedHeight(row, ROW_PX + AXIS_PX * row if shown[row] else 0)
        self.setFixedHeight(ROW_PX * sum(shown) + AXIS_PX * shown[1] + MARGINS_PX)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.setBackground(colors.background)
        for plot in (self.score_plot, self.loss_plot):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(colors.faint)
                plot.getAxis(side).setTextPen(colors.text)
        for curve, color in ((self.score, colors.score), (self.loss, colors.text)):
            curve.setPen(pg.mkPen(color, width=2))
            curve.setSymbolBrush(color)
            curve.setSymbolPen(color)
        self.baseline.setPen(pg.mkPen(colors.mean, style=Qt.PenStyle.DashLine))
        self.baseline.label.setColor(colors.mean)
        self.chosen.setPen(pg.mkPen(colors.score, style=Qt.PenStyle.DashLine))
        self.chosen.label.setColor(colors.score)


def _put(line: Any, name: str, score: float) -> None:
    """Draw a line at a score, with its words."""
    line.setValue(score)
    words = f"{name} {score:.3f}"
    # The format is what the label falls back to, and it is not looked at while hidden.
    line.label.setFormat(words)
    line.label.setText(words)
    line.show()
