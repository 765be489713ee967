"""What was found, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from classifying.figures import SMOOTHED, VIEWS, Judged, Run
from classifying.models import ALIGNED, AUGMENTED, MAJORITY
from classifying.rivals import LINEAR_RIVALS
from napari_ims_tumor.cohort.intervals import Interval

OURS = ("default", "linear")
WORST = 6


def accuracy(judged: Judged) -> str:
    """Balanced accuracy of every model in every view: mean over divisions and seeds."""
    views = [v for v in VIEWS if any(judged.runs(m, v) for m in judged.models)]
    rows = []
    for model in judged.models:
        cells = [
            f"{number(judged.mean(model, v, 'balanced accuracy'))} "
            f"{in_words(judged.interval(model, v))}"
            if judged.runs(model, v)
            else ""
            for v in views
        ]
        rows.append([model, *cells, str(max(len(judged.runs(model, v)) for v in views))])
    return table(["balanced accuracy", *views, "runs"], rows)


def other_figures(judged: Judged) -> str:
    """AUROC, calibration error and time of every model, and whatever view it has."""
    rows = []
    for model in judged.models:
        for view in VIEWS:
            runs = judged.runs(model, view)
            if not runs:
                continue
            figure = {
                name: number(judged.mean(model, view, name))
                for name in ("balanced accuracy", "auroc", "ece uncalibrated", "ece")
            }
            seconds = float(np.mean([run.fit_seconds for run in runs]))
            speed = float(np.mean([run.spectra_per_s for run in runs]))
            rows.append(
                [model, view, *figure.values(), f"{seconds:.3g}",
                 "" if np.isnan(speed) else f"{speed:,.0f}"]
            )  # fmt: skip
    head = ["model", "treatment", "balanced accuracy", "AUROC", "calibration error before",
            "after", "fit, s per division", "spectra/s"]  # fmt: skip
    return table(head, rows)


def differences(judged: Judged, model: str = "default") -> str:
    """A model beside the best linear rival, and beside linear, treated alike."""
    rows = []
    for view in VIEWS:
        if not judged.runs(model, view):
            continue
        for rival in dict.fromkeys((best_linear(judged, view), "linear", "isotopenet",
                                    "isotopenet x4", "random forest")):  # fmt: skip
            if rival == model:
                continue
            for metric in ("balanced_accuracy", "auroc"):
                found = rival and judged.difference(model, rival, view, metric)
                if found:
                    span = in_words(found.interval)
                    name = metric.replace("_", " ").replace("auroc", "AUROC")
                    rows.append([view, str(rival), name, f"{found.value:+.4f}", span, found.says])
    head = [f"{model} minus", "rival", "figure", "difference", "95 % interval", ""]
    return table(head, rows)


def neighborhood_gains(judged: Judged) -> str:
    """What seeing the neighborhood gives: the best linear rival alone is the one to beat."""
    rows = []
    base = best_linear(judged, "pixel")
    for model in judged.models:
        for view in VIEWS[1:]:
            if base and judged.runs(model, view) and model != MAJORITY:
                found = judged.difference(model, base, view, rival_view="pixel")
                if found:
                    rows.append([model, view, f"{found.value:+.4f}", in_words(found.interval),
                                 found.says])  # fmt: skip
    return table(["model", "treatment", f"minus {base}, pixel", "95 % interval", ""], rows)


def best_linear(judged: Judged, view: str) -> str | None:
    """The linear rival with the largest mean in this view: known only afterwards, so a hard one."""
    found = {
        name: judged.mean(name, view, "balanced accuracy")
        for name in LINEAR_RIVALS
        if judged.runs(name, view)
    }
    return max(found, key=lambda name: found[name]) if found else None


def hardest_groups(judged: Judged, view: str = "pixel") -> str:
    """The groups that the models get wrong most, one by one."""
    models = [m for m in judged.models if judged.runs(m, view) and m != MAJORITY]
    shares: dict[str, dict[str, float]] = {}
    pixels: dict[str, int] = {}
    for model in models:
        for run in judged.runs(model, view):
            for name, (n, right) in run.right_of_group(view).items():
                pixels[name] = n
                shares.setdefault(name, {}).setdefault(model, 0.0)
                shares[name][model] += right / len(judged.runs(model, view))
    worst = sorted(shares, key=lambda name: float(np.mean(list(shares[name].values()))))[:WORST]
    rows = [
        [name, str(pixels[name]), *(number(shares[name].get(m, float("nan"))) for m in models)]
        for name in worst
    ]
    return table([f"group ({view})", "pixels", *models], rows)


def few_labels(runs: Iterable[Run]) -> str:
    """Mean over draws of the balanced accuracy on groups without a stroke."""
    found = few_label_means(runs)
    splits = list(dict.fromkeys(split for _, _, split in found))
    kinds = list(dict.fromkeys((model, view) for model, view, _ in found))
    rows = [
        [model, view, *(number(found.get((model, view, split), float("nan"))) for split in splits)]
        for model, view in kinds
    ]
    return table(["model", "treatment", *splits], rows)


def few_label_differences(runs: Iterable[Run], base: str = "linear") -> str:
    """A model minus linear on the very same strokes: mean over draws, its standard error."""
    found: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for run in sorted(runs, key=lambda r: int(r.unit.split.split()[0])):
        u = run.unit
        for view in (u.treatment, u.treatment + SMOOTHED):
            own = found.setdefault((u.model, view, u.split), {}).setdefault(u.fold, [])
            own.append(run.figures(view)["balanced accuracy"])
    rows = []
    for (model, view, split), draws in found.items():
        other = found.get((base, view, split), {})
        both = [np.mean(draws[k]) - np.mean(other[k]) for k in draws if k in other]
        if model != base and both:
            error = np.std(both, ddof=1) / np.sqrt(len(both)) if len(both) > 1 else np.nan
            rows.append([split, model, view, str(len(both)), f"{np.mean(both):+.4f}",
                         f"{error:.4f}", f"{min(both):+.4f} to {max(both):+.4f}"])  # fmt: skip
    head = [
        "strokes",
        "model",
        "treatment",
        "draws",
        f"minus {base}",
        "standard error",
        "draws from",
    ]
    return table(head, rows)


def few_label_means(runs: Iterable[Run]) -> dict[tuple[str, str, str], float]:
    """(model, view, split) → mean over draws and seeds."""
    sums: dict[tuple[str, str, str], list[float]] = {}
    for run in sorted(runs, key=lambda r: int(r.unit.split.split()[0])):
        for view in (run.unit.treatment, run.unit.treatment + SMOOTHED):
            key = (run.unit.model, view, run.unit.split)
            sums.setdefault(key, []).append(run.figures(view)["balanced accuracy"])
    return {key: float(np.nanmean(values)) for key, values in sums.items()}


def changes(runs: Sequence[Run]) -> str:
    """Balanced accuracy of spectra that were changed after the fit, each model's per-pixel."""
    runs = [run for run in runs if run.unit.treatment == "pixel"]
    if not runs:
        return ""
    names = runs[0].parts[0].changes
    rows = []
    for model, found in change_curves(runs).items():
        loss = 100 * (found[""] - min(found["shift +4"], found["shift -4"]))
        rows.append([model, *(number(found[name]) for name in names), f"{loss:.1f}"])
    return table(["model", *(name or "as measured" for name in names), "points lost at ±4"], rows)


