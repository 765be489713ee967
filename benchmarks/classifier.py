"""How well the classifier does beside every rival, with whole cores, patients or slides held out.

    python benchmarks/classifier.py --list                              suites, and their time
    python benchmarks/classifier.py FOLDER --suite rivals               X.imzML, X_labels.npy, …
    python benchmarks/classifier.py COHORT.csv --suite default --seeds 3
    python benchmarks/classifier.py --suite gate,shift,border           simulated slides
    python benchmarks/classifier.py FOLDER --suite isotopenet --shard 1/2        of 2 processes
    python benchmarks/classifier.py --write docs/                       tables and pictures
    python benchmarks/classifier.py FOLDER --fine-tune                  a base, or from scratch

Rivals are scikit-learn's, tuned on grouped folds inside the training side, and see the very same
inputs and divisions. Every answer is kept in ``--results`` as soon as it is there: a run that was
stopped goes on, and tables are made of whatever has been measured. Answers of code that has changed
since are made anew, unless ``--accept-older``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from classifying.cohorts import load
from classifying.figures import runs_of
from classifying.fine_tuning import fine_tuning
from classifying.models import NETWORKS
from classifying.store import Store
from classifying.suites import SUITES, Asked, run
from classifying.writing import sections, write


def main() -> None:
    given = _arguments()
    if given.list:
        for name, suite in SUITES.items():
            print(f"{name:11} {suite.time:24} {suite.about}")
        return
    if given.fine_tune:
        cohort = load(given.source)
        rows = {n: fine_tuning(cohort, n, given.draws) for n in NETWORKS}
        if given.output:
            given.output.write_text(json.dumps(rows, indent=1) + "\n")
        return
    shard = tuple(int(part) for part in given.shard.split("/")) if given.shard else (1, 1)
    store = Store(given.results, given.shard, given.accept_older)
    asked = Asked(given.source, given.models, given.seeds, given.assignments, given.draws)
    for name in given.suite or (() if given.write else ("rivals", "default")):
        run(name, asked, store, (shard[0] - 1, shard[1]))
    runs = runs_of(store.all())
    for name, text in sections(runs, given.expanded).items():
        print(f"\n**{name}**\n\n{text}")
    if given.write:
        for path in write(runs, given.write):
            print(f"wrote {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("source", type=Path, nargs="?", help="COHORT.csv, or a folder with one array")
    add("--suite", type=_listed, default=(), help=f"of {', '.join(SUITES)}, with commas")
    add("--list", action="store_true", help="say what the suites are and how long they take")
    add("--models", type=_listed, default=(), help="instead of a suite's own, with commas")
    add("--seeds", type=int, default=1, help="networks per division; default 1")
    add("--assignments", type=int, default=5, help="random divisions besides; default 5")
    add("--draws", type=int, default=10, help="of few labels; default 10")
    add("--results", type=Path, default=Path("build/classifier"), help="where answers are kept")
    add("--shard", default="", help="i/n: this process does every n-th fit, the i-th of them")
    add("--accept-older", action="store_true", help="answers of code that has changed count, too")
    add("--write", type=Path, metavar="DOCS", help="fill in accuracy.md and draw its pictures")
    add(
        "--expanded",
        action="store_true",
        help="print the intervals of an array as wide as reports have them; the docs' stay plain",
    )
    add("--fine-tune", action="store_true", help="few labels with a base from other groups")
    add("--output", type=Path, help="of --fine-tune, as JSON")
    return parser.parse_args()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


if __name__ == "__main__":
    main()
