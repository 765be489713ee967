"""What a fit's reports and models say in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_ims_tumor.job import Progress

if TYPE_CHECKING:
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.fitting import EpochReport
    from napari_ims_tumor.session.slide_state import SlideState


KINDS = {
    "default": "dilated CNN",
    "linear": "linear model",
    "isotopenet": "IsotopeNet",
    "faithful": "dilated CNN of stride 1",
}
OPTIMISTIC = "A little optimistic: the epoch is chosen on the same held-out strokes."

LIKE_CHANCE = (
    "This model is hardly better than guessing: paint strokes in more places before you use its "
    "answers"
)
FEW_GROUPS = 4
"""Held-out groups that are counted for a model that does not say how many there were."""


def progress_words(report: EpochReport | Progress) -> str:
    """Say what a fit is doing, how far it is and how long it will take."""
    if isinstance(report, Progress):
        return f"{report.phase} {report.fraction:.0%}" if report.total else report.phase
    parts = [report.phase]
    if report.epochs:
        parts.append(f"epoch {report.epoch} of {report.epochs}")
    if report.seconds_left is not None:
        parts.append(f"about {duration(report.seconds_left)} left")
    if report.device:
        parts.append(f"on {report.device}")
    return " · ".join(parts)


def score_words(report: EpochReport) -> str:
    """Say the held-out scores, or why there is none."""
    scores = [
        f"{name} {score:.3f}"
        for name, score in (
            ("network", report.held_out_score if report.phase.startswith("Network") else None),
            ("linear", report.linear_score),
        )
        if score is not None
    ]
    said = "Held-out balanced accuracy: " + ", ".join(scores) if scores else ""
    chosen = OPTIMISTIC if len(scores) > 1 and report.is_optimistic else ""
    return "\n".join(part for part in (said, chosen, report.note) if part)


def model_score_words(model: FittedModel) -> str:
    """Say the held-out scores that a finished model carries, and what was noted of it.

    The last report of a fit may tell of another epoch, or of fewer folds. Where there is no score,
    the note says why; empty where there is none.
    """
    note = str(model.card.get("note") or "")
    found = zip(("network", "linear"), model_scores(model), strict=True)
    scores = [f"{name} {score:.3f}" for name, score in found if score is not None]
    if not scores:
        return note
    chosen = OPTIMISTIC if len(scores) > 1 and model.is_optimistic else ""
    said = f"Held-out balanced accuracy: {', '.join(scores)}; {_chance(model):.2g} is chance"
    return "\n".join(part for part in (said, chosen, note) if part)


def model_scores(model: FittedModel) -> tuple[float | None, float | None]:
    """The held-out scores that a finished model carries: of its network, and linear alone."""
    best = model.card.get("held-out balanced accuracy") if model.has_cnn else None
    linear = model.card.get("held-out balanced accuracy, linear")
    return (
        best if isinstance(best, float) else None,
        linear if isinstance(linear, float) else None,
    )


def is_like_chance(model: FittedModel) -> bool:
    """Whether a model's held-out score is one that guessing could well have had.

    Groups are guessed as a whole, being all alike inside: a score within one standard error of that
    from chance tells nothing. A model without a score is not judged here.
    """
    score = next((score for score in model_scores(model) if score is not None), None)
    groups = model.card.get("groups")
    if score is None:
        return False
    chance = _chance(model)
    n = groups if isinstance(groups, int) and groups > 0 else FEW_GROUPS
    return score < chance + math.sqrt(chance * (1 - chance) / n)


def _chance(model: FittedModel) -> float:
    return 1 / len(model.class_names)


def fitted_words(model: FittedModel) -> str:
    """Say what the model is."""
    kind = KINDS[model.network.network]
    trust = "calibrated" if model.calibrated else "uncalibrated"
    state = LIKE_CHANCE if is_like_chance(model) else "Model ready"
    said = f"{state}: {kind}, {' / '.join(model.class_names)}, {trust}."
    warning = str(model.card.get("held-out warning") or "")
    return f"{said} {warning[0].upper()}{warning[1:]}." if warning else said


def why_not_together(slides: Sequence[SlideState]) -> str | None:
    """Say which two labelled slides no model can be fitted to, having no m/z in common."""
    painted = [slide for slide in slides if slide.annotation.labels.any()]
    if len(painted) < 2:
        return None
    above = max(painted, key=lambda slide: slide.dataset.mass_range[0])
    below = min(painted, key=lambda slide: slide.dataset.mass_range[1])
    if above.dataset.mass_range[0] <= below.dataset.mass_range[1]:
        return None
    ranges = " and ".join(
        f"{slide.name} (m/z {slide.dataset.mass_range[0]:.0f} to {slide.dataset.mass_range[1]:.0f})"
        for slide in (below, above)
    )
    return f"{ranges} have no m/z in common: close one of them, or erase its labels."


def of_other_slides(slides: Sequence[SlideState], active: SlideState | None) -> str:
    """Say that a fit would learn from other slides alone; empty where it would not."""
    painted = [slide for slide in slides if slide.annotation.labels.any()]
    if active is None or not painted or active.annotation.labels.any():
        return ""
    names = ", ".join(slide.name for slide in painted)
    return f"Nothing is painted on {active.name}: a fit learns from {names}."


def duration(seconds: float) -> str:
    """Say a time the way a person waits: ``12 s``, ``3 min``, ``1 h 20 min``."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
