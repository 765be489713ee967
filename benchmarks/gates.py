"""What the networks must and must not find in simulated slides, by the commands a user would give.

    python benchmarks/gates.py                         three seeds of a distant gate, and no signal
    python benchmarks/gates.py --seeds 1 --networks default
    python benchmarks/gates.py --epochs 400 --networks isotopenet        four times as long

*Gate*: a middle peak decides which of two far ones tells tumor. Sums of peaks cannot follow
(linear, isotopenet: at most .80), dilated networks can (default: at least .95). *None*: the tissue
is as before and the chemistry says nothing; whole patients held out, every network must stay at
chance. The same spectra with pixels held out at random show what not to believe: neighboring
pixels are nearly copies. That division exists in this file only, never in the program.

Prints a table; ``--output`` also writes it as JSON. Hours with isotopenet at its 100 epochs.
"""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold

from napari_ims_tumor.cli.main import main as ims_tumor
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import read_cohort
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy

SIZE = " --rows {rows} --columns {columns} --channels {channels} --slides {slides}"
GATE = "--signal distant-gate" + SIZE
NONE = "--signal none" + SIZE


@dataclass
class Row:
    data: str
    seed: int
    spectra: int
    groups: int
    validation: str
    model: str
    epochs: str
    balanced_accuracy: float
    seconds: float


def command(line: str) -> None:
    print(f"$ ims-tumor {line}", flush=True)
    if ims_tumor(shlex.split(line)) != 0:
        raise SystemExit(f"failed: ims-tumor {line}")


def grouped(data: str, folder: Path, seed: int, network: str, given: argparse.Namespace) -> Row:
    """One network by ``ims-tumor evaluate``: whole patients held out."""
    report = folder / f"report-{network}"
    begun = time.monotonic()
    epochs = f" --epochs {given.epochs}" if given.epochs else ""
    command(
        f"evaluate --cohort {folder}/cohort.csv --networks {network} --folds {given.folds}"
        f"{epochs} --device cpu -o {report}"
    )
    facts = json.loads((report / "report.json").read_text())
    found = facts["networks"][network]
    return Row(
        data, seed, facts["n"], facts["n_groups"], "patients held out", network,
        str(given.epochs or "its own"), found["balanced_accuracy"], time.monotonic() - begun,
    )  # fmt: skip


def random_pixels(data: str, folder: Path, seed: int, given: argparse.Namespace) -> list[Row]:
    """The same spectra with single pixels held out: wrong, and shown to be."""
    spectra = run_inline(gather(read_cohort(folder / "cohort.csv"))).spectra
    rows = []
    for model in given.leaky:
        begun = time.monotonic()
        found = np.zeros((len(spectra), 2))
        for training, held_out in KFold(given.folds, shuffle=True, random_state=0).split(found):
            found[held_out] = learned(model, spectra.take(training), spectra.values[held_out])
        score = balanced_accuracy(found, spectra.classes)
        assert score is not None
        groups = np.unique(spectra.groups).size
        seconds = time.monotonic() - begun
        rows.append(
            Row(data, seed, len(spectra), groups, "pixels at random", model, "", score, seconds)
        )
    return rows


def learned(model: str, spectra: LabelledSpectra, values: np.ndarray) -> np.ndarray:
    if model == "random forest":
        forest = RandomForestClassifier(200, class_weight="balanced", random_state=0, n_jobs=2)
        forest.fit(root_of_shares(spectra.values), spectra.classes)
        return np.asarray(forest.predict_proba(root_of_shares(values)))
    network: Network = "linear" if model == "linear" else "default"
    # Inside the fit, too, every pixel is a group of its own: what a careless user would do.
    alone = LabelledSpectra(
        spectra.values, spectra.classes, np.arange(len(spectra)), spectra.axis, group_kind="group"
    )
    return predict_matrix(run_inline(fit(alone, FitConfig(network, device="cpu"))), values, "cpu")


def show(row: Row) -> None:
    print(
        f"{row.data:14} {row.seed:4} {row.spectra:8} {row.groups:7} {row.validation:18} "
        f"{row.model:14} {row.epochs:8} {row.balanced_accuracy:8.4f} {row.seconds:9.1f}",
        flush=True,
    )


def measured(given: argparse.Namespace, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for data, recipe in (("distant gate", GATE), ("no signal", NONE)):
        if data not in given.data:
            continue
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            place = folder / f"{data.replace(' ', '-')}-{seed}"
            command(f"simulate -o {place} {recipe.format(**vars(given))} --seed {seed}")
            for network in given.networks:
                rows.append(grouped(data, place, seed, network, given))
                show(rows[-1])
            if data == "no signal":
                for row in random_pixels(data, place, seed, given):
                    rows.append(row)
                    show(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="distant gate,no signal", type=listed)
    parser.add_argument("--networks", default="default,linear,isotopenet,faithful", type=listed)
    parser.add_argument("--leaky", default="linear,random forest", type=listed)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--channels", type=int, default=12000)
    parser.add_argument("--slides", type=int, default=2)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of every fit; each network's own otherwise")
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(given, Path(folder))
    head = "data           seed  spectra  groups validation         model          epochs"
    print(f"\n{head}   bal.acc.   seconds")
    for row in rows:
        show(row)
    if given.output:
        given.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    main()
