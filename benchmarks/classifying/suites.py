"""Which models are asked what: suites by name, each with the time it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from classifying.changes import all_changes
from classifying.cohorts import Cohort, load, simulated
from classifying.models import (
    ALIGNED,
    AUGMENTED,
    MAJORITY,
    TREATMENTS,
    Treatment,
    is_seeded,
    learner,
    treatments_of,
)
from classifying.plain import TWIN
from classifying.problems import (
    Problem,
    assignments,
    by_slide,
    every_third,
    few_labels,
    one_sided,
    thirds,
)
from classifying.rivals import LINEAR_RIVALS, RIVALS
from classifying.store import Store, Unit

FEW = (10, 30, 100, 300)
RARE, COMMON = (2, 3, 5, 10), 30
SIMPLE = ("linear", *RIVALS)
COHORTS = ("additive", "distant gate", "mass drift", "label noise", "infiltration")


@dataclass(frozen=True)
class Asked:
    """What the command line says beside the suites.

    Attributes
    ----------
    source
        A cohort table or a folder; ``None`` for simulated slides alone.
    models
        Instead of a suite's own; empty for those.
    seeds, assignments, draws
        Networks per division, random divisions besides the stratified one, draws of few labels.
    """

    source: Path | None
    models: tuple[str, ...] = ()
    seeds: int = 1
    assignments: int = 5
    draws: int = 10


@dataclass(frozen=True)
class Suite:
    """One set of questions.

    Attributes
    ----------
    about
        What it asks.
    time
        On one core, with the bladder array where it needs a real one.
    models
        Who is asked.
    problems
        What.
    treatments
        How they may look at a pixel.
    network_seeds
        Whether ``--seeds`` are of networks; of simulated slides otherwise.
    """

    about: str
    time: str
    models: tuple[str, ...]
    problems: Callable[[Asked], Iterator[Problem]]
    treatments: tuple[Treatment, ...] = TREATMENTS
    network_seeds: bool = True


def _divided(asked: Asked) -> Iterator[Problem]:
    yield from assignments(_real(asked), asked.assignments)


def _few(asked: Asked) -> Iterator[Problem]:
    cohort = _real(asked)
    for pixels in FEW:
        yield from few_labels(cohort, pixels, 6, asked.draws)


def _sixty(asked: Asked) -> Iterator[Problem]:
    yield from few_labels(_real(asked), 60, 6, asked.draws)


def _one_sided(asked: Asked) -> Iterator[Problem]:
    for rare in RARE:
        yield from one_sided(_real(asked), rare, COMMON, 4 * asked.draws)


def _shift(_asked: Asked) -> Iterator[Problem]:
    yield from thirds(simulated("12,000 bins"), all_changes())


def _shift_alone(_asked: Asked) -> Iterator[Problem]:
    yield from thirds(simulated("3,000 bins"), all_changes())


def _gate(asked: Asked) -> Iterator[Problem]:
    for seed in range(asked.seeds):
        yield from thirds(simulated("distant gate", seed), {"": lambda values: values})


def _border(asked: Asked) -> Iterator[Problem]:
    for seed in range(asked.seeds):
        for name in ("ragged borders", "infiltration"):
            yield from assignments(simulated(name, seed), 0)


def _cohorts(asked: Asked) -> Iterator[Problem]:
    for seed in range(asked.seeds):
        for name in COHORTS:
            yield from every_third(simulated(name, seed))
        yield from by_slide(simulated("batches", seed))


def _chance(asked: Asked) -> Iterator[Problem]:
    for seed in range(asked.seeds):
        yield from every_third(simulated("no signal", seed))


def _slides(asked: Asked) -> Iterator[Problem]:
    yield from by_slide(_real(asked))


def _tiny(_asked: Asked) -> Iterator[Problem]:
    yield from assignments(simulated("tiny"), 0)


SUITES: dict[str, Suite] = {
    "rivals": Suite("scikit-learn's and linear, all divisions", "6 min", (MAJORITY, *SIMPLE),
                    _divided),
    "default": Suite("the default network, all divisions", "5 min each, × 6 × seeds",
                     ("default",), _divided),
    "isotopenet": Suite("networks that answer alone, all divisions", "hours",
                        (TWIN, "faithful", "isotopenet x4"), _divided),
    "few": Suite("strokes of 10, 30, 100, 300 pixels on 6 groups", "10 min",
                 ("linear", "default", "logistic regression", "LDA on PCA", "random forest"), _few),
    "sixty": Suite("60 pixels on 6 groups", "2 min", ("linear", "default"), _sixty),
    "one-sided": Suite("2 to 10 pixels of one class beside 30 of the other", "5 min",
                       ("linear", *LINEAR_RIVALS), _one_sided, ("pixel",)),
    "shift": Suite("spectra shifted and bent after the fit, 12,000 simulated bins", "40 min",
                   ("linear", "default", "default" + AUGMENTED, *LINEAR_RIVALS[:2], "random forest",
                    *(name + AUGMENTED for name in (*LINEAR_RIVALS[:2], "random forest")),
                    *(name + ALIGNED for name in LINEAR_RIVALS[:2])),
                   _shift, ("pixel",)),
    "shift-alone": Suite("the same of networks that answer alone, 3,000 simulated bins", "30 min",
                         ("linear", *(name + more for name in ("isotopenet", "faithful")
                                      for more in ("", AUGMENTED))),
                         _shift_alone, ("pixel",)),
    "gate": Suite("two distant peaks decide together, simulated", "20 min, isotopenet 60",
                  ("linear", "default", TWIN, "isotopenet"), _gate, ("pixel",),
                  network_seeds=False),
    "border": Suite("ragged borders and infiltration, simulated", "15 min",
                    ("linear", "default", *LINEAR_RIVALS), _border, network_seeds=False),
    "cohorts": Suite("six kinds of simulated cohorts, whole patients or slides held out",
                     "40 min per seed", ("linear", "default", *RIVALS), _cohorts,
                     network_seeds=False),
    "chance": Suite("simulated slides where nothing tells the labels apart", "20 min per seed",
                    ("linear", "default", "isotopenet", "faithful", "random forest"), _chance,
                    ("pixel",), network_seeds=False),
    "slides": Suite("every slide of a cohort held out", "as many fits as slides",
                    ("default", *SIMPLE), _slides),
    "tiny": Suite("a very small simulated slide, to try the command", "5 s",
                  (MAJORITY, "linear", *LINEAR_RIVALS), _tiny),
}  # fmt: skip
NEED_SOURCE = ("rivals", "default", "isotopenet", "few", "sixty", "one-sided", "slides")


def _real(asked: Asked) -> Cohort:
    if asked.source is None:
        raise SystemExit("this suite needs a FOLDER or COHORT.csv of your own")
    return load(asked.source)


def fits(name: str, asked: Asked) -> Iterator[tuple[list[Unit], Problem]]:
    """What a suite asks, a model and seed at a time: its answers with every treatment."""
    suite = SUITES[name]
    for problem in suite.problems(asked):
        for model in asked.models or suite.models:
            treatments = [t for t in treatments_of(model) if t in suite.treatments]
            several = is_seeded(model) and suite.network_seeds
            for seed in range(asked.seeds if several else 1):
                place = (name, problem.cohort.name, problem.split, problem.fold)
                yield [Unit(*place, model, t, seed) for t in treatments], problem


def run(name: str, asked: Asked, store: Store, shard: tuple[int, int] = (0, 1)) -> None:
    """Make every answer of a suite that is not there yet."""
    print(f"\n{name}: {SUITES[name].about}", flush=True)
    for number, (units, problem) in enumerate(fits(name, asked)):
        if number % shard[1] != shard[0]:
            continue
        for unit in units:
            # One fit may have given the answers of the next unit, too.
            if not store.has(unit, problem.cohort.mark):
                _fit(unit, problem, store)


def _fit(unit: Unit, problem: Problem, store: Store) -> None:
    begun = time.monotonic()
    found = learner(unit.model)(problem, unit.treatment, unit.seed)
    for (model, treatment), other in found.besides.items():
        store.keep(replace(unit, model=model, treatment=treatment), problem, other)
    store.keep(unit, problem, found)
    print(
        f"  {unit.data}, {unit.split}, part {unit.fold}: {unit.model}, {unit.treatment}, "
        f"seed {unit.seed}: {time.monotonic() - begun:.1f} s  {found.setting}",
        flush=True,
    )
