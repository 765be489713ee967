"""One reader in one process: runs its tasks and prints their times and results as JSON.

    python -m reading.worker SLIDE.imzML READER PHASE

It loads next to nothing of its own: what the tables are made with is not what a reader is timed
with.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reading.readers import BIN_PPM, READERS, Reader

Times = dict[str, list[float | None]]
"""Milliseconds and result of every task."""


def main() -> None:
    """Run one phase and print what it found as the last line."""
    slide, name, phase = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    windows = np.load(os.environ["IMS_TUMOR_BENCH_WINDOWS"])
    found = PHASES[phase](READERS.get(name, Reader()), slide, windows)
    sys.stdout.flush()
    print(json.dumps(found), flush=True)


def _fresh(reader: Reader, slide: Path, windows: np.ndarray) -> Times:
    """What a script does that shows one image; timed from outside."""
    reader.load()
    return {"result": [None, reader.image(reader.open(slide), *windows[len(windows) // 2])]}


def _memory(reader: Reader, slide: Path, windows: np.ndarray) -> Times:
    """Private memory at its highest, in MB, above that of the imports."""
    reader.load()
    with _watched() as opening:
        opened = reader.open(slide)
    with _watched() as looking:
        reader.image(opened, *windows[len(windows) // 2])
    return {"open": [opening(), None], "image": [looking(), None]}


def _tasks(reader: Reader, slide: Path, windows: np.ndarray) -> Times:
    """Every task once, with nothing known of the slide before."""
    reader.load()
    opened, found = None, {}
    found["open"], opened = _timed(lambda: reader.open(slide))
    one = windows[len(windows) // 2]
    found["first ion image"], total = _timed(lambda: reader.image(opened, *one))
    found["first ion image"][1] = total
    times = [_timed(lambda: reader.image(opened, *one)) for _ in range(3)]
    found["ion image"] = [float(np.median([t[0][0] for t in times])), times[0][1]]
    found["100 ion images"] = _many(reader, opened, windows)
    picks = np.random.default_rng(0).integers(0, _count(slide), 500).tolist()
    for task, ask in (
        ("500 spectra", lambda: reader.spectra(opened, picks)),
        ("mean spectrum", lambda: reader.mean(opened)),
        ("total ion current", lambda: reader.total(opened)),
    ):
        (ms, _), total = _timed(ask)
        found[task] = [None if total is None else ms, total]
    return found


def _many(reader: Reader, opened: Any, windows: np.ndarray) -> list[float | None]:
    few = windows[: reader.images_at_most]
    (ms, _), total = _timed(lambda: reader.images(opened, few))
    return [ms * len(windows) / len(few), total if len(few) == len(windows) else None]


def _known(reader: Reader, slide: Path, windows: np.ndarray) -> Times:
    """Ours only: with what an earlier opening and the background job left in the cache."""
    reader.load()
    opened = reader.open(slide)
    (ms, _), _ = _timed(lambda: _build_index(opened))
    opened.close()
    found: Times = {"build": [ms, None]}
    found["open"], opened = _timed(lambda: reader.open(slide))
    one = windows[len(windows) // 2]
    found["first ion image"] = _result(_timed(lambda: reader.image(opened, *one)))
    found["ion image"] = [_one_after_the_other(reader, opened, windows), None]
    found["100 ion images"] = _result(_timed(lambda: reader.images(opened, windows)))
    picks = np.random.default_rng(0).integers(0, opened.n_spectra, 500).tolist()
    found["500 spectra"] = _result(_timed(lambda: reader.spectra(opened, picks)))
    found["mean spectrum"] = _result(_timed(lambda: reader.mean(opened)))
    found["total ion current"] = _result(_timed(lambda: reader.total(opened)))
    return found


def _one_after_the_other(reader: Reader, opened: Any, windows: np.ndarray) -> float:
    """Median milliseconds of an image, each of another window, as a slider asks for them."""
    times = []
    for low, high in windows:
        start = time.perf_counter()
        reader.image(opened, low, high)
        times.append((time.perf_counter() - start) * 1e3)
    return float(np.median(times))


def _build_index(opened: Any) -> None:
    """Do what the window does in the background."""
    from napari_ims_tumor.job import run_inline

    opened.total_ion_current()
    opened.mean_spectrum()
    job = opened.index_job()
    if job is not None:
        run_inline(job)


def _limits(reader: Reader, slide: Path, windows: np.ndarray) -> Times:  # noqa: ARG001
    """What the machine can do: read the bytes, and go over the numbers once with NumPy."""
    ibd = _ibd_of(slide)
    found: Times = {"open": [min(_read_all(slide) for _ in range(3)), None]}
    found["first ion image"] = [min(_read_all(ibd) for _ in range(3)), None]
    found["ion image"] = found["first ion image"]
    found["mean spectrum"] = [_numpy_pass(slide), None]
    return found


def _ibd_of(slide: Path) -> Path:
    pairs = [slide.with_suffix(suffix) for suffix in (".ibd", ".IBD")]
    return next(path for path in pairs if path.exists())


def _read_all(path: Path) -> float:
    """Milliseconds to read a file piece by piece into one buffer."""
    buffer = memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        start = time.perf_counter()
        while file.readinto(buffer):
            pass
        return (time.perf_counter() - start) * 1e3


def _numpy_pass(slide: Path) -> float:
    """Milliseconds to make of the numbers of a slide, already in memory, what ours makes.

    That is, for each bin, the sum, the maximum and the intensity-weighted m/z.
    """
    from napari_ims_tumor.io.imzml import open_imzml
    from napari_ims_tumor.msi.spectrum import SharedAxisBlock

    with open_imzml(slide) as opened:
        blocks = [(b, b.intensity.copy()) for b in opened.blocks()]
        if isinstance(blocks[0][0], SharedAxisBlock):
            start = time.perf_counter()
            for _, values in blocks:
                values.sum(axis=0, dtype=float)
                values.max(axis=0)
            return (time.perf_counter() - start) * 1e3
    with open_imzml(slide) as opened:
        pairs = [(b.mz.copy(), b.intensity.copy()) for b in opened.blocks()]
    n = int(np.log(1e5) / BIN_PPM)
    sums, moments, highest = np.zeros(n), np.zeros(n), np.full(n, -np.inf)
    start = time.perf_counter()
    for mz, values in pairs:
        for at in range(0, mz.size, 1 << 16):
            part = slice(at, at + (1 << 16))
            own, masses = values[part].astype(float), mz[part]
            bins = (np.log(masses) * (1 / BIN_PPM)).astype(np.intp)
            np.add.at(sums, bins, own)
            np.add.at(moments, bins, own * masses)
            np.maximum.at(highest, bins, own)
    return (time.perf_counter() - start) * 1e3


PHASES: dict[str, Callable[[Reader, Path, np.ndarray], Times]] = {
    "fresh": _fresh,
    "memory": _memory,
    "tasks": _tasks,
    "known": _known,
    "limits": _limits,
}


def _timed(task: Callable[[], Any]) -> tuple[list[float | None], Any]:
    gc.collect()
    start = time.perf_counter()
    result = task()
    return [(time.perf_counter() - start) * 1e3, None], result


def _result(timed: tuple[list[float | None], Any]) -> list[float | None]:
    return [timed[0][0], timed[1]]


def _count(slide: Path) -> int:
    """Number of spectra, counted in the text: no reader is asked."""
    count, rest = 0, b""
    with slide.open("rb") as file:
        while piece := file.read(1 << 24):
            text = rest + piece
            count += text.count(b"<spectrum ")
            rest = text[-9:]
    return count


@contextlib.contextmanager
def _watched() -> Iterator[Callable[[], float]]:
    """Watch private memory (RssAnon) from the side; yields its highest rise so far, in MB."""
    before, highest, done = _private(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.004):
            highest[0] = max(highest[0], _private() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield lambda: max(highest[0], 0.0)
    done.set()
    thread.join()


def _private() -> float:
    """RssAnon in MB; 0 where the system does not tell."""
    status = Path(f"/proc/{os.getpid()}/status")
    if not status.exists():
        return 0.0
    lines = status.read_text().splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
