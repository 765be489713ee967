"""What is asked for: which part of a slide, as which kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from napari_ims_tumor.errors import ImsTumorError, QueryError
from napari_ims_tumor.io.slide_export.choosing import PixelChoice
from napari_ims_tumor.msi.centroiding import CentroidMethod
from napari_ims_tumor.msi.channels import ChannelChoice
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.normalization import NORMALIZATIONS, Normalizer
from napari_ims_tumor.msi.reduction import REDUCTIONS, Reduction
from napari_ims_tumor.msi.subset import WHOLE_RANGE, MassRange

Kind = Literal["imzml", "tiff", "csv", "zarr", "h5ad", "spatialdata"]
By = Literal["slide", "class", "group", "region"]
TableForm = Literal["long", "wide"]
ArrayForm = Literal["image", "pixels"]

ENDINGS: Final[Mapping[str, Kind]] = {
    ".spatialdata.zarr": "spatialdata",
    ".zarr": "zarr",
    ".h5ad": "h5ad",
    ".imzml": "imzml",
    ".ome.tif": "tiff",
    ".ome.tiff": "tiff",
    ".csv": "csv",
}
"""The longer ones first."""
FOLDERS: Final[tuple[Kind, ...]] = ("zarr", "spatialdata")


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """Which part of a slide, and how.

    Attributes
    ----------
    pixels
        Which spectra.
    mz_range
        What is kept of each.
    centroid
        Turn curves into peaks in this way; ``None`` leaves them.
    channels
        Which ions, where the output has channels.
    normalize
        What channels are scaled by: factors of the whole slide, as on screen. A window is that of a
        reference peak.
    reduce
        What becomes of the points in a window.
    by
        What a table averages over; by default classes, else groups, else the slide.
    table
        ``"long"`` or ``"wide"``.
    array
        Of zarr: ``"image"`` (channels, rows, columns) or ``"pixels"`` (pixels, channels).
    """

    pixels: PixelChoice = field(default_factory=PixelChoice)
    mz_range: MassRange = WHOLE_RANGE
    centroid: CentroidMethod | None = None
    channels: ChannelChoice = field(default_factory=ChannelChoice)
    normalize: Normalizer = "none"
    reduce: Reduction = "sum"
    by: By | None = None
    table: TableForm | None = None
    array: ArrayForm | None = None

    def __post_init__(self) -> None:
        for what, value, known in (
            ("normalization", self.normalize, _normalizers(self.normalize)),
            ("reduction", self.reduce, REDUCTIONS),
            ("by", self.by, (None, *get_args(By))),
            ("table", self.table, (None, *get_args(TableForm))),
            ("array", self.array, (None, *get_args(ArrayForm))),
        ):
            if value not in known:
                words = ", ".join(str(word) for word in known if word is not None)
                raise QueryError(f"{what} {value!r}: use {words}")

    @property
    def grouping(self) -> By:
        """What a table averages over."""
        if self.by is not None:
            return self.by
        if self.pixels.labels is not None:
            return "class"
        return "group" if self.pixels.groups is not None else "slide"


def _normalizers(given: Normalizer) -> tuple[Normalizer, ...]:
    """What is known; the window of a reference peak is one of its own."""
    return (given,) if isinstance(given, MassWindow) else NORMALIZATIONS


def kind_of(path: Path) -> Kind:
    """Tell the kind of a file by its ending."""
    name = path.name.lower()
    for ending, kind in ENDINGS.items():
        if name.endswith(ending) and name != ending:
            return kind
    raise ImsTumorError(
        f"{path.name}: a slide is exported as .imzML, .ome.tif, .csv, .zarr, .h5ad or "
        ".spatialdata.zarr, by the ending of the name"
    )


def refuse_idle_options(request: ExportRequest, kind: Kind) -> None:
    """An option that would do nothing is a mistake: say which kind of file it is for."""
    for said, right, is_idle in (
        ("mz, peaks and bins are", "files with channels",
         kind == "imzml" and not request.channels.is_default),
        ("a normalization is", "files with channels",
         kind == "imzml" and request.normalize != "none"),
        ("a reduction is", "files with channels", kind == "imzml" and request.reduce != "sum"),
        ("what to average by is", ".csv", kind != "csv" and request.by is not None),
        ("the form of a table is", ".csv", kind != "csv" and request.table is not None),
        ("the form of an array is", ".zarr", kind != "zarr" and request.array is not None),
    ):  # fmt: skip
        if is_idle:
            raise QueryError(f"{said} for {right}, which the output is not")
    if request.by == "class" and request.pixels.labels is None:
        raise QueryError("averages by class need labels, and none are given")
    if request.by == "group" and request.pixels.groups is None:
        raise QueryError("averages by group need an image of groups, and none is given")
