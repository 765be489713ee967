"""How fast slides are read, beside pyimzML and imzy, with the numbers compared.

The peers have no binned mean spectrum: where ours bins all peaks, they only sum all intensities.

Run on made-up slides, or on any imzML:

    python benchmarks/reader.py --side 128 --peaks 1000 --channels 4000
    python benchmarks/reader.py SLIDE.imzML
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow

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


def make_slide(folder: Path, layout: str, side: int, points: int) -> Path:
    """Write a square slide of random spectra; ``points`` per spectrum on average."""
    rng = np.random.default_rng(0)
    identity = uuid.UUID(int=1)
    continuous = layout == "continuous"
    path = folder / f"{layout}_{side}x{side}_{points}.imzML"
    codes = ("IMS:1000030", "MS:1000128") if continuous else ("IMS:1000031", "MS:1000127")
    head = HEAD.format(layout=codes[0], mode=codes[1], uuid=identity, side=side, n=side * side)
    axis = np.linspace(600, 1000, points)
    with path.open("w") as xml, path.with_suffix(".ibd").open("wb") as ibd:
        xml.write(head)
        ibd.write(identity.bytes)
        place = 16
        if continuous:
            place += ibd.write(axis.tobytes())
        for i in range(side * side):
            k = points if continuous else int(rng.integers(points // 2, points * 3 // 2 + 1))
            mz_place = place
            if continuous:
                mz_place, mz = 16, axis
            else:
                mz = np.sort(rng.uniform(300, 1500, k))
                place += ibd.write(mz.tobytes())
            values = rng.gamma(1, 100, k).astype("<f4")
            facts = {"x": i % side + 1, "y": i // side + 1, "tic": float(values.sum())}
            xml.write(
                SPECTRUM.format(
                    i=i,
                    k=k,
                    k8=8 * k,
                    k4=4 * k,
                    mz=mz_place,
                    values=place,
                    low=mz[0],
                    high=mz[-1],
                    **facts,
                )
            )
            place += ibd.write(values.tobytes())
        xml.write("</spectrumList></run></mzML>\n")
    return path


class Ours:
    """This package."""

    name = "ours"

    def open(self, path: Path) -> Any:
        return open_imzml(path)

    def count(self, slide: Any) -> float:
        return float(slide.n_spectra)

    def ion(self, slide: Any, low: float, high: float) -> float:
        window = MassWindow((low + high) / 2, MassTolerance((high - low) / 2))
        return float(np.nansum(slide.ion_images([window])))

    def ions(self, slide: Any, bounds: np.ndarray) -> float:
        windows = [MassWindow((a + b) / 2, MassTolerance((b - a) / 2)) for a, b in bounds]
        return float(np.nansum(slide.ion_images(windows)))

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return sum(float(slide.spectrum(i).intensity.sum(dtype=float)) for i in indices)

    def total(self, slide: Any) -> float:
        mean = slide.mean_spectrum()
        return float(mean.intensity.sum() * slide.n_spectra)


class PyImzml:
    """pyimzML, the usual reader."""

    name = "pyimzML"

    def open(self, path: Path) -> Any:
        from pyimzml.ImzMLParser import ImzMLParser

        return ImzMLParser(str(path))

    def count(self, slide: Any) -> float:
        return float(len(slide.coordinates))

    def ion(self, slide: Any, low: float, high: float) -> float:
        from pyimzml.ImzMLParser import getionimage

        return float(getionimage(slide, (low + high) / 2, (high - low) / 2).sum())

    def ions(self, slide: Any, bounds: np.ndarray) -> float:
        return sum(self.ion(slide, a, b) for a, b in bounds)

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return sum(float(slide.getspectrum(i)[1].sum(dtype=float)) for i in indices)

    def total(self, slide: Any) -> float:
        return self.spectra(slide, list(range(len(slide.coordinates))))


class Imzy(PyImzml):
    """imzy; its cache beside the data is removed first, so that it opens afresh."""

    name = "imzy"

    def open(self, path: Path) -> Any:
        import imzy

        for cache in path.parent.glob(f"{path.stem}*.icache*"):
            cache.unlink()
        return imzy.get_reader(path)

    def count(self, slide: Any) -> float:
        return float(slide.n_pixels)

    def ion(self, slide: Any, low: float, high: float) -> float:
        center = (low + high) / 2
        return float(np.nansum(slide.get_ion_image(center, tol=(high - low) / 2)))

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return sum(float(slide.get_spectrum(i)[1].sum(dtype=float)) for i in indices)

    def total(self, slide: Any) -> float:
        return self.spectra(slide, list(range(slide.n_pixels)))


def measure(task: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Best time in ms, and the result."""
    best, result = np.inf, 0.0
    for _ in range(repeats):
        gc.collect()
        start = time.perf_counter()
        result = task()
        best = min(best, time.perf_counter() - start)
    return best * 1e3, result


