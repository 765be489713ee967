"""*Export*: what is seen and known of the active slide, as files for other programs and people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from napari_ims_tumor.annotation.whole_regions import value_names
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.annotation_file import write_labels
from napari_ims_tumor.io.image_file import write_planes
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.arrays import LabelArray
from napari_ims_tumor.msi.peak_table import PeakTable, PickedFrom
from napari_ims_tumor.session.shown_images import ShownImage, write_shown
from napari_ims_tumor.session.slide_state import PickedSpectrum, SlideState
from napari_ims_tumor.session.spectra_out import gather_spectra, write_spectra_file

if TYPE_CHECKING:
    from napari_ims_tumor.session.session import Session

What: TypeAlias = Literal["prediction", "labels", "ions", "spectra", "peaks", "part"]

_IMAGES: Final[Mapping[str, str]] = {
    ".ome.tif": "OME-TIFF image",
    ".npy": "NumPy array",
    ".csv": "Table",
    ".png": "Picture",
}
FORMATS: Final[Mapping[What, Mapping[str, str]]] = {
    "prediction": _IMAGES,
    "ions": _IMAGES,
    "labels": {
        ".npy": "NumPy array",
        ".tif": "TIFF image",
        ".png": "Indexed image",
        ".geojson": "Outlines for QuPath",
        ".csv": "Table",
    },
    "spectra": {".csv": "Table", ".png": "Picture", ".svg": "Drawing"},
    "peaks": {".csv": "Table"},
    "part": {".imzML": "Slide"},
}
"""What can be exported → ending → what the file is."""
NO_IONS: Final = "No ion image is visible: click a peak of the spectrum, or show its layer."


@dataclass(frozen=True, eq=False)
class View:
    """What is seen of the active slide at the moment of asking.

    Attributes
    ----------
    ions
        The ion images on screen.
    prediction
        The prediction as it is looked at.
    classes
        The predicted class of each pixel, by the threshold on screen; ``rule`` says it in words.
    tissue
        What lies below.
    picked
        The spectrum that was clicked.
    """

    ions: tuple[ShownImage, ...] = ()
    prediction: ShownImage | None = None
    classes: LabelArray | None = None
    rule: str = ""
    tissue: ShownImage | None = None
    picked: PickedSpectrum | None = None


class SessionExports:
    """Writes files for a session; nothing is read back from them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def why_not(self, what: What) -> str | None:
        """Say in one sentence why there is nothing of this kind; ``None`` where there is."""
        slide = self._session.active
        if slide is None:
            return "Open a slide first."
        if what == "prediction" and slide.prediction is None:
            return "Predict this slide first."
        if what in ("labels", "part") and not slide.annotation.labels.any():
            return "Nothing is painted yet."
        if what == "peaks" and not len(self._session.ions.peaks(slide)):
            return "No peak was picked yet."
        return None

    def write(self, what: What, path: Path, view: View) -> None:
        """Write one file, as a job: what is written is what is known now."""
        slide, why_not = self._session.active, self.why_not(what)
        if what == "ions" and not view.ions:
            why_not = why_not or NO_IONS
        if slide is None or why_not is not None:
            self._session.failed.emit(why_not or "")
            return
        ending = ending_of(path, what)
        if ending is None:
            known = ", ".join(FORMATS[what])
            self._session.failed.emit(f"{path.name}: {what} are exported as {known}.")
            return
        ions = self._session.ions
        if what == "peaks":
            job = _peaks_job(slide, path, ions.peaks(slide), ions.picked_from)
        else:
            job = _job(what, slide, path, view)
        self._session.run("file", job, lambda _: self._session.noticed.emit(_said(path)))


def ending_of(path: Path, what: What) -> str | None:
    """Find the known ending of a path; ``None`` for one that cannot be written."""
    name = path.name.lower()
    also = {".tif": ".ome.tif", ".tiff": ".ome.tif"} if ".ome.tif" in FORMATS[what] else {}
    known = next((ending for ending in FORMATS[what] if name.endswith(ending.lower())), None)
    return known or also.get(path.suffix.lower())


def _said(path: Path) -> str:
    return f"Exported {path.name} to the folder {path.parent.name}."


