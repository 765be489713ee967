"""How fast slides are read, beside pyimzML and imzy, with the numbers compared.

Every round runs each task once with each reader, so that a busy machine slows all of them alike;
the table shows medians. "streamed" is this package with no memory to keep a slide in, as for
slides above its memory budget. The peers have no mean spectrum: for them it is the plainest loop
over their spectra that adds the same peaks up in bins of the same width (without ours' exact mass
of each bin). Every reader opens the slide afresh for tasks marked "first".

Run on made-up slides, or on any imzML:

    python benchmarks/reader.py
    python benchmarks/reader.py SLIDE.imzML --rounds 7
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import importlib.metadata
import os
import platform
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.mass_grid import GRID_PPM

# imzy draws progress bars; this is read when tqdm is imported, by the first of its tasks.
os.environ["TQDM_DISABLE"] = "1"

HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1">
  <fileDescription><fileContent>
    <cvParam cvRef="IMS" accession="{layout}" name="" value=""/>
    <cvParam cvRef="MS" accession="{mode}" name="" value=""/>
    <cvParam cvRef="IMS" accession="IMS:1000080" name="uuid" value="{{{uuid}}}"/>
  </fileContent></fileDescription>
  <referenceableParamGroupList count="2">
    <referenceableParamGroup id="mzArray">
      <cvParam cvRef="MS" accession="MS:1000514" name="m/z array" value=""/>
      <cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
      <cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
    </referenceableParamGroup>
    <referenceableParamGroup id="intensityArray">
      <cvParam cvRef="MS" accession="MS:1000515" name="intensity array" value=""/>
      <cvParam cvRef="MS" accession="MS:1000521" name="32-bit float" value=""/>
      <cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
    </referenceableParamGroup>
  </referenceableParamGroupList>
  <scanSettingsList count="1"><scanSettings id="s">
    <cvParam cvRef="IMS" accession="IMS:1000042" name="max count of pixels x" value="{side}"/>
    <cvParam cvRef="IMS" accession="IMS:1000043" name="max count of pixels y" value="{side}"/>
    <cvParam cvRef="IMS" accession="IMS:1000046" name="pixel size" value="20"/>
  </scanSettings></scanSettingsList>
  <instrumentConfigurationList count="1"><instrumentConfiguration id="i"/>
  </instrumentConfigurationList>
  <run id="r"><spectrumList count="{n}">
"""
SPECTRUM = """      <spectrum defaultArrayLength="0" id="spectrum={i}" index="{i}">
        <cvParam cvRef="MS" accession="MS:1000528" name="lowest observed m/z" value="{low}" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
        <cvParam cvRef="MS" accession="MS:1000527" name="highest observed m/z" value="{high}" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
        <cvParam cvRef="MS" accession="MS:1000504" name="base peak m/z" value="{low}" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
        <cvParam cvRef="MS" accession="MS:1000505" name="base peak intensity" value="{tic}" unitCvRef="MS" unitAccession="MS:1000131" unitName="number of counts"/>
        <cvParam cvRef="MS" accession="MS:1000285" name="total ion current" value="{tic}"/>
        <scanList count="1">
          <cvParam accession="MS:1000795" cvRef="MS" name="no combination"/>
          <scan instrumentConfigurationRef="instrumentConfiguration0">
            <cvParam accession="IMS:1000050" cvRef="IMS" name="position x" value="{x}"/>
            <cvParam accession="IMS:1000051" cvRef="IMS" name="position y" value="{y}"/>
            <cvParam accession="IMS:1000052" cvRef="IMS" name="position z" value="1"/>
          </scan>
        </scanList>
        <binaryDataArrayList count="2">
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="mzArray"/>
            <cvParam accession="IMS:1000103" cvRef="IMS" name="external array length" value="{k}"/>
            <cvParam accession="IMS:1000104" cvRef="IMS" name="external encoded length" value="{k8}"/>
            <cvParam accession="IMS:1000102" cvRef="IMS" name="external offset" value="{mz}"/>
            <binary/>
          </binaryDataArray>
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="intensityArray"/>
            <cvParam accession="IMS:1000103" cvRef="IMS" name="external array length" value="{k}"/>
            <cvParam accession="IMS:1000104" cvRef="IMS" name="external encoded length" value="{k4}"/>
            <cvParam accession="IMS:1000102" cvRef="IMS" name="external offset" value="{values}"/>
            <binary/>
          </binaryDataArray>
        </binaryDataArrayList>
      </spectrum>
"""  # noqa: E501 - the lines are as long as pyimzML's


KINDS = {
    "centroid": ("IMS:1000031", "MS:1000127"),
    "profile": ("IMS:1000031", "MS:1000128"),
    "continuous": ("IMS:1000030", "MS:1000128"),
}
"""Terms for the layout and the mode of each kind of slide that is made up."""


class Recipe(NamedTuple):
    """A square slide: ``points`` per spectrum (on average, if they are centroids)."""

    kind: str
    side: int
    points: int


