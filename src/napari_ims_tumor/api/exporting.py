"""Part of a slide as a file for other programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.api.given import slide_given
from napari_ims_tumor.api.slides import PathLike
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.io.imzml import open_imzml_job
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassTolerance
from napari_ims_tumor.msi.memory_budget import GivenBudget

if TYPE_CHECKING:
    from napari_ims_tumor.io.slide_export.job import Exported
    from napari_ims_tumor.io.slide_export.plan import ExportPlan
    from napari_ims_tumor.io.slide_export.request import ExportRequest
    from napari_ims_tumor.msi.centroiding import CentroidMethod

_PIXELS = ("labels", "classes", "mask", "groups", "numbers", "regions", "rows", "columns", "planes")
_CHANNELS = ("mz", "peaks", "bins", "tolerance")
_OTHERS = ("mz_range", "centroid", "normalize", "reduce", "by", "table", "array")


def export(slide: PathLike | MsiDataset, path: PathLike, **options: Any) -> Exported:
    """Write part of a slide as a file for other programs.

    Parameters
    ----------
    slide
        An open slide, or the path of its .imzML.
    path
        Its ending chooses the format: ``.imzML``, ``.ome.tif``, ``.csv``, ``.zarr``, ``.h5ad``,
        ``.spatialdata.zarr``.
    **options
        Which pixels: ``labels`` (a file, an image, an Annotation) with ``classes``; ``mask``;
        ``groups`` (an image) with ``numbers``; ``regions``; ``rows``, ``columns`` and ``planes`` as
        (first, last), both included. Which m/z: ``mz_range`` as (low, high). ``centroid=True``, or
        a :class:`~napari_ims_tumor.msi.centroiding.CentroidMethod`, turns curves into peaks.

        Where the file has channels: ``mz``, ``peaks`` or ``bins``, ``tolerance`` (``"20ppm"``),
        ``normalize`` and ``reduce``. Of tables: ``by`` (``"slide"``, ``"class"``, ``"group"``,
        ``"region"``) and ``table`` (``"long"``, ``"wide"``). Of zarr: ``array``
        (``"image"``, ``"pixels"``). ``memory_budget`` as for :func:`open_imzml`.

    Returns
    -------
    Exported
        ``files``, ``n_spectra`` and ``notices``.

    Raises
    ------
    ImsTumorError
        One sentence; nothing is left half.
    """
    return run_inline(export_job(slide, path, **options))


def export_job(
    slide: PathLike | MsiDataset,
    path: PathLike,
    memory_budget: GivenBudget = None,
    **options: Any,
) -> Job[Progress, Exported]:
    """Return :func:`export` as a job, which reports how far it is and can be stopped."""
    from napari_ims_tumor.io.slide_export.job import export_job as job

    request, source = export_request(**options), slide_given(slide)
    if not isinstance(source, Path):
        return (yield from job(source, Path(path), request))
    with (yield from open_imzml_job(source, memory_budget)) as opened:
        return (yield from job(opened, Path(path), request))


def plan_export(slide: PathLike | MsiDataset, path: PathLike, **options: Any) -> ExportPlan:
    """Say what :func:`export` would write and how large; nothing is written.

    Returns
    -------
    ExportPlan
        ``size`` in bytes, about; ``free`` there; ``facts()`` in words.
    """
    return run_inline(plan_export_job(slide, path, **options))


def plan_export_job(
    slide: PathLike | MsiDataset,
    path: PathLike,
    memory_budget: GivenBudget = None,
    **options: Any,
) -> Job[Progress, ExportPlan]:
    """Return :func:`plan_export` as a job."""
    from napari_ims_tumor.io.slide_export.job import plan_export_job as job

    request, source = export_request(**options), slide_given(slide)
    if not isinstance(source, Path):
        return (yield from job(source, Path(path), request))
    with (yield from open_imzml_job(source, memory_budget)) as opened:
        return (yield from job(opened, Path(path), request))


def export_request(**options: Any) -> ExportRequest:
    """Build an ``ExportRequest`` of the options of :func:`export`; ``None`` keeps a default."""
    from napari_ims_tumor.io.slide_export.choosing import PixelChoice
    from napari_ims_tumor.io.slide_export.request import ExportRequest
    from napari_ims_tumor.msi.channels import USUAL_TOLERANCE, ChannelChoice
    from napari_ims_tumor.msi.normalization import read_normalizer
    from napari_ims_tumor.msi.subset import MassRange

    given = {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(given) - {*_PIXELS, *_CHANNELS, *_OTHERS})
    if unknown:
        raise QueryError(f"an export has no option {unknown[0]!r}")
    others = {name: given[name] for name in _OTHERS if name in given}
    if "mz_range" in others:
        low, high = others["mz_range"]
        others["mz_range"] = MassRange(float(low), float(high))
    if isinstance(others.get("normalize"), str):
        others["normalize"] = read_normalizer(others["normalize"], USUAL_TOLERANCE)
    if "centroid" in others:
        others["centroid"] = _method(others["centroid"])
    return ExportRequest(
        pixels=PixelChoice(**_pixels(given)), channels=ChannelChoice(**_channels(given)), **others
    )


def _pixels(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: given[name] for name in _PIXELS if name in given}
    for name in ("labels", "mask", "groups"):
        if name in found and not isinstance(found[name], Annotation):
            is_path = isinstance(found[name], (str, os.PathLike))
            found[name] = Path(found[name]) if is_path else np.ma.filled(found[name], 0)
    for name in ("classes", "numbers", "regions"):
        if name in found:
            value = found[name]
            found[name] = (value,) if isinstance(value, (str, int)) else tuple(value)
    return found


def _channels(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: given[name] for name in _CHANNELS if name in given}
    for name in ("bins", "tolerance"):
        if isinstance(found.get(name), str):
            found[name] = MassTolerance.parse(found[name])
    if "mz" in found:
        value = found["mz"]
        found["mz"] = (float(value),) if isinstance(value, (int, float)) else tuple(value)
    return found


def _method(given: bool | CentroidMethod) -> CentroidMethod | None:
    from napari_ims_tumor.msi.centroiding import CentroidMethod

    if isinstance(given, bool):
        return CentroidMethod() if given else None
    return given