def tasks_of(reader: Any, path: Path, windows: np.ndarray, repeats: int) -> dict[str, Any]:
    """Run every task with one reader."""
    slide = reader.open(path)
    picks = np.linspace(0, reader.count(slide) - 1, 500).astype(int).tolist()
    low, high = windows[len(windows) // 2]
    found = {"open": measure(lambda: reader.count(reader.open(path)), repeats)}
    slide = reader.open(path)
    found["first ion image"] = measure(lambda: reader.ion(slide, low, high), 1)
    found["ion image"] = measure(lambda: reader.ion(slide, low, high), repeats)
    found[f"{len(windows)} ion images"] = measure(lambda: reader.ions(slide, windows), 1)
    found["500 spectra"] = measure(lambda: reader.spectra(slide, picks), repeats)
    found["mean spectrum"] = measure(lambda: reader.total(reader.open(path)), 1)
    opened = found["open"][0]
    found["mean spectrum"] = (found["mean spectrum"][0] - opened, found["mean spectrum"][1])
    return found


def compare(path: Path, readers: list[Any], repeats: int, n_windows: int) -> None:
    """Print one table for one slide."""
    with open_imzml(path) as slide:
        low, high = slide.mass_range
        print(f"\n{path.name}: {slide!r}, .ibd {slide.ibd_size / 1e6:.0f} MB, ", end="")
        print(f".imzML {path.stat().st_size / 1e6:.0f} MB")
    centers = np.linspace(low, high, n_windows + 2)[1:-1]
    windows = np.stack([centers * (1 - 10e-6), centers * (1 + 10e-6)], axis=1)
    results = {reader.name: tasks_of(reader, path, windows, repeats) for reader in readers}
    ours = results["ours"]
    print(f"{'task (ms)':>18}" + "".join(f"{name:>24}" for name in results))
    for task, (time_ms, value) in ours.items():
        line = f"{task:>18}"
        for found in results.values():
            other_ms, other = found[task]
            same = "" if np.isclose(other, value, rtol=1e-6) else " differs"
            line += f"{other_ms:>12.2f} {other_ms / time_ms:>5.1f}x{same:>5}"
        print(line)


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("slides", nargs="*", type=Path, help="imzML files; none = made-up slides")
    parser.add_argument("--side", type=int, default=64, help="rows and columns of made-up slides")
    parser.add_argument(
        "--peaks", type=int, default=1000, help="mean peaks of a processed spectrum"
    )
    parser.add_argument("--channels", type=int, default=4000, help="channels of a continuous slide")
    parser.add_argument("--windows", type=int, default=20, help="ion images taken at once")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--readers", default="ours,pyimzML,imzy")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    known = {reader.name: reader() for reader in (Ours, PyImzml, Imzy)}
    readers = [known[name] for name in arguments.readers.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        slides = arguments.slides or [
            make_slide(Path(folder), "processed", arguments.side, arguments.peaks),
            make_slide(Path(folder), "continuous", arguments.side, arguments.channels),
        ]
        for slide in slides:
            compare(slide, readers, arguments.repeats, arguments.windows)


if __name__ == "__main__":
    main()
