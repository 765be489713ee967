"""Read one slide from many threads at once and count what is wrong.

    python benchmarks/threads.py                         # 8 threads, 10,000 reads each
    python benchmarks/threads.py --threads 16 --reads 50000

Spectra, ion images and means of regions, of slides of several kinds, each compared with what a slow
reference reader found in the same files; the index of the slide is built and taken into use
meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from fuzzing.reference import Meaning, meaning_of
from fuzzing.slides import Kind, Pair, made_up
from fuzzing.verdict import written
from napari_ims_tumor.io.imzml import ImzmlDataset, dataset, open_imzml, remembered
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.mean_spectrum import region_mean_spectrum

KINDS = {
    "processed": Kind(n_spectra=400),
    "processed, zlib": Kind(n_spectra=400, packed=True),
    "processed, 16-bit integers": Kind(n_spectra=400, intensity_type="i2"),
    "continuous": Kind(n_spectra=400, continuous=True),
    "continuous, zlib, 64-bit floats": Kind(
        n_spectra=400, continuous=True, packed=True, intensity_type="f8"
    ),
}
WINDOWS = tuple(MassWindow(mz, MassTolerance(60.0)) for mz in (110.0, 400.0, 700.0))
SHARES = (0.97, 0.985)
"""Up to the first share of reads are spectra, up to the second images, the rest means."""


@dataclass
class Tally:
    """How many reads of each kind there were, and how many of them were wrong."""

    reads: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, reads: Counter[str], wrong: Counter[str]) -> None:
        """Add what one thread counted."""
        with self.lock:
            self.reads += reads
            self.wrong += wrong


def read_together(pair: Pair, folder: Path, threads: int, reads: int) -> Tally:
    """Read a slide from many threads, while its index is built in one more."""
    truth, tally = meaning_of(pair), Tally()
    images = _images(truth)
    with open_imzml(written(pair, folder)) as slide:
        start = threading.Barrier(threads + 1)

        def work(seed: int) -> None:
            start.wait()
            tally.add(*_read(slide, truth, images, (reads, seed)))

        def index() -> None:
            start.wait()
            job = slide.index_job()
            note = "none" if job is None else run_inline(job)
            tally.add(Counter(indexes=1), Counter(indexes=int(bool(note))))

        everybody = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
        everybody.append(threading.Thread(target=index))
        for thread in everybody:
            thread.start()
        for thread in everybody:
            thread.join()
    return tally


def _images(truth: Meaning) -> list[np.ndarray]:
    """The values of the windows, one for each spectrum, added up one by one."""
    return [
        np.array(
            [
                values[(mz >= w.low) & (mz <= w.high)].sum(dtype=float)
                for mz, values in truth.spectra
            ]
        )
        for w in WINDOWS
    ]


def _read(
    slide: ImzmlDataset, truth: Meaning, images: list[np.ndarray], how: tuple[int, int]
) -> tuple[Counter[str], Counter[str]]:
    reads, wrong = Counter[str](), Counter[str]()
    rng = np.random.default_rng(how[1])
    n = slide.n_spectra
    for kind in rng.random(how[0]):
        what = ("spectra", "images", "means")[int(np.searchsorted(SHARES, kind))]
        try:
            right = {
                "spectra": lambda: _spectrum_is_right(slide, truth, int(rng.integers(n))),
                "images": lambda: _image_is_right(slide, images, int(rng.integers(len(WINDOWS)))),
                "means": lambda: _mean_is_right(slide, truth, rng.choice(n, 20, replace=False)),
            }[what]()
        except Exception:  # noqa: BLE001 - whatever it is, it is wrong
            right = False
        reads[what] += 1
        wrong[what] += not right
    return reads, wrong


def _spectrum_is_right(slide: ImzmlDataset, truth: Meaning, i: int) -> bool:
    found, (mz, values) = slide.spectrum(i), truth.spectra[i]
    return np.array_equal(found.mz, mz) and np.array_equal(found.intensity, values)


def _image_is_right(slide: ImzmlDataset, images: list[np.ndarray], w: int) -> bool:
    found = slide.pixels.as_vector(slide.ion_images([WINDOWS[w]])[0])
    return bool(np.allclose(found, images[w], rtol=1e-9, atol=0))


def _mean_is_right(slide: ImzmlDataset, truth: Meaning, region: np.ndarray) -> bool:
    """The mean times the number of spectra is all that they hold."""
    found = region_mean_spectrum(slide, np.sort(region)).intensity.sum() * region.size
    return bool(np.isclose(found, sum(truth.spectra[i][1].sum(dtype=float) for i in region)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--reads", type=int, default=10_000, help="of each thread, of each slide")
    given = parser.parse_args()
    remembered.WORTH = dataset.SMALL = 0
    bad = 0
    print("| slide | spectra read | ion images | region means | wrong | s |")
    print("|---|---|---|---|---|---|")
    for i, (name, kind) in enumerate(KINDS.items()):
        with TemporaryDirectory() as folder:
            os.environ["IMS_TUMOR_CACHE"] = f"{folder}/cache"
            start = time.perf_counter()
            tally = read_together(made_up(kind, i), Path(folder), given.threads, given.reads)
            seconds = time.perf_counter() - start
        counts = [tally.reads[what] for what in ("spectra", "images", "means")]
        wrong = sum(tally.wrong.values())
        bad += wrong
        numbers = " | ".join(f"{n:,}" for n in (*counts, wrong))
        print(f"| {name} | {numbers} | {seconds:.1f} |", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
