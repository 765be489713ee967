"""Tables of medians, ratios to the peers, and which numbers agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Columns = dict[str, list[dict[str, Any]]]

TASKS = (
    "fresh process",
    "open",
    "first ion image",
    "ion image",
    "100 ion images",
    "500 spectra",
    "mean spectrum",
    "total ion current",
    "memory (MB): open",
    "memory (MB): image",
)
ALIKE = 1e-5
"""Largest relative difference of sums that peers in 32-bit arithmetic show."""


def print_tables(slide: Path, columns: Columns) -> None:
    """Print times, then how many times longer the peers take."""
    xml, ibd = slide.stat().st_size / 1e6, slide.with_suffix(".ibd").stat().st_size / 1e6
    print(f"\n**{slide.name}** (.ibd {ibd:.0f} MB, .imzML {xml:.0f} MB)\n")
    names = [name for name, rounds in columns.items() if any(rounds)]
    _row("task (ms)", names)
    print("|---|" + "---:|" * len(names))
    right = _results(columns, "ours")
    for task in TASKS:
        _row(task, [_cell(columns[name], task, right) for name in names])
    build = [found["build"][0] for found in columns.get("ours, indexed", []) if "build" in found]
    if build:
        print(f"\nThe index takes {np.median(build) / 1e3:.1f} s in the background.", flush=True)
    _print_ratios(columns)


def _print_ratios(columns: Columns) -> None:
    peers = [n for n in ("pyimzML", "m2aia", "limit") if n in columns]
    titles = [f"{peer} / {mine}" for peer in peers for mine in ("ours", "ours, indexed")]
    print()
    _row("how many times longer", titles)
    print("|---|" + "---:|" * len(titles))
    for task in TASKS[:-2]:
        cells = []
        for peer in peers:
            theirs = _median(columns[peer], task)
            for mine in ("ours", "ours, indexed"):
                own = _median(columns.get(mine, []), task)
                cells.append("" if not theirs or not own else f"{theirs / own:.3g}×")
        _row(task, cells)


def _row(title: str, cells: list[str]) -> None:
    print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def _cell(rounds: list[dict[str, Any]], task: str, right: dict[str, float | None]) -> str:
    time = _median(rounds, task)
    if time is None:
        return "–"
    total = next((found[task][1] for found in rounds if task in found), None)
    expected = right.get(task)
    differs = None not in (total, expected) and not np.isclose(total, expected, rtol=ALIKE)
    return f"{time:.4g}" + (" (differs)" if differs else "")


def _median(rounds: list[dict[str, Any]], task: str) -> float | None:
    times = [found[task][0] for found in rounds if found.get(task, [None])[0] is not None]
    return float(np.median(times)) if times else None


def _results(columns: Columns, name: str) -> dict[str, float | None]:
    rounds = columns.get(name) or [{}]
    return {task: values[1] for task, values in rounds[0].items()}
