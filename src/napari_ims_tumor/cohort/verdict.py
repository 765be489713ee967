"""The outcome of a validation in plain words; nothing is claimed that an interval does not show."""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

from napari_ims_tumor.cohort.intervals import FEWEST_GROUPS

Facts: TypeAlias = dict[str, Any]

WORDS: Final = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "calibration error",
    "tumor_ece": "calibration error of the tumor",
    "brier": "Brier score",
}
_CLAIMED: Final = ("balanced_accuracy", "auroc", "ece")
"""Differences that are put into words; the table has them all."""
_PERFECT: Final = ("balanced_accuracy", "auroc", "sensitivity", "specificity")
"""Figures that are 1 where nothing is wrong."""


def verdict(facts: Facts) -> list[str]:
    """A paragraph: what was judged, how well, what is better, and what is hard.

    Parameters
    ----------
    facts
        A report as plain facts, all but the verdict itself.
    """
    if facts["why_not"] is not None:
        return [f"Nothing was judged: {facts['why_not']}."]
    return [
        *_permuted(facts),
        _judged(facts),
        facts["group_means"],
        *(_score(name, found, facts) for name, found in _best_and_linear(facts)),
        *_gains(facts),
        *_hard(facts),
        *_trust(facts),
    ]


def summary_lines(facts: Facts) -> tuple[str, ...]:
    """A few lines for the command line, intervals included."""
    if facts["why_not"] is not None:
        return (str(facts["why_not"]),)
    head = (
        f"{facts['kind']}: {facts['n_judged']} spectra, {facts['bootstrap']['n_units']} "
        f"{facts['group_kind']}s"
    )
    seconds = facts["provenance"]["seconds"]
    lines = [
        f"{name}: {_figure(found, 'balanced_accuracy')}, {_figure(found, 'auroc')}, "
        # Without its interval: chance lifts the calibration error of every draw above the figure.
        f"{WORDS['ece']} {with_interval(found['ece'], None, 4)}, {seconds[name]:.1f} s"
        for name, found in facts["networks"].items()
    ]
    notes = _no_intervals(facts)
    return (head, *lines, *_gains(facts), *notes, *facts["warnings"])


def with_interval(value: float | None, interval: Facts | None, digits: int = 3) -> str:
    """Write a figure as ``0.949 (0.880 to 0.978)``."""
    if value is None:
        return "not judged"
    if not interval or interval["low"] is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({interval['low']:.{digits}f} to {interval['high']:.{digits}f})"


def signed(value: float, digits: int = 3) -> str:
    """Write a difference with its sign, a true minus for negative ones, and never a bare ±0.000."""
    if not value:
        return f"{0:.{digits}f}"
    text = f"{value:+.{max(digits, -math.floor(math.log10(abs(value))))}f}"
    return text.replace("-", "−")


def _figure(found: Facts, metric: str) -> str:
    value = with_interval(found[metric], found["intervals"].get(metric), 4)
    return f"{WORDS[metric]} {value}"


def _permuted(facts: Facts) -> list[str]:
    if facts["permute_labels"] is None:
        return []
    return [
        "The labels were shuffled among the pixels, so nothing can be learned: figures near one "
        "half show that no label leaks through the program, and higher ones would show a leak. "
        "That the groups are well chosen they cannot show."
    ]


def _judged(facts: Facts) -> str:
    word, n = facts["group_kind"], facts["bootstrap"]["n_units"]
    units = f"{n} {word}{'' if n == 1 else 's'}"
    pixels = f"{facts['n_judged']:,} labelled pixels of {units}"
    if facts["kind"] == "external validation":
        return f"A finished model was judged on {pixels}, without fitting anything."
    return f"{pixels} were judged by models that had seen none of the {word} they lie in."


def _best_and_linear(facts: Facts) -> list[tuple[str, Facts]]:
    """The two that a reader looks for; the table has the others."""
    networks: Facts = facts["networks"]
    best = max(networks, key=lambda name: networks[name]["balanced_accuracy"] or 0.0)
    return [(name, networks[name]) for name in dict.fromkeys((best, "linear")) if name in networks]


