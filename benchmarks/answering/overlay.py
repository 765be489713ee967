"""From strokes to an overlay, as in the window: a session without one, in a process of its own.

The fit is driven as *Fit* drives it; what the window adds is the drawing of two layers. Prints one
line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import label

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.binning import let_bins_go
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session


def main() -> None:
    """Measure one slide."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stroke", type=int, default=12, help="pixels of a stroke")
    parser.add_argument("--time-limit", type=float, default=0.0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    os.environ["IMS_TUMOR_CACHE"] = str(given.folder / "cache")
    session = Session(InlineRunner(), Autosave(given.folder / "autosave"))
    session.failed.connect(_fail)
    with watched() as most, open_imzml(given.slide) as dataset:
        session.adopt(dataset)
        strokes = Strokes(np.load(given.labels).reshape(dataset.pixels.image_shape), given.stroke)
        found = measured(session, strokes, given)
        found |= {"spectra": dataset.n_spectra, "memory_mb": most()}
        session.close()
    json.dump(found, sys.stdout)


def measured(session: Session, strokes: Strokes, given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one slide, medians of rounds."""
    linear = FitConfig("linear", device=given.device)
    begun = time.perf_counter()
    session.annotate(strokes.more(2))
    found: dict[str, Any] = {"prepare_s": time.perf_counter() - begun}
    first_overlay(session, linear)  # loads torch, which the window has done by then
    kept, spent, read, labelled = [], [], [], []
    for _ in range(given.rounds):
        session.annotate(strokes.more())
        labelled.append(int((strokes.painted > 0).sum()))
        took, processor = first_overlay(session, linear)
        kept.append(took)
        spent.append(processor)
        let_bins_go()
        read.append(first_overlay(session, linear)[0])
    found |= {"kept_s": statistics.median(kept), "read_s": statistics.median(read)}
    found["processor_s"] = statistics.median(spent)
    found["labelled"] = statistics.median(labelled)
    if given.time_limit:
        begun = time.perf_counter()
        limited = FitConfig("default", device=given.device, time_limit_s=given.time_limit)
        session.classifier.fit(limited)
        found["limited_s"] = time.perf_counter() - begun
    return found


def first_overlay(session: Session, config: FitConfig) -> tuple[float, float]:
    """Seconds from the press of *Fit* to the first answer on the slide, and of the processor's.

    The fit then runs to its end.
    """
    seen: list[tuple[float, float]] = []

    def note(_: object) -> None:
        seen.append((time.perf_counter(), time.process_time()))

    session.predicted.connect(note)
    begun, spent = time.perf_counter(), time.process_time()
    session.classifier.fit(config)
    session.predicted.disconnect(note)
    return seen[0][0] - begun, seen[0][1] - spent


class Strokes:
    """Round strokes in every piece of a label image, more and more of them."""

    def __init__(self, labels: np.ndarray, size: int) -> None:
        self._labels, self._size = labels, size
        self._draw = np.random.default_rng(0)
        self.painted = np.zeros_like(labels)

    def more(self, times: int = 1) -> np.ndarray:
        """Add a stroke per class and piece, ``times`` times over; all strokes so far."""
        for value in (1, 2):
            pieces, n = label(self._labels == value)
            for number in range(1, n + 1):
                places = np.argwhere(pieces == number)
                if len(places) < self._size:
                    continue
                for _ in range(times):
                    middle = places[self._draw.integers(len(places))]
                    far = ((places - middle) ** 2).sum(axis=1)
                    chosen = places[np.argsort(far, kind="stable")[: self._size]]
                    self.painted[tuple(chosen.T)] = value
        return self.painted.copy()


@contextlib.contextmanager
def watched() -> Iterator[Callable[[], float]]:
    """Watch private memory from the side; yields the most there was, in MB."""
    most, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], private_mb())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield lambda: most[0]
    done.set()
    thread.join()


def private_mb() -> float:
    """Memory of this process that is no file's, 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), 0.0)


def _fail(message: str) -> None:
    raise SystemExit(message)


if __name__ == "__main__":
    main()