def change_curves(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Model → change → balanced accuracy, mean over seeds."""
    sums: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        if run.unit.treatment != "pixel":
            continue
        for name in run.parts[0].changes:
            score = run.figures("pixel", name)["balanced accuracy"]
            sums.setdefault(run.unit.model, {}).setdefault(name, []).append(score)
    order = sorted(sums, key=lambda name: (name.endswith(ALIGNED), name.endswith(AUGMENTED)))
    return {m: {name: float(np.mean(v)) for name, v in sums[m].items()} for m in order}


def per_cohort(runs: Iterable[Run]) -> str:
    """One row per model and view, one column per simulated cohort."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for run in runs:
        for view in (run.unit.treatment, run.unit.treatment + SMOOTHED):
            own = found.setdefault((run.unit.model, view), {})
            score = run.figures(view)["balanced accuracy"]
            own.setdefault(recipe_of(run), []).append(score)
    data = list(dict.fromkeys(name for own in found.values() for name in own))
    rows = [
        [model, view, *(number(float(np.mean(own[name]))) if name in own else "" for name in data)]
        for (model, view), own in found.items()
    ]
    return table(["balanced accuracy", "treatment", *data], rows)


def cohort_differences(runs: Iterable[Run], model: str = "default") -> str:
    """A model beside its strongest rivals, one simulated cohort at a time."""
    of_data: dict[str, list[Run]] = {}
    for run in runs:
        of_data.setdefault(run.unit.data, []).append(run)
    rows = []
    for data, own in of_data.items():
        judged = Judged(own)
        for view in VIEWS:
            for rival in (best_linear(judged, view), "random forest"):
                found = rival and judged.difference(model, rival, view)
                if found:
                    span = in_words(found.interval)
                    rows.append([data, view, str(rival), f"{found.value:+.4f}", span, found.says])
    return table(["data", "treatment", f"{model} minus", "difference", "95 % interval", ""], rows)


def recipe_of(run: Run) -> str:
    """Name of a simulated cohort without its seed."""
    return run.unit.data.split(" (seed")[0]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; empty where there are no rows."""
    rows = list(rows)
    if not rows:
        return ""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def number(value: float) -> str:
    """.9475 as papers write it."""
    return "" if np.isnan(value) else f"{value:.4f}".replace("0.", ".", 1)


def in_words(found: Interval) -> str:
    if found.low is None or found.high is None:
        return ""
    return f"({_signed(found.low)} to {_signed(found.high)})"


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("0.", ".", 1)