def _score(name: str, found: Facts, facts: Facts) -> str:
    if found["balanced_accuracy"] is None:
        return f"The network {name} could not be scored: only one class is there to judge."
    interval = found["intervals"].get("balanced_accuracy") or {}
    between = ""
    if interval.get("low") is not None:
        between = f" (95 % interval {_share(interval['low'])} to {_share(interval['high'])})"
    return (
        f"The network {name} found {_share(found['sensitivity'])} of the {facts['classes'][-1]} "
        f"pixels and {_share(found['specificity'])} of the others: a balanced accuracy of "
        f"{_share(found['balanced_accuracy'])}{between}."
    )


def _gains(facts: Facts) -> list[str]:
    """One sentence per network: what its intervals show against the linear model."""
    said = []
    for name, found in facts["differences"].items():
        shown = [
            f"{d['shown']} in {WORDS[metric]} ({signed(d['value'])}, 95 % interval "
            f"{signed(d['low'])} to {signed(d['high'])})"
            for metric, d in found.items()
            if metric in _CLAIMED and d["shown"]
        ]
        if shown:
            said.append(f"Compared with linear, {name} is {' and '.join(shown)}.")
        elif found["balanced_accuracy"]["value"] is not None:
            said.append(f"No gain of {name} over linear is claimed: {_why_no_gain(found)}.")
    return said


def _why_no_gain(found: Facts) -> str:
    known = [WORDS[metric] for metric in _CLAIMED if found[metric]["low"] is not None]
    if not known:
        return "there is no interval"
    if len(known) == 1:
        return f"the interval of the difference in {known[0]} contains 0"
    return f"the intervals of the differences in {_joined(known)} contain 0"


def _no_intervals(facts: Facts) -> list[str]:
    """Which figures have no interval, and why, a sentence for each reason."""
    bootstrap = facts["bootstrap"]
    if bootstrap["why_not"]:
        return [f"No interval is given: {bootstrap['why_not']}."]
    of_reason: dict[str, list[str]] = {}
    for metric, reason in bootstrap["scarce"].items():
        of_reason.setdefault(reason, []).append(WORDS[metric])
    said = [
        f"No interval of {_joined(figures)} is given: {reason}, and at least {FEWEST_GROUPS} are "
        "needed."
        for reason, figures in of_reason.items()
    ]
    return [*said, *_without_errors(facts)]


def _without_errors(facts: Facts) -> list[str]:
    """Say of perfect figures why they have no interval."""
    scarce = facts["bootstrap"]["scarce"]
    figures = [
        WORDS[metric]
        for metric in _PERFECT
        if metric not in scarce
        and any(
            found[metric] == 1 and found["intervals"][metric]["low"] is None
            for found in facts["networks"].values()
        )
    ]
    if not figures:
        return []
    n, word = facts["bootstrap"]["n_units"], facts["group_kind"]
    return [
        f"No interval of a perfect {' or '.join(figures)} is given: none of the {n} {word}s holds "
        "an error, and the next one may."
    ]


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _hard(facts: Facts) -> list[str]:
    hard = [group["name"] for group in facts["groups"] if group["hard"]]
    if not hard:
        return []
    named = ", ".join(hard[:5]) + (f" and {len(hard) - 5} more" if len(hard) > 5 else "")
    return [f"Hard for every network: {named}. Look at {'it' if len(hard) == 1 else 'them'} first."]


def _trust(facts: Facts) -> list[str]:
    said = _no_intervals(facts)
    raw = [name for name, found in facts["networks"].items() if not found["calibrated"]]
    if raw:
        said.append(
            f"The probabilities of {' and '.join(raw)} are uncalibrated: their order means "
            "something, their size little."
        )
    return said


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else f"{100 * value:.1f} %"
