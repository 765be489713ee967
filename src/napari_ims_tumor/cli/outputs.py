"""Looks at where a command shall write *before* the work, which may take an hour."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from napari_ims_tumor.atomic import refuse_no_file
from napari_ims_tumor.errors import ImsTumorError

_IMAGES: Final = (".npy", ".tif", ".tiff")
_LABELS: Final = (*_IMAGES, ".png", ".geojson")
_REPORT: Final = ("report.html", "report.json", "predictions.csv")
_NO_MODELS: Final = (".imzml", ".ibd", ".csv", ".json", *_LABELS)


def refuse_model_path(path: Path, inputs: Iterable[Path | None]) -> None:
    """Stop where a model would replace a slide, labels, or another input of its own fit."""
    if path.suffix.lower() in _NO_MODELS:
        raise ImsTumorError(
            f"{path.name} would be a slide, labels or a table by its ending: "
            "give the model one ending in .safetensors"
        )
    for given in inputs:
        if given is not None and path.exists() and given.exists() and path.samefile(given):
            raise ImsTumorError(f"{path} is read by this fit: write the model to another file")
    _refuse_unwritable(path)
    from napari_ims_tumor.model.checkpoint import is_model_file

    if path.exists() and path.suffix.lower() != ".safetensors" and not is_model_file(path):
        raise ImsTumorError(
            f"{path} is not a model of this program and would be replaced: give another name, "
            "ending in .safetensors"
        )


def refuse_image_path(path: Path) -> None:
    """Stop where an image cannot be written."""
    if path.suffix.lower() not in _IMAGES:
        raise ImsTumorError(f"{path.name}: images are written as .npy or .ome.tif")
    _refuse_unwritable(path)
    from napari_ims_tumor.io.image_file import refuse_foreign_image

    refuse_foreign_image(path)


def refuse_labels_path(path: Path, inputs: Iterable[Path]) -> None:
    """Stop where labels cannot be written, or would replace what they are made from."""
    if path.suffix.lower() not in _LABELS:
        raise ImsTumorError(f"{path.name}: labels are written as {', '.join(_LABELS)}")
    for given in inputs:
        if path.exists() and given.exists() and path.samefile(given):
            raise ImsTumorError(f"{path} is read by this command: write to another file")
    _refuse_unwritable(path)


def refuse_table_path(path: Path, inputs: Iterable[Path | None]) -> None:
    """Stop where a table cannot be written, or would replace what it is made from."""
    if path.suffix.lower() != ".csv":
        raise ImsTumorError(f"{path.name}: tables are written as .csv")
    for given in inputs:
        if given is not None and path.exists() and given.exists() and path.samefile(given):
            raise ImsTumorError(f"{path} is read by this command: write to another file")
    _refuse_unwritable(path)


def refuse_text_path(path: Path, slide: Path) -> None:
    """Stop where the report of a check cannot be written, or would replace what is checked."""
    if path.suffix.lower() not in (".txt", ".json"):
        raise ImsTumorError(f"{path.name}: a check is written as .txt or .json")
    if path.exists() and slide.exists() and path.samefile(slide):
        raise ImsTumorError(f"{path} is the slide: write the report to another file")
    _refuse_unwritable(path)


def refuse_folder_path(path: Path) -> None:
    """Stop where a folder cannot be made or written to; nothing is made yet."""
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ImsTumorError(f"{nearest} is a file: give a folder to write to")
    _refuse_closed(nearest, path)


def refuse_report_folder(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Stop where a report cannot be written, or would replace what it is made from."""
    refuse_folder_path(folder)
    for path in (folder / name for name in _REPORT):
        refuse_no_file(path)
        for given in inputs:
            if given is not None and path.exists() and given.exists() and path.samefile(given):
                raise ImsTumorError(
                    f"{path} is read by this evaluation: write the report to another folder"
                )


def _refuse_unwritable(path: Path) -> None:
    refuse_no_file(path)
    if not path.parent.is_dir():
        raise ImsTumorError(f"{path} cannot be written: the folder {path.parent} does not exist")
    _refuse_closed(path.parent, path)


def _refuse_closed(folder: Path, path: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImsTumorError(f"{path} cannot be written: you may not write to {folder}")
