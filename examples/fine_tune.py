"""Fine-tune a model of other slides with a few pixels of a new one.

python examples/fine_tune.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import napari_ims_tumor as ims


def main(folder: Path) -> None:
    first, new = ims.simulate(folder, rows=40, columns=48, channels=400, slides=2)
    base = ims.fit(first.imzml, first.labels, groups=first.patients, network="linear")

    # Ten pixels of each class: what a minute of painting gives.
    truth = np.load(new.labels)
    few = np.zeros_like(truth)
    rng = np.random.default_rng(0)
    for value in (1, 2):
        chosen = rng.choice(np.flatnonzero(truth == value), 10, replace=False)
        few.flat[chosen] = value

    for name, start in (("from scratch", None), ("fine-tuned", base)):
        model = ims.fit(new.imzml, few, base=start, network="linear")
        tumor = ims.predict(model, new.imzml).probabilities[1]
        unseen = (truth > 0) & (few == 0)
        right = (tumor[unseen] > 0.5) == (truth[unseen] == 2)
        print(f"{name}: {right.mean():.1%} of the unpainted pixels are right")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
