"""How fast slides are read, beside every installed peer, with the numbers compared.

    python benchmarks/reader.py                          the four data sets, at full size
    python benchmarks/reader.py --data b d --scale 0.1   some of them, smaller
    python benchmarks/reader.py SLIDE.imzML --rounds 3   any slide of yours
    python benchmarks/reader.py --slider                 a slider in a real window, too

Each reader runs in a process of its own, all of them in each round, every round beginning with
another one; the tables show medians. Peers that are slow or are not what a target is stated
against take part in the first ``--slow-rounds`` rounds only. Peers are compared where they are
installed: pip install pyimzml imzy m2aia bioio-imzml msiverse. Bytes come from the system's cache:
every slide is read once before. Needs up to 4 GB of disk and, for the reference, of memory.
"""

from __future__ import annotations

import argparse
import compileall
import datetime as dt
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from reading.readers import PPM, READERS, installed
from reading.slides import DATA_SETS, make_slide, scaled
from reading.tables import print_tables

MEASURED_AGAINST: Final = ("ours", "pyimzML", "m2aia")
"""Readers that take part in every round."""


def measure(slide: Path, names: Sequence[str], asked: argparse.Namespace) -> dict[str, list]:
    """Run all rounds for one slide; returns for each column the findings of its rounds."""
    columns: dict[str, list] = {}
    for turn in range(asked.rounds):
        order = [*names[turn % len(names) :], *names[: turn % len(names)]]
        for name in order:
            if name not in MEASURED_AGAINST and turn >= asked.slow_rounds:
                continue
            columns.setdefault(name, []).append(_round(slide, name, turn == 0, asked))
        known = _process(slide, "ours", "known", asked)
        columns.setdefault("ours, indexed", []).append(known)
        columns.setdefault("limit", []).append(_process(slide, "limit", "limits", asked))
    return columns


def _round(slide: Path, name: str, first: bool, asked: argparse.Namespace) -> dict:
    found = _process(slide, name, "tasks", asked)
    start = time.perf_counter()
    fresh = _process(slide, name, "fresh", asked)
    if fresh:
        found["fresh process"] = [(time.perf_counter() - start) * 1e3, fresh["result"][1]]
    # Memory does not depend on what else the machine does: once is enough.
    memory = _process(slide, name, "memory", asked) if first else {}
    found["memory (MB): open"] = memory.get("open", [None, None])
    found["memory (MB): image"] = memory.get("image", [None, None])
    return found


def _process(slide: Path, name: str, phase: str, asked: argparse.Namespace) -> dict:
    """Run one phase in a process with an empty cache; empty where it failed or took too long."""
    command = [sys.executable, "-m", "reading.worker", str(slide.resolve()), name, phase]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "IMS_TUMOR_CACHE": cache}
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=asked.limit, env=environment, check=True,
                cwd=Path(__file__).parent,
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            last = (error.stderr or b"").decode(errors="replace").strip().splitlines()[-1:]
            print(f"{name}, {phase}: {type(error).__name__} {last}", file=sys.stderr, flush=True)
            return {}
    return json.loads(done.stdout.splitlines()[-1])


def windows_of(slide: Path, count: int) -> np.ndarray:
    """Windows of ±10 ppm around masses that the slide's middle spectrum holds."""
    from napari_ims_tumor.io.imzml import open_imzml

    with open_imzml(slide) as opened:
        mz = opened.spectrum(opened.n_spectra // 2).mz
    centers = mz[np.linspace(0, mz.size - 1, count + 2).astype(int)[1:-1]]
    return np.stack([centers * (1 - PPM), centers * (1 + PPM)], axis=1)


def conditions(rounds: int) -> str:
    """One line on where and with what the tables were made."""
    packages = ["numpy", "scipy", *(reader.package for reader in READERS.values())]
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        f"{dt.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores, "
        f"Python {platform.python_version()}, {', '.join(versions)}; seed 0, medians of "
        f"{rounds} rounds"
    )


def compile_ours() -> None:
    """Compile this package once, as installing does it; that of the peers is."""
    spec = importlib.util.find_spec("napari_ims_tumor")
    for folder in spec.submodule_search_locations or []:
        compileall.compile_dir(folder, quiet=1)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slides", nargs="*", type=Path, help="imzML files; none = the data sets")
    parser.add_argument("--data", nargs="*", default=list(DATA_SETS), choices=list(DATA_SETS))
    parser.add_argument("--scale", type=float, default=1.0, help="of the data sets' points")
    parser.add_argument("--folder", type=Path, help="keeps the data sets for the next time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=1)
    parser.add_argument("--limit", type=float, default=300, help="seconds for one process")
    parser.add_argument("--readers", nargs="*", default=installed(), choices=list(READERS))
    parser.add_argument("--json", type=Path, help="also write all times here")
    parser.add_argument(
        "--also", type=Path, help="show readers that take no part now as an earlier --json has them"
    )
    asked = parser.parse_args()
    compile_ours()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("IMS_TUMOR_CACHE", str(Path(scratch) / "cache"))
        os.environ["IMS_TUMOR_BENCH_WINDOWS"] = str(Path(scratch) / "windows.npy")
        _compare_all(asked, asked.folder or Path(scratch))


def _compare_all(asked: argparse.Namespace, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    print(conditions(asked.rounds), flush=True)
    recipes = (
        {} if asked.slides else {name: scaled(DATA_SETS[name], asked.scale) for name in asked.data}
    )
    slides = asked.slides or [make_slide(folder, name, r) for name, r in recipes.items()]
    everything, earlier = {}, json.loads(asked.also.read_text()) if asked.also else {}
    for slide in slides:
        np.save(os.environ["IMS_TUMOR_BENCH_WINDOWS"], windows_of(slide, 100))
        columns = measure(slide, asked.readers, asked)
        columns |= {
            n: found for n, found in earlier.get(slide.name, {}).items() if n not in columns
        }
        everything[slide.name] = columns
        print_tables(slide, columns)
        if asked.json:
            asked.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
