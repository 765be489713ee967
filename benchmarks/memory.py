"""Slides larger than the memory they may use: open, scroll, pick, average, fit, predict.

    python benchmarks/memory.py                              1.6 GB within 500MB, a table
    python benchmarks/memory.py --gigabytes 8 --memory 1GB
    python benchmarks/memory.py --layouts continuous --json

Each slide is measured in a process of its own whose private memory the system limits (RLIMIT_DATA)
to the budget and 200 MB, beyond what Python, NumPy and torch take when they are loaded. Where the
limit did not hold, the process would end with a MemoryError. The files are sparse: they read like
any other, and take little of the disk. Needs Linux. Prints the table of docs/large-slides.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_ims_tumor.msi.matrix_room import MatrixRoom

ROWS, COLUMNS, VARIANTS = 64, 128, 16
ABOVE_BUDGET = 200 * 10**6
SPECTRUM = """<spectrum id="s={i}" index="{i}" defaultArrayLength="0">
<scanList count="1"><scan>
<cvParam cvRef="IMS" accession="IMS:1000050" name="position x" value="{x}"/>
<cvParam cvRef="IMS" accession="IMS:1000051" name="position y" value="{y}"/>
</scan></scanList><binaryDataArrayList count="2">
{mz}{intensity}</binaryDataArrayList></spectrum>
"""
ARRAY = """<binaryDataArray encodedLength="0"><referenceableParamGroupRef ref="{kind}"/>
<cvParam cvRef="IMS" accession="IMS:1000102" name="external offset" value="{offset}"/>
<cvParam cvRef="IMS" accession="IMS:1000103" name="external array length" value="{length}"/>
<cvParam cvRef="IMS" accession="IMS:1000104" name="external encoded length" value="{nbytes}"/>
<binary/></binaryDataArray>
"""
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1"><fileDescription><fileContent>
<cvParam cvRef="IMS" accession="IMS:1000080" name="universally unique identifier" value="{uuid}"/>
<cvParam cvRef="IMS" accession="IMS:10000{layout}" name="{name}" value=""/>
</fileContent></fileDescription><referenceableParamGroupList count="2">
<referenceableParamGroup id="mz">
<cvParam cvRef="MS" accession="MS:1000514" name="m/z array" value=""/>
<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
<cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
</referenceableParamGroup><referenceableParamGroup id="intensity">
<cvParam cvRef="MS" accession="MS:1000515" name="intensity array" value=""/>
<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
<cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
</referenceableParamGroup></referenceableParamGroupList><run><spectrumList count="{count}">
"""


