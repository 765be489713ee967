"""Damage thousands of slides and see that each opens right, or stops with one sentence.

    python benchmarks/fuzz.py                      # 10,000 cases
    python benchmarks/fuzz.py --cases 500 --seed 7
    python benchmarks/fuzz.py --only 4711          # one case again, its files kept

Made-up slides of every kind, and the small real ones of a folder, are damaged in their XML or their
.ibd: bytes, digits, attributes, tags, elements, blocks, encodings, entities, lengths. A slow
reference reader that shares no code with the package says what the damaged files mean by the
standard; where they state a hash, ``check`` must tell of changed bytes. Each slide has two seconds
and 500 MB.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from fuzzing.run import Result, case_of, fuzz
from fuzzing.slides import Pair, made_up_slides, real_slides
from fuzzing.verdict import BAD, GOOD

REAL = Path(__file__).parents[2] / "shared" / "data"


def main() -> int:
    given = _arguments()
    slides = [
        *made_up_slides(given.seed),
        *real_slides(given.data if given.data.is_dir() else None),
    ]
    if given.only is not None:
        return _again(slides, given.seed, given.only)
    result = fuzz(slides, range(given.cases), given.seed, given.workers, _show(given.cases))
    print(f"\r{given.cases:,} cases, seed {given.seed}, {len(slides)} slides\n", flush=True)
    print(table(result))
    for case, slide, way, verdict in result.bad:
        print(f"\ncase {case}: {slide}, {way}: {verdict.outcome}: {verdict.detail}")
    return int(bool(result.n_bad or result.missed))


def table(result: Result) -> str:
    """Write the outcomes as a Markdown table."""
    columns = (*GOOD, *BAD)
    ways = sorted({way for way, _ in result.outcomes})
    lines = ["| damage | cases | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for way in (*ways, "all"):
        counts = [
            sum(n for (w, o), n in result.outcomes.items() if o == outcome and way in (w, "all"))
            for outcome in columns
        ]
        numbers = " | ".join(f"{n:,}" for n in (sum(counts), *counts))
        lines.append(f"| {way} | {numbers} |")
    lines.append(
        f"\nOpened with a warning of its own: {result.warned:,}. Changed .ibd files with a stated "
        f"hash: {result.hashes:,}, of which the check missed {result.missed:,}. Longest: "
        f"{result.slowest:.2f} s of processor time. Most memory of a process: "
        f"{result.most_memory / 1e6:.0f} MB."
    )
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="make one case and keep its files")
    named = os.environ.get("IMS_TUMOR_REAL_DATA", REAL)
    parser.add_argument("--data", type=Path, default=Path(named), help="a folder of real slides")
    return parser.parse_args()


def _show(n_cases: int):
    def show(result: Result) -> None:
        done = sum(result.outcomes.values())
        if sys.stderr.isatty():
            print(f"\r{done:,} of {n_cases:,}, bad: {result.n_bad}", end="", file=sys.stderr)

    return show


def _again(slides: list[Pair], seed: int, case: int) -> int:
    base, way, pair = case_of(slides, seed, case)
    for suffix, data in ((".imzML", pair.xml), (".ibd", pair.ibd)):
        Path(f"case_{case}{suffix}").write_bytes(data)
    print(f"case {case}: {base.name}, {way}, written to case_{case}.imzML")
    return 0


if __name__ == "__main__":
    sys.exit(main())
