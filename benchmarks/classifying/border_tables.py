"""What neighbors do to pixels near another class, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from classifying.figures import SMOOTHED, Run
from classifying.tables import in_words, number, recipe_of, table
from napari_ims_tumor.cohort.intervals import Interval, interval_of

NEAR = 2


def borders(runs: Iterable[Run]) -> str:
    """All pixels, and those near another class, in every view; beside the same model per pixel."""
    runs = [run for run in runs if recipe_of(run) == run.unit.data]
    alone = _alone(runs)
    rows = []
    for run in sorted(runs, key=lambda r: r.unit.data):
        u = run.unit
        base = alone.get(_same(run))
        for view in (u.treatment, u.treatment + SMOOTHED):
            whole, near = run.figures(view)["balanced accuracy"], run.near_border(view, NEAR)
            cells = ["", ""]
            if base is not None and view != "pixel":
                own, other = (r.draws(v, NEAR)["balanced_accuracy"]
                              for r, v in ((run, view), (base, "pixel")))  # fmt: skip
                cells = [f"{near - base.near_border('pixel', NEAR):+.4f}",
                         in_words(interval_of(own - other))]  # fmt: skip
            rows.append([u.data, u.model, view, number(whole), number(near), *cells])
    near_head = f"within {NEAR} pixels of another class"
    head = ["data", "model", "treatment", "all pixels", near_head, "there, minus pixel",
            "95 % interval"]  # fmt: skip
    return table(head, rows)


def borders_over_cohorts(runs: Sequence[Run]) -> str:
    """What neighbors add on average over the cohorts of a recipe, and on single ones."""
    alone, found = _alone(runs), dict[tuple[str, str, str], list[tuple[float, float]]]()
    for run in runs:
        u, base = run.unit, alone.get(_same(run))
        for view in (u.treatment, u.treatment + SMOOTHED):
            if base is None or view == "pixel":
                continue
            whole, own = (r.figures(v)["balanced accuracy"]
                          for r, v in ((run, view), (base, "pixel")))  # fmt: skip
            near = run.near_border(view, NEAR) - base.near_border("pixel", NEAR)
            for name in ("both", recipe_of(run)):
                found.setdefault((name, u.model, view), []).append((whole - own, near))
    rows = []
    for (name, model, view), gains in sorted(found.items()):
        if len(gains) > 2:
            whole, near = np.array(gains).T
            rows.append([name, model, view, str(len(gains)), f"{whole.mean():+.4f}",
                         f"{near.mean():+.4f}", in_words(_of_means(near)),
                         f"{near.min():+.4f} to {near.max():+.4f}"])  # fmt: skip
    near_head = f"within {NEAR} pixels of another class"
    head = ["slides", "model", "treatment", "cohorts", "all pixels, minus pixel", near_head,
            "95 % interval of the mean", "single cohorts"]  # fmt: skip
    return table(head, rows)


def _alone(runs: Iterable[Run]) -> dict[tuple[str, str, str, int], Run]:
    return {_same(run): run for run in runs if run.unit.treatment == "pixel"}


def _same(run: Run) -> tuple[str, str, str, int]:
    """What runs share that differ in nothing but the treatment."""
    u = run.unit
    return u.data, u.split, u.model, u.seed


def _of_means(values: np.ndarray) -> Interval:
    """Interval of a mean over cohorts: of draws of whole cohorts."""
    draw = np.random.default_rng(0)
    return interval_of(draw.choice(values, (20_000, values.size)).mean(axis=1))
