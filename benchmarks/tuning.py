"""What a step of fine-tuning costs: all of the CNN, its head, and its head on what lies before it.

    python benchmarks/tuning.py
    python benchmarks/tuning.py --bins 12000 --spectra 4000

Random spectra; times do not depend on what is in them. Prints milliseconds per step, the least of
three rounds in turns, and the seconds in which what lies before the head is computed once.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections import defaultdict

import numpy as np

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.config import NetworkConfig, Tune
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.steady_threads import steady_threads
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet

STEPS, ROUNDS = 20, 3
AT_ONCE = "head, on what lies before it"


def step_ms(base: Trainer, data: TrainingSet, tune: Tune) -> float:
    fit = Trainer(base.config, data, 0, "cpu")
    fit.start_from(base.weights(), tune)
    steps = fit.epoch()
    next(steps)
    begun = time.perf_counter()
    for _ in range(STEPS):
        next(steps)
    return 1e3 * (time.perf_counter() - begun) / STEPS


def row(spectra: int, bins: int) -> str:
    """Measure one axis; a line of the table."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(spectra, bins)).astype(np.float32)
    data = TrainingSet(inputs, np.arange(spectra) % 2, 2)
    base = Trainer(NetworkConfig.for_axis("default", bins, 2), data, 0, "cpu")
    assert isinstance(base.network, DilatedNetwork)
    begun = time.perf_counter()
    width = base.config.positions * base.config.channels
    features = outcome_of(Batches(base.network).over(inputs, base.network.in_rows, width))
    once = time.perf_counter() - begun
    before = TrainingSet(features, data.classes, 2, before_head=True)
    ways: dict[str, tuple[TrainingSet, Tune]] = {
        "all": (data, "all"), "last blocks": (data, "last blocks"), "head": (data, "head"),
        AT_ONCE: (before, "head"),
    }  # fmt: skip
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name, how in ways.items():
            found[name].append(step_ms(base, *how))
    cells = [f"{min(found[name]):.1f}" for name in ways]
    return f"| {bins:,} | " + " | ".join(cells) + f" | {once:.2f} s for {spectra:,} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spectra", type=int, default=1000)
    parser.add_argument("--bins", type=int, nargs="+", default=[600, 3000, 12000])
    given = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU used\n")
    print(f"| bins | all, ms | last blocks, ms | head, ms | {AT_ONCE}, ms | once |")
    print("|---:|---:|---:|---:|---:|---|")
    with steady_threads():
        for bins in given.bins:
            print(row(given.spectra, bins), flush=True)


if __name__ == "__main__":
    main()
