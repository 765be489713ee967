"""Fit a model to one slide's labels, predict another slide, and judge it by patient.

    python examples/fit_and_predict.py [FOLDER]

The slides are simulated here; put your own .imzML and label files in their place.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import napari_ims_tumor as ims


def main(folder: Path) -> None:
    first, second = ims.simulate(folder, rows=40, columns=48, channels=400, slides=2)

    # Whole patients are held out: neighboring pixels are nearly copies of each other.
    model = ims.fit(first.imzml, first.labels, groups=first.patients, epochs=4)
    for line in model.summary():
        print(line)

    prediction = ims.predict(model, second.imzml)
    tumor = prediction.probabilities[1]  # (rows, columns), NaN where nothing was measured
    truth = np.load(second.labels)
    for name, value in (("healthy", 1), ("tumor", 2)):
        print(f"mean tumor probability of {name} pixels: {tumor[truth == value].mean():.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
