"""Spectra per second of each network, from the file to the answer, in rounds that take turns.

With ``--learning`` also of a fit: steps on spectra that are there already.

The weights are noise: what a prediction takes does not hang on them. Normalization, alignment and
the test for unfamiliar spectra are those of a fitted model. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import outcome_of, run_inline
from napari_ims_tumor.model.computing import PRECISIONS, Computing
from napari_ims_tumor.model.config import FitConfig, Network, NetworkConfig
from napari_ims_tumor.model.device import prepare
from napari_ims_tumor.model.familiarity import Familiarity, directions
from napari_ims_tumor.model.fitted_model import CENTER, SCALE, FittedModel
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.predicting import predict
from napari_ims_tumor.model.preparation import Preparation
from napari_ims_tumor.model.steady_threads import steady_threads
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet
from napari_ims_tumor.model.trust import Trust
from napari_ims_tumor.model.weight_shapes import weight_shapes
from napari_ims_tumor.msi.binning import bin_axis, bin_spectra
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.subset import Subset

NETWORKS = get_args(Network)
LEARNED = 256
"""Spectra of an epoch of a fit."""
SHARE_OF_SPECTRA = {"linear": 1.0, "default": 0.1, "isotopenet": 0.1, "faithful": 0.02}
"""Of the slide that each answers in a round: about as long for each."""


def main() -> None:
    """Measure one slide."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--learning", action="store_true", help="of steps of a fit instead")
    given = parser.parse_args()
    how = Computing(given.device, given.precision, given.deterministic)
    prepare(how)
    with open_imzml(given.slide) as dataset:
        if given.learning:
            json.dump(learning(dataset, how, given), sys.stdout)
            return
        models = {name: noise_model(dataset, name) for name in given.networks}
        parts = {name: part_of(dataset, name) for name in given.networks}
        found: dict[str, list[float]] = {name: [] for name in given.networks}
        for number in range(given.rounds + 1):
            for name, model in models.items():
                begun = time.perf_counter()
                run_inline(predict(model, parts[name], how))
                if number:  # the first round warms up
                    found[name].append(parts[name].n_spectra / (time.perf_counter() - begun))
    json.dump({name: statistics.median(values) for name, values in found.items()}, sys.stdout)


def learning(dataset: MsiDataset, how: Computing, given: argparse.Namespace) -> dict[str, float]:
    """Spectra per second of an epoch, median of rounds after one that warms up."""
    draw, bins, found = np.random.default_rng(0), len(bin_axis(dataset)), {}
    inputs = draw.normal(size=(LEARNED, bins)).astype(np.float32)
    data = TrainingSet(np.abs(inputs), np.arange(LEARNED) % 2, 2)
    with steady_threads(how.deterministic):
        for name in (n for n in given.networks if n != "linear"):
            trainer, took = Trainer(NetworkConfig.for_axis(name, bins, 2), data, 0, how), []
            for _ in range(given.rounds + 1):
                begun = time.perf_counter()
                outcome_of(trainer.epoch())
                took.append(time.perf_counter() - begun)
            steps = trainer.steps_of_epoch
            found[name] = steps * trainer.batch / statistics.median(took[1:])
    return found


def part_of(dataset: MsiDataset, network: str) -> Subset:
    """The first spectra of a slide, as many as a network answers in about a second."""
    n = max(64, int(dataset.n_spectra * SHARE_OF_SPECTRA[network]))
    return Subset(dataset, np.arange(min(n, dataset.n_spectra)))


def noise_model(dataset: MsiDataset, network: Network) -> FittedModel:
    """A model with this network that looks at spectra as a fitted one does."""
    axis, draw = bin_axis(dataset), np.random.default_rng(0)
    some = np.unique(np.linspace(0, dataset.n_spectra - 1, 256).astype(np.int64))
    values = outcome_of(bin_spectra(dataset, axis, some))
    suited = Preparation.for_spectra(axis, root_of_shares(values))
    preparation = suited.limited_to(FitConfig(network))
    roots = root_of_shares(values, preparation.width)
    normalization = InputNormalization.learn(roots, None, preparation)
    config = NetworkConfig.for_axis(network, len(axis), 2)
    weights = {
        name: (0.05 * np.abs(draw.normal(size=shape)) + 0.01).astype(np.float32)
        for name, shape in weight_shapes(config).items()
    }
    weights |= {CENTER: normalization.center, SCALE: normalization.scale}
    known = Familiarity(directions(normalization.apply(roots)), 1.0)
    blend = {"linear": 0.0, "default": 0.5}.get(network, 1.0)
    names = ("healthy", "tumor")
    return FittedModel(
        weights, config, axis, names, blend, 1.0, trust=Trust(known), preparation=preparation
    )


if __name__ == "__main__":
    main()