def make_slide(folder: Path, recipe: Recipe) -> Path:
    """Write a slide of random spectra, the same each time."""
    kind, side, points = recipe
    path = folder / f"{kind}_{side}x{side}_{points}.imzML"
    layout, mode = KINDS[kind]
    identity = uuid.UUID(int=1)
    with path.open("w") as xml, path.with_suffix(".ibd").open("wb") as ibd:
        xml.write(HEAD.format(layout=layout, mode=mode, uuid=identity, side=side, n=side * side))
        place, mz_place = ibd.write(identity.bytes), 16
        for i, (mz, values) in enumerate(made_up_spectra(recipe)):
            if i == 0 or kind != "continuous":
                mz_place, place = place, place + ibd.write(mz.tobytes())
            k, tic = mz.size, float(values.sum())
            numbers = {"k": k, "k8": 8 * k, "k4": 4 * k, "mz": mz_place, "values": place}
            position = {"i": i, "x": i % side + 1, "y": i // side + 1}
            xml.write(SPECTRUM.format(low=mz[0], high=mz[-1], tic=tic, **numbers, **position))
            place += ibd.write(values.tobytes())
        xml.write("</spectrumList></run></mzML>\n")
    return path


def made_up_spectra(recipe: Recipe) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (m/z, intensities) of each spectrum; seed 0."""
    rng = np.random.default_rng(0)
    kind, side, points = recipe
    axis = np.linspace(600, 1000, points)
    step = axis[1] - axis[0]
    for _ in range(side * side):
        mz = axis
        if kind == "profile":
            mz = axis + step * rng.random()
        elif kind == "centroid":
            mz = np.sort(rng.uniform(300, 1500, int(rng.integers(points // 2, points * 3 // 2))))
        yield mz, rng.gamma(1, 100, mz.size).astype("<f4")


Found = dict[str, tuple[float, float]]
"""Time in ms and result of every task."""


class Ours:
    """This package; a budget of 0 bytes stands for a slide too large to keep in memory."""

    def __init__(self, **options: int) -> None:
        self._options = options

    def open(self, path: Path) -> Any:
        return open_imzml(path, **self._options)

    def count(self, slide: Any) -> int:
        return int(slide.n_spectra)

    def ions(self, slide: Any, bounds: np.ndarray) -> float:
        windows = [MassWindow((a + b) / 2, MassTolerance((b - a) / 2)) for a, b in bounds]
        return float(np.nansum(slide.ion_images(windows)))

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return float(sum(slide.spectrum(i).intensity[-1] for i in indices))

    def total(self, slide: Any) -> float:
        return float(slide.total_ion_current().sum())

    def mean(self, slide: Any, shared_axis: bool) -> float:  # noqa: ARG002 - known
        return float(slide.mean_spectrum().intensity.sum() * slide.n_spectra)


class PyImzml:
    """pyimzML, the usual reader."""

    def open(self, path: Path) -> Any:
        from pyimzml.ImzMLParser import ImzMLParser

        return ImzMLParser(str(path))

    def count(self, slide: Any) -> int:
        return len(slide.coordinates)

    def get(self, slide: Any, i: int) -> Any:
        return slide.getspectrum(i)

    def ion(self, slide: Any, low: float, high: float) -> float:
        from pyimzml.ImzMLParser import getionimage

        return float(getionimage(slide, (low + high) / 2, (high - low) / 2).sum())

    def ions(self, slide: Any, bounds: np.ndarray) -> float:
        return sum(self.ion(slide, a, b) for a, b in bounds)

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return float(sum(self.get(slide, i)[1][-1] for i in indices))

    def total(self, slide: Any) -> float:
        every = range(self.count(slide))
        return float(sum(self.get(slide, i)[1].sum(dtype=float) for i in every))

    def mean(self, slide: Any, shared_axis: bool) -> float:
        every = range(self.count(slide))
        if shared_axis:
            return float(sum(self.get(slide, i)[1].astype(float) for i in every).sum())
        sums = np.zeros(int(np.log(1e4) * 1e6 / GRID_PPM))
        for i in every:
            mz, values = self.get(slide, i)
            bins = (np.log(mz) * (1e6 / GRID_PPM)).astype(np.intp)
            np.add.at(sums, bins, values.astype(float))
        return float(sums.sum())


class Imzy(PyImzml):
    """imzy; its cache beside the data is removed first, so that it opens afresh."""

    def open(self, path: Path) -> Any:
        import imzy

        for cache in path.parent.glob(f"{path.stem}*.icache*"):
            cache.unlink()
        return imzy.get_reader(path)

    def count(self, slide: Any) -> int:
        return int(slide.n_pixels)

    def get(self, slide: Any, i: int) -> Any:
        return slide.get_spectrum(i)

    def ion(self, slide: Any, low: float, high: float) -> float:
        center = (low + high) / 2
        return float(np.nansum(slide.get_ion_image(center, tol=(high - low) / 2)))


READERS: dict[str, Any] = {
    "ours": Ours(),
    "streamed": Ours(memory_budget=0),
    "pyimzML": PyImzml(),
    "imzy": Imzy(),
}


def timed(task: Callable[[], float]) -> tuple[float, float]:
    """Time in ms, and the result."""
    gc.collect()
    start = time.perf_counter()
    result = task()
    return (time.perf_counter() - start) * 1e3, result


def tasks_of(reader: Any, path: Path, windows: np.ndarray, shared_axis: bool) -> Found:
    """Run every task once with one reader."""
    opened = partial(reader.open, path)
    slide, one = opened(), windows[len(windows) // 2 :][:1]
    picks = np.linspace(0, reader.count(slide) - 1, 500).astype(int).tolist()
    found = {"open": timed(lambda: reader.count(opened()))}
    found["500 spectra, first"] = timed(partial(reader.spectra, slide, picks))
    found["ion image, first"] = timed(partial(reader.ions, opened(), one))
    slide = opened()
    reader.ions(slide, one)
    found["ion image, second"] = timed(partial(reader.ions, slide, one))
    ten, result = timed(lambda: [reader.ions(slide, one) for _ in range(10)][-1])
    found["ion images 3 to 12, each"] = ten / 10, result
    found["ion image, later"] = timed(partial(reader.ions, slide, one))
    found[f"{len(windows)} ion images, later"] = timed(partial(reader.ions, slide, windows))
    found["500 spectra, later"] = timed(partial(reader.spectra, slide, picks))
    found["total ion current, first"] = timed(partial(reader.total, opened()))
    found["mean spectrum, first"] = timed(partial(reader.mean, opened(), shared_axis))
    return found


def compare(path: Path, names: list[str], rounds: int, n_windows: int) -> None:
    """Print one table for one slide."""
    with open_imzml(path) as slide:
        low, high = slide.mass_range
        sizes = f".ibd {slide.ibd_size / 1e6:.0f} MB, .imzML {path.stat().st_size / 1e6:.0f} MB"
        layout = f"{slide.layout} {slide.mode}"
        print(f"\n**{path.name}**: {slide.n_spectra} spectra, {layout}, {sizes}\n")
        shared_axis = slide.mass_axis is not None
    centers = np.linspace(low, high, n_windows + 2)[1:-1]
    windows = np.stack([centers * (1 - 10e-6), centers * (1 + 10e-6)], axis=1)
    runs = []
    for turn in range(rounds):
        # Each round begins with another reader: the first to read finds the caches cold.
        order = names[turn % len(names) :] + names[: turn % len(names)]
        runs.append({n: tasks_of(READERS[n], path, windows, shared_axis) for n in order})
    print_table(runs, names)


def print_table(runs: list[dict[str, Found]], names: list[str]) -> None:
    """Print medians, and how many times longer pyimzML takes than each way of ours."""
    mine = [n for n in names if n in ("ours", "streamed")] if "pyimzML" in names else []
    titles = names + [f"pyimzML / {name}" for name in mine]
    print("| task (ms) | " + " | ".join(titles) + " |")
    print("|---|" + "---:|" * len(titles))
    for task, (_, right) in runs[0][names[0]].items():
        times = {n: float(np.median([run[n][task][0] for run in runs])) for n in names}
        same = {n: np.isclose(runs[0][n][task][1], right) for n in names}
        cells = [f"{times[n]:.4g}" + ("" if same[n] else " (differs)") for n in names]
        cells += [f"{times['pyimzML'] / times[name]:.1f}×" for name in mine]
        print(f"| {task} | " + " | ".join(cells) + " |", flush=True)


def is_installed(package: str) -> bool:
    """Whether a peer can be compared with here."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def conditions(rounds: int) -> str:
    """One line on where and with what a table was made."""
    packages = [name for name in ("numpy", "scipy", "pyimzML", "imzy") if is_installed(name)]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"{dt.date.today()}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}; seed 0, medians of {rounds} rounds"
    )


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("slides", nargs="*", type=Path, help="imzML files; none = made-up slides")
    parser.add_argument("--windows", type=int, default=20, help="ion images taken at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", default=",".join(READERS))
    arguments = parser.parse_args()
    asked = arguments.readers.split(",")
    readers = [name for name in asked if name in ("ours", "streamed") or is_installed(name)]
    warnings.simplefilter("ignore")
    print(conditions(arguments.rounds))
    recipes = (
        Recipe("centroid", 128, 600),
        Recipe("profile", 48, 4000),
        Recipe("continuous", 64, 4000),
    )
    with tempfile.TemporaryDirectory() as folder:
        made = (make_slide(Path(folder), recipe) for recipe in recipes)
        for slide in arguments.slides or made:
            compare(slide, readers, arguments.rounds, arguments.windows)


if __name__ == "__main__":
    main()
