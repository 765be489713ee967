"""Packages that only some kinds of export need, and the sentence where one is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.slide_export.request import Kind

NEEDED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "zarr": ("zarr",),
    "h5ad": ("anndata", "h5py"),
    "spatialdata": ("spatialdata",),
}
_EXTRA: Final[Mapping[Kind, str]] = {
    "zarr": "zarr", "h5ad": "anndata", "spatialdata": "spatialdata",
}  # fmt: skip
_OLDEST_ZARR: Final = 3


def refuse_missing(kind: Kind) -> None:
    """Stop before the work where what writes this kind of file is not installed."""
    for package in NEEDED.get(kind, ()):
        try:
            found = version(package)
        except PackageNotFoundError:
            raise ImsTumorError(f"{_why(kind, package)}, which is not installed") from None
        if package == "zarr" and int(found.partition(".")[0]) < _OLDEST_ZARR:
            raise ImsTumorError(f"{_why(kind, package)} {_OLDEST_ZARR} or newer, this is {found}")


def library(name: str) -> Any:
    """Import a package that is not there for everybody; its absence was refused before."""
    return import_module(name)


def _why(kind: Kind, package: str) -> str:
    extra = _EXTRA[kind]
    return (
        f"this kind of file needs pip install 'napari-ims-tumor[{extra}]': it is written with "
        f"{package}"
    )