def write_slide(folder: Path, layout: str, gigabytes: float) -> tuple[Path, Path]:
    """Write a sparse slide of this size, and labels: tumor on its right half."""
    n = ROWS * COLUMNS
    channels = int(gigabytes * 1e9 / n / 8)
    identity = uuid.UUID(int=channels)
    axes = VARIANTS if layout == "processed" else 1
    path = folder / f"{layout}.imzML"
    rng = np.random.default_rng(0)
    with path.with_suffix(".ibd").open("wb") as ibd, path.open("w") as xml:
        ibd.write(identity.bytes)
        for k in range(axes):
            ibd.write((np.linspace(400, 2000, channels) * (1 + 2e-6 * k)).tobytes())
        first = ibd.tell()
        ibd.truncate(first + n * channels * 8)
        names = {"continuous": 30, "processed": 31}
        xml.write(HEAD.format(uuid=identity, layout=names[layout], name=layout, count=n))
        for i in range(n):
            row, column = divmod(i, COLUMNS)
            place = first + i * channels * 8
            ibd.seek(place + (channels // 3) * 8)
            peaks = rng.poisson(np.where(np.arange(100) % 10 < 5, 40, 4 + 40 * (column >= 64)))
            ibd.write(peaks.astype(np.float64).tobytes())
            starts = {"mz": 16 + (i % axes) * channels * 8, "intensity": place}
            arrays = {
                kind: ARRAY.format(kind=kind, offset=at, length=channels, nbytes=channels * 8)
                for kind, at in starts.items()
            }
            xml.write(SPECTRUM.format(i=i, x=column + 1, y=row + 1, **arrays))
        xml.write("</spectrumList></run></mzML>")
    labels = np.zeros((ROWS, COLUMNS), np.uint8)
    labels[8:24, 8:56:3], labels[8:24, 72:120:3] = 1, 2
    labels[40:56, 8:56:3], labels[40:56, 72:120:3] = 1, 2
    np.save(folder / "labels.npy", labels)
    # A file written just now is not remembered; this one is of yesterday.
    for file in (path, path.with_suffix(".ibd")):
        os.utime(file, (time.time() - 86400,) * 2)
    return path, folder / "labels.npy"


def megabytes(name: str) -> float:
    """One of the figures that the system keeps of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024 / 1e6


@contextmanager
def watched(peaks: dict[str, Any], step: str) -> Iterator[None]:
    """Note the seconds, and the most private memory above what there was at first."""
    most, done, begun = megabytes("RssAnon"), threading.Event(), time.monotonic()

    def look() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, megabytes("RssAnon"))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        peaks[step] = {"seconds": round(time.monotonic() - begun, 1), "mb": round(most)}


def count_scratch() -> list[int]:
    """Note the bytes of every matrix that goes to a file."""
    made, usual = [], MatrixRoom._file

    def counted(room: MatrixRoom, rows: int, columns: int) -> Any:
        made.append(rows * columns * 4)
        return usual(room, rows, columns)

    MatrixRoom._file = counted
    return made


def child(slide: Path, labels: Path, memory: str, network: str) -> dict[str, Any]:
    """Do everything within the limit."""
    import resource

    import scipy.signal  # noqa: F401 - loaded when first used

    import napari_ims_tumor as ims
    from napari_ims_tumor.job import run_inline
    from napari_ims_tumor.model import fitting  # noqa: F401 - loads torch
    from napari_ims_tumor.msi.memory_budget import MemoryBudget
    from napari_ims_tumor.msi.overview import survey
    from napari_ims_tumor.viewer.lazy_stack import LazyIonStack

    in_files = count_scratch()
    base, budget = megabytes("RssAnon"), MemoryBudget.parse(memory)
    limit = int(megabytes("VmData") * 1e6) + budget.nbytes + ABOVE_BUDGET
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    os.environ["IMS_TUMOR_MEMORY"] = memory
    peaks: dict[str, Any] = {}
    with watched(peaks, "open"):
        opened = ims.open_imzml(slide)
    with watched(peaks, "TIC, mean spectrum, peaks"):
        overview = run_inline(survey(opened))
    wanted = np.linspace(0, len(overview.channels) - 1, 10).astype(int)
    with watched(peaks, "10 steps of the slider"):
        stack = LazyIonStack(opened, overview.channels)
        images = [stack[c : c + 1] for c in wanted]
    job = opened.index_job()
    if job is not None:
        with watched(peaks, "the index, in the background"):
            run_inline(job)
        with watched(peaks, "10 steps, out of the index"):
            stack = LazyIonStack(opened, overview.channels)
            same = [
                np.array_equal(stack[c : c + 1], i) for c, i in zip(wanted, images, strict=True)
            ]
        assert all(same)
    with watched(peaks, "100 spectra"):
        sums = [float(opened.spectrum(i).intensity.sum()) for i in range(0, opened.n_spectra, 82)]
    del images, stack, overview
    opened.close()
    with watched(peaks, f"fit, {network}"):
        model = ims.fit(slide, labels, network=network, epochs=1)
    with watched(peaks, "predict"):
        tumor = ims.predict(model, slide).probabilities[1]
    right = float(((tumor > 0.5) == (np.arange(COLUMNS) >= 64)).mean())
    return {
        "file_mb": slide.with_suffix(".ibd").stat().st_size / 1e6,
        "budget_mb": budget.nbytes / 1e6,
        "base_mb": round(base),
        "scratch_mb": round(sum(in_files) / 1e6),
        "peaks": peaks,
        "right": right,
        "spectra": len(sums),
    }


def measure(given: argparse.Namespace, layout: str) -> dict[str, Any]:
    """Measure one slide in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        slide, labels = write_slide(Path(folder), layout, given.gigabytes)
        inside = ["--child", str(slide), str(labels), "--memory", given.memory]
        place = {"IMS_TUMOR_CACHE": f"{folder}/cache", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, __file__, *inside, "--network", given.network],
            env={**os.environ, **place, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(found: dict[str, dict[str, Any]], say: Callable[[str], object] = print) -> None:
    """Print the table."""
    first = next(iter(found.values()))
    budget, base = first["budget_mb"], first["base_mb"]
    say(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; budget {budget:.0f} MB")
    say(f"Python, NumPy and torch alone, before a slide is opened: {base} MB\n")
    heads = [f"{layout}, {one['file_mb'] / 1e3:.1f} GB" for layout, one in found.items()]
    say(f"| most private memory above that | {' | '.join(heads)} |")
    say("|---|" + "---|" * len(heads))
    for step in first["peaks"]:
        cells = [
            f"{one['peaks'][step]['mb'] - one['base_mb']} MB, {one['peaks'][step]['seconds']} s"
            for one in found.values()
        ]
        say(f"| {step} | {' | '.join(cells)} |")
    said = ", ".join(f"{one['scratch_mb']} MB ({layout})" for layout, one in found.items())
    say(f"\nWritten to scratch files while fitting, one after the other: {said}")


def main() -> None:
    """Print the table, or what one process found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.6)
    parser.add_argument("--memory", default="500MB")
    parser.add_argument("--network", default="linear")
    parser.add_argument("--layouts", nargs="+", default=["continuous", "processed"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(*given.child, given.memory, given.network)))
        return
    found = {layout: measure(given, layout) for layout in given.layouts}
    if given.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
