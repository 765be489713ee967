"""Slides in files that the tests of exports read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_ims_tumor.io.imzml_writer import ImzmlFacts, write_facts_job
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

ROWS, COLUMNS = 4, 6
MISSING = (2, 3)
"""This pixel was not measured."""


def pixels(planes: int = 1) -> PixelGrid:
    places = np.argwhere(np.ones((planes, ROWS, COLUMNS)))
    places = places[~(places[:, 1:] == MISSING).all(axis=1)]
    section, row, column = places.T
    return PixelGrid(row, column, (ROWS, COLUMNS), (50.0, 25.5), (10, 20), section)


def continuous(planes: int = 1) -> InMemoryDataset:
    grid = pixels(planes)
    mz = np.linspace(500, 510, 201)
    rng = np.random.default_rng(0)
    curves = np.zeros((len(grid), 201))
    for center in (502.013, 505.5, 508.87):
        heights = rng.uniform(50, 500, len(grid))[:, None]
        curves += heights * np.exp(-(((mz - center) / 0.12) ** 2) / 2)
    return InMemoryDataset.from_matrix(MassAxis(mz), curves.astype(np.float32), grid, "a")


def processed(planes: int = 1) -> InMemoryDataset:
    grid = pixels(planes)
    rng = np.random.default_rng(1)
    spectra = []
    for n in rng.integers(3, 40, len(grid)).tolist():
        near = rng.normal(rng.choice([502.0, 505.0, 508.0], n), 0.001)
        spectra.append(Spectrum(np.sort(near), np.round(rng.uniform(1, 900, n))))
    return InMemoryDataset.from_spectra(spectra, grid, "a")


def write(
    folder: Path, layout: str, types: tuple[str, str] = ("f8", "f4"), planes: int = 1
) -> Path:
    made = continuous(planes) if layout == "continuous" else processed(planes)
    facts = ImzmlFacts(("negative",), types=(np.dtype(types[0]), np.dtype(types[1])))
    return run_inline(write_facts_job(folder / "a.imzML", made, facts))


def labels() -> np.ndarray:
    image = np.zeros((ROWS, COLUMNS), np.uint8)
    image[0, :3], image[3, 2:] = 1, 2
    return image
