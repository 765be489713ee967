"""Spectra for other programs: the picked pixel, the slide's mean, and the mean of each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.mean_spectrum import region_mean_spectrum
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.session.slide_state import PickedSpectrum, SlideState

PICKED_COLOR: Final = "#222222"
MEAN_COLOR: Final = "#00805c"


@dataclass(frozen=True, eq=False)
class NamedSpectrum:
    """A spectrum, what it is of, and its color in a plot."""

    name: str
    spectrum: Spectrum
    color: str


def gather_spectra(
    slide: SlideState, picked: PickedSpectrum | None
) -> Job[Progress, tuple[NamedSpectrum, ...]]:
    """Collect the spectra of a slide that are seen, and average those of each painted class."""
    found: list[NamedSpectrum] = []
    yield from _go_on("Averaging spectra")
    mean = slide.overview.mean if slide.overview is not None else slide.dataset.mean_spectrum()
    found.append(NamedSpectrum("mean of the slide", mean, MEAN_COLOR))
    pixels = slide.dataset.pixels
    under = np.where(pixels.measured, slide.annotation.labels, 0)
    for label in slide.annotation.scheme.classes:
        indices = pixels.lookup[under == label.value]
        if indices.size:
            yield from _go_on(f"Averaging {label.name} spectra")
            mean = region_mean_spectrum(slide.dataset, indices)
            pixel = "pixel" if indices.size == 1 else "pixels"
            name = f"mean of {label.name} ({indices.size} {pixel})"
            found.append(NamedSpectrum(name, mean, label.color))
    if picked is not None:
        found.append(NamedSpectrum(_place(picked), picked.spectrum, PICKED_COLOR))
    return tuple(found)


def write_spectra_file(path: Path, slide: SlideState, spectra: tuple[NamedSpectrum, ...]) -> None:
    """Write spectra as a table (.csv) or a plot (.png, .svg)."""
    about = {
        "slide": slide.name,
        "spectra": "; ".join(one.name for one in spectra),
        "normalization": "none",
        "units": "m/z in Th; intensity in the units of the file",
    }
    if path.suffix.lower() == ".csv":
        from napari_ims_tumor.io.table_file import Table, write_table

        names = [one.name for one in spectra for _ in range(len(one.spectrum))]
        mz = np.concatenate([one.spectrum.mz for one in spectra])
        intensity = np.concatenate([one.spectrum.intensity for one in spectra])
        write_table(path, Table({"spectrum": names, "mz": mz, "intensity": intensity}, about))
        return
    from napari_ims_tumor.io.picture_file import Curve, write_spectra

    curves = tuple(
        Curve(
            one.name, one.spectrum.mz, one.spectrum.intensity, one.color,
            stems=one.spectrum.mode == "centroid",
        )
        for one in spectra
    )  # fmt: skip
    write_spectra(path, slide.name, curves, about)


def _place(picked: PickedSpectrum) -> str:
    plane = f", plane {picked.plane}" if picked.slide.dataset.pixels.n_planes > 1 else ""
    return f"row {picked.row}, column {picked.column}{plane}"


def _go_on(phase: str) -> Job[Progress, None]:
    if (yield Progress(phase)) is STOP:
        raise JobStopped("Stopped: nothing was exported.")
