"""How many of the simulator's planted peaks stand at the top of what a model looks at.

    python benchmarks/relevance.py                          12,000 bins, three seeds, four signals
    python benchmarks/relevance.py --channels 2000 --seeds 1 --signals local --networks linear

The model is fitted to two simulated slides and explained on the pixels labelled tumor: integrated
gradients toward tumor, averaged over pixels and summed over peaks, isotopes folded. *Found* is how
many of the first peaks are planted molecules, each counted once, of as many as are planted and at
most 20; *chance* is what a random order of the peaks finds. *AUC alone* ranks the same peaks by how
far their univariate AUC is from one half. *Quick* is gradient times input. *Left over* is the share
of the answer that integrated gradients do not account for.

The least that is asked for is .80 of `local` and, by a network that follows it, of `distant-gate`.
A minute per row of `linear`, many for `default` at 12,000 bins; ``--output`` writes the table as
JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.explaining import How, explain_class, univariate_job
from napari_ims_tumor.cohort.explanation import Explanation
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import NETWORKS, FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.relevance import Attribution
from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.synthetic.planted import recovery
from napari_ims_tumor.msi.synthetic.recipe import SIGNAL_KINDS, SlideRecipe, make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_cohort


@dataclass
class Row:
    signal: str
    seed: int
    network: str
    held_out: float | None
    share_of_cnn: float
    ranking: str
    found: int
    wanted: int
    by_chance: float
    left_over: float | None
    fit_seconds: float
    seconds: float


def measured(recipe: SlideRecipe, given: argparse.Namespace) -> Iterator[Row]:
    slides = list(simulate_cohort(recipe, given.slides))
    rows = tuple(CohortSlide(s.dataset, Annotation(s.labels), s.patients) for s in slides)
    gathered = run_inline(gather(rows))
    for network in given.networks:
        begun = time.monotonic()
        config = FitConfig(network, epochs=given.epochs, device=given.device)
        model = run_inline(fit(gathered.spectra, config))
        fitted = time.monotonic() - begun
        score = model.card.get("held-out balanced accuracy")
        tolerance = recipe.peak_width_da / 2
        first = slides[0]
        for name, how in (
            ("integrated gradients", Attribution(steps=given.steps)),
            ("quick", Attribution("gradient x input")),
        ):
            begun = time.monotonic()
            found = explained(model, slides, How(attribution=how, device=given.device))
            seconds = time.monotonic() - begun
            ranked = found.peaks.mz[found.peaks.envelopes.first[found.order]]
            seen = recovery(first.truth, ranked, tolerance)
            yield Row(
                recipe.signal, recipe.seed, network, score, model.blend, name,  # type: ignore[arg-type]
                seen.found, seen.wanted, seen.by_chance, found.left_over, fitted, seconds,
            )  # fmt: skip
        begun = time.monotonic()
        alone = run_inline(univariate_job(gathered.spectra, found.peaks, "tumor"))
        order = np.argsort(-abs(alone.auc - 0.5), kind="stable")
        seen = recovery(first.truth, mz_of(found, order), tolerance)
        yield Row(
            recipe.signal, recipe.seed, network, score, model.blend, "AUC alone",  # type: ignore[arg-type]
            seen.found, seen.wanted, seen.by_chance, None, 0.0, time.monotonic() - begun,
        )  # fmt: skip


def explained(model, slides: list[SimulatedSlide], how: How) -> Explanation:  # type: ignore[no-untyped-def]
    """The tumor pixels of the first slide: as the command line would."""
    first = slides[0]
    return run_inline(explain_class(model, first.dataset, "tumor", Annotation(first.labels), how))


def mz_of(found: Explanation, order: np.ndarray) -> Float64Array:
    mz: Float64Array = found.peaks.mz[found.peaks.envelopes.first[order]]
    return mz


def show(row: Row) -> None:
    score = "–" if row.held_out is None else f"{row.held_out:.3f}"
    left = "–" if row.left_over is None else f"{row.left_over:.3f}"
    print(
        f"{row.signal:13} {row.seed:4}  {row.network:10} {score:>6} {row.share_of_cnn:6.2f}  "
        f"{row.ranking:21} {row.found:3} of {row.wanted:2} {row.by_chance:7.1f} {left:>9} "
        f"{row.fit_seconds:7.0f} {row.seconds:8.1f}",
        flush=True,
    )


HEAD = (
    "signal        seed  network    held-out  CNN  ranking                 found  chance "
    "left over  fit, s  explain, s"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--signals", default="local,distant-gate,additive,mixed", type=listed)
    parser.add_argument("--networks", default="linear,default", type=listed)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--channels", type=int, default=12000)
    parser.add_argument("--slides", type=int, default=2)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--epochs", type=int, help="of every fit; each network's own otherwise")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    given = parser.parse_args()
    assert set(given.signals) <= set(SIGNAL_KINDS)
    assert set(given.networks) <= set(NETWORKS)
    print(HEAD)
    rows: list[Row] = []
    for signal in given.signals:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            recipe = make_recipe(
                rows=given.rows, columns=given.columns, channels=given.channels,
                signal=signal, seed=seed,
            )  # fmt: skip
            for row in measured(recipe, given):
                rows.append(row)
                show(row)
    if given.output:
        given.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    main()
