"""One export from the request to the file, as a job that can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.slide_export.extras import refuse_missing
from napari_ims_tumor.io.slide_export.plan import ExportPlan, plan_export, refuse_what_cannot_be
from napari_ims_tumor.io.slide_export.request import (
    ExportRequest,
    Kind,
    kind_of,
    refuse_idle_options,
)
from napari_ims_tumor.io.slide_export.to_anndata import export_anndata
from napari_ims_tumor.io.slide_export.to_imzml import export_imzml
from napari_ims_tumor.io.slide_export.to_planes import export_planes
from napari_ims_tumor.io.slide_export.to_spatialdata import export_spatialdata
from napari_ims_tumor.io.slide_export.to_table import export_table
from napari_ims_tumor.io.slide_export.to_zarr import export_zarr
from napari_ims_tumor.io.slide_export.view import ExportView, make_view
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.dataset import MsiDataset


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export left behind.

    Attributes
    ----------
    files
        What was written, the main file first.
    n_spectra
        How many spectra are in it.
    notices
        What was adapted or left out, one sentence each.
    """

    files: tuple[Path, ...]
    n_spectra: int
    notices: tuple[str, ...] = ()


def plan_export_job(
    slide: MsiDataset, path: Path, request: ExportRequest
) -> Job[Progress, ExportPlan]:
    """Say what an export would write and how large; nothing is written.

    Raises
    ------
    ImsTumorError
        It could not be done: the sentence that the export itself would end with.
    """
    _, plan = yield from _prepared(slide, path, request)
    return plan


def export_job(slide: MsiDataset, path: Path, request: ExportRequest) -> Job[Progress, Exported]:
    """Write part of a slide in the format of the path's ending.

    Parameters
    ----------
    slide
        The whole slide; it is read in blocks.
    path
        Ends in .imzML, .ome.tif, .csv, .zarr, .h5ad or .spatialdata.zarr.
    request
        Which part, and how.

    Yields
    ------
    Progress
        Spectra or images that are done. Stopped, it leaves nothing behind.

    Returns
    -------
    Exported
        What was written.

    Raises
    ------
    ImsTumorError
        Nothing is chosen, an input would be replaced, the disk is too small, or writing failed;
        nothing is left half.
    """
    view, plan = yield from _prepared(slide, path, request)
    try:
        files = yield from _WRITERS[plan.kind](view, path)
    except OSError as error:
        raise ImsTumorError(
            f"{path} cannot be written ({error.strerror or error}): check the folder and the free "
            "space"
        ) from error
    return Exported(files, view.spectra.n_spectra, view.chosen.notices)


_WRITERS: Final[dict[Kind, Callable[[ExportView, Path], Job[Progress, tuple[Path, ...]]]]] = {
    "imzml": export_imzml,
    "tiff": export_planes,
    "csv": export_table,
    "zarr": export_zarr,
    "h5ad": export_anndata,
    "spatialdata": export_spatialdata,
}


def _prepared(
    slide: MsiDataset, path: Path, request: ExportRequest
) -> Job[Progress, tuple[ExportView, ExportPlan]]:
    kind = kind_of(path)
    refuse_idle_options(request, kind)
    refuse_missing(kind)
    yield Progress("Looking at the slide")
    view = make_view(slide, request)
    plan = plan_export(view, path, kind)
    inputs = [*request.pixels.files, *([slide.source] if slide.source is not None else [])]
    refuse_what_cannot_be(plan, inputs)
    return view, plan