def _peaks_job(
    slide: SlideState, path: Path, peaks: PeakTable, picked_from: PickedFrom
) -> Job[Progress, None]:
    from napari_ims_tumor.io.table_file import Table, write_table

    yield Progress(f"Exporting {path.name}")
    columns = {
        "mz": peaks.mz,
        "window_low": peaks.mz - peaks.half,
        "window_high": peaks.mz + peaks.half,
        "intensity_mean": peaks.mean,
        "intensity_max": peaks.max,
        "signal_to_noise": peaks.signal_to_noise,
    }
    about = {
        "slide": slide.name,
        "peaks": f"picked from the {picked_from} spectrum",
        "units": "m/z in Th; intensity in the units of the file",
    }
    write_table(path, Table(columns, about))


def _job(what: What, slide: SlideState, path: Path, view: View) -> Job[Progress, None]:
    yield Progress(f"Exporting {path.name}")
    if what == "spectra":
        spectra = yield from gather_spectra(slide, view.picked)
        write_spectra_file(path, slide, spectra)
    elif what == "prediction":
        _write_prediction(slide, path, view)
    elif what == "labels":
        _write_labels(slide, path)
    elif what == "part":
        yield from _export_part(slide, path)
    else:
        write_shown(path, slide.dataset, view.ions, view.tissue)


def _export_part(slide: SlideState, path: Path) -> Job[Progress, None]:
    """Write the spectra of all painted pixels as a slide, with their labels beside."""
    from napari_ims_tumor.io.slide_export.choosing import PixelChoice
    from napari_ims_tumor.io.slide_export.job import export_job
    from napari_ims_tumor.io.slide_export.request import ExportRequest

    request = ExportRequest(pixels=PixelChoice(labels=slide.annotation))
    yield from export_job(slide.dataset, path, request)


def _write_prediction(slide: SlideState, path: Path, view: View) -> None:
    prediction, ending = slide.prediction, path.suffix.lower()
    if prediction is None:
        raise ImsTumorError("There is no prediction to export: predict first.")
    values, names = prediction.planes(uncertainty=True)
    if ending == ".png":
        if view.prediction is None:
            raise ImsTumorError("The prediction is not shown: bring its layer back by predicting.")
        write_shown(path, slide.dataset, (view.prediction,), view.tissue)
    elif ending == ".csv":
        _write_prediction_table(slide, path, view)
    else:
        about = {**prediction.about(), "slide": slide.name}
        write_planes(path, values, names, slide.dataset.pixels, about)


def _write_prediction_table(slide: SlideState, path: Path, view: View) -> None:
    from napari_ims_tumor.io.table_file import Table, pixel_table, write_table

    prediction, pixels = slide.prediction, slide.dataset.pixels
    assert prediction is not None  # noqa: S101 - who calls this has just looked
    values, names = prediction.planes(uncertainty=True)
    about = {
        "slide": slide.name,
        "model": prediction.model_id,
        "units": "probabilities from 0 to 1, "
        + ("calibrated" if prediction.calibrated else "uncalibrated: an order, not percentages"),
    }
    if view.classes is not None:
        about["class"] = view.rule
    table = pixel_table(pixels, dict(zip(names, values, strict=True)), about)
    if view.classes is not None:
        called = {0: "", **{c.value: c.name for c in slide.annotation.scheme.classes}}
        classes = [called[int(value)] for value in view.classes[pixels.measured]]
        table = Table({**table.columns, "class": classes}, table.about)
    write_table(path, table)


def _write_labels(slide: SlideState, path: Path) -> None:
    pixels, annotation = slide.dataset.pixels, slide.annotation
    if path.suffix.lower() != ".csv":
        write_labels(path, annotation, pixels)
        return
    from napari_ims_tumor.io.table_file import PLACES, Column, Table, place_columns, write_table

    where = annotation.labels > 0
    values = annotation.labels[where]
    names = value_names(annotation.scheme)
    columns: dict[str, Column] = {
        **place_columns(pixels, where),
        "measured": pixels.measured[where].astype(np.uint8),
        "label": values,
        "class": [names[int(value)] for value in values],
    }
    about = {"slide": slide.name, "rows": "labelled pixels", **PLACES}
    write_table(path, Table(columns, {**about, "measured": "1 where there is a spectrum"}))
