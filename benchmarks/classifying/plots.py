"""What was found, as SVG pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from classifying.changes import SHIFTS
from classifying.figures import SMOOTHED, VIEWS, Judged, Run
from classifying.models import ALIGNED, AUGMENTED
from classifying.tables import best_linear, change_curves, few_label_means

COLORS = {
    "default": "#c2185b", "linear": "#1565c0", "logistic regression": "#5c9ce6",
    "LDA on PCA": "#00838f", "PLS-DA": "#7cb342", "linear SVM": "#8d6e63",
    "random forest": "#f9a825", "isotopenet": "#616161", "isotopenet x4": "#212121",
    "faithful": "#ab47bc", "undilated twin": "#9e9e9e", "majority": "#bdbdbd",
}  # fmt: skip
STYLE: Any = {
    "svg.hashsalt": "napari-ims-tumor", "svg.fonttype": "none", "font.family": "sans-serif",
    "font.size": 10,
}  # fmt: skip


def accuracies(judged: Judged, path: Path) -> None:
    """Balanced accuracy with its interval: a row per model, a mark per treatment."""
    models = [m for m in judged.models if m != "majority"][::-1]
    figure, axes = _figure(7.5, 0.8 + 0.55 * len(models))
    marks = dict(zip(VIEWS, "osD^", strict=True))
    for place, model in enumerate(models):
        for row, view in enumerate(VIEWS):
            if not judged.runs(model, view):
                continue
            value = judged.mean(model, view, "balanced accuracy")
            low, high = _ends(judged, model, view)
            y = place + 0.27 - 0.18 * row
            filled = _color(model) if SMOOTHED in view else "white"
            axes.plot([low, high], [y, y], color=_color(model), linewidth=1.2, alpha=0.5)
            axes.plot(value, y, marks[view], color=_color(model), markerfacecolor=filled)
    for view, mark in marks.items():
        filled = "#444444" if SMOOTHED in view else "white"
        axes.plot([], [], mark, color="#444444", markerfacecolor=filled, label=view)
    axes.set_yticks(range(len(models)), models)
    axes.set_xlabel("balanced accuracy, with 95 % interval over groups")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.45, 1))
    axes.grid(axis="x", alpha=0.25)
    _write(figure, path)


def differences(judged: Judged, path: Path, model: str = "default") -> None:
    """One model minus the best linear rival and others, treated alike, with intervals."""
    found = []
    for view in VIEWS:
        for rival in dict.fromkeys((best_linear(judged, view), "linear", "isotopenet")):
            if rival is None or rival == model:
                continue
            difference = judged.difference(model, rival, view)
            if difference:
                found.append((f"{rival} ({view})", difference))
    if not found:
        return
    figure, axes = _figure(7.5, 0.9 + 0.35 * len(found))
    for place, (_, difference) in enumerate(found[::-1]):
        low, high = difference.interval.low, difference.interval.high
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=_color(model), linewidth=2, alpha=0.5)
        axes.plot(difference.value, place, "o", color=_color(model))
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_yticks(range(len(found)), [name for name, _ in found[::-1]])
    axes.margins(y=0.15)
    axes.set_xlabel(f"balanced accuracy of {model} minus rival, 95 % interval over groups")
    axes.grid(axis="x", alpha=0.25)
    _write(figure, path)


def few_labels(runs: Sequence[Run], path: Path, view: str = "pixel") -> None:
    """Balanced accuracy over the number of painted pixels."""
    found = {key: v for key, v in few_label_means(runs).items() if key[1] == view}
    if not found:
        return
    figure, axes = _figure(8, 4)
    for model in dict.fromkeys(model for model, _, _ in found):
        points = sorted((int(s.split()[0]), v) for (m, _, s), v in found.items() if m == model)
        pixels, scores = zip(*points, strict=True)
        axes.plot(pixels, scores, "o-", color=_color(model), label=model)
    axes.set_xscale("log")
    ticks = sorted({int(split.split()[0]) for _, _, split in found})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("painted pixels")
    axes.set_ylabel("balanced accuracy, groups without a stroke")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.25)
    _write(figure, path)


def shifts(runs: Sequence[Run], path: Path) -> None:
    """Balanced accuracy over the mass shift; rivals dashed with copies, dotted aligned."""
    curves = change_curves(runs)
    if not curves:
        return
    figure, axes = _figure(8, 4)
    bins = sorted((*SHIFTS, 0))
    for model, found in curves.items():
        scores = [found[f"shift {b:+d}" if b else ""] for b in bins]
        dashed = "--" if model.endswith(AUGMENTED) else ":" if model.endswith(ALIGNED) else "-"
        axes.plot(bins, scores, "o" + dashed, color=_color(model), label=model, markersize=4)
    axes.set_xlabel("mass shift of the spectra to answer, bins")
    axes.set_ylabel("balanced accuracy")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.25)
    _write(figure, path)


def _ends(judged: Judged, model: str, view: str) -> tuple[float, float]:
    found = judged.interval(model, view)
    return (
        np.nan if found.low is None else found.low, np.nan if found.high is None else found.high
    )  # fmt: skip


def _color(model: str) -> str:
    return COLORS.get(model.split(" + ", maxsplit=1)[0], "#444444")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _write(figure: Figure, path: Path) -> None:
    with rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})  # type: ignore[no-untyped-call]
