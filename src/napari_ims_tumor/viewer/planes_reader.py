"""What napari calls for an OME-TIFF: those of this program open with scale, names and colors.

napari's own reader leaves out the pixel size and the names of the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import napari
import numpy as np
from napari.utils.colormaps import Colormap
from napari.utils.notifications import show_error

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import Planes, is_planes_file, read_planes
from napari_ims_tumor.viewer.colors import (
    ION_COLORMAP,
    TIC_COLORMAP,
    class_colormap,
    disagreement_colormap,
    rgb,
    tumor_colormap,
    uncertainty_colormap,
    unfamiliarity_colormap,
)
from napari_ims_tumor.viewer.contrast import contrast_limits
from napari_ims_tumor.viewer.layers import LABELS_OPACITY, OVERLAY_OPACITY, LayerTuple
from napari_ims_tumor.viewer.reader import NOTHING_TO_ADD, PathOrPaths, Reader
from napari_ims_tumor.viewer.slide_frame import SlideFrame

SUFFIXES: Final = (".ome.tif", ".ome.tiff")
LABELS_KIND: Final = "labels"
"""``about["kind"]`` of planes of class numbers."""


def get_reader(path: PathOrPaths) -> Reader | None:
    """Claim OME-TIFFs that say they are of this program; ``None`` leaves others to other readers.

    Parameters
    ----------
    path
        One path or several; .ome.tif or .ome.tiff in any case.
    """
    paths = _as_paths(path)
    named = all(p.name.lower().endswith(SUFFIXES) for p in paths)
    return read_files if paths and named and all(is_planes_file(p) for p in paths) else None


def read_files(path: PathOrPaths) -> list[Any]:
    """Open images of slides as layers that lie on their slides.

    With a window open, a file that cannot be read is one message in napari's notifications.
    """
    made: list[Any] = []
    for file in _as_paths(path):
        try:
            made += planes_layers(read_planes(file), file.name.partition(".")[0])
        except ImsTumorError as error:
            if napari.current_viewer() is None:
                raise
            show_error(str(error))
    return made or NOTHING_TO_ADD


def planes_layers(planes: Planes, name: str) -> list[LayerTuple]:
    """Make one layer per plane, from the bottom up.

    Parameters
    ----------
    planes
        As read from a file.
    name
        For the layers' names where the file does not name its slide.
    """
    slide = str(planes.about.get("slide") or name)
    frame = SlideFrame.of_size(planes.pixel_size_um, planes.values.ndim - 1).as_kwargs()
    layers = []
    for number, (image, plane) in enumerate(zip(planes.values, planes.names, strict=True)):
        look, kind = _look(planes, plane, image)
        # Of several images the one on top would hide the others: the first is shown.
        look.setdefault("visible", number == 0)
        about = {"napari-ims-tumor planes": dict(planes.about)}
        title = f"{look.pop('title', plane)} · {slide}"
        layers.append((image, {**frame, "name": title, "metadata": about, **look}, kind))
    return layers


def _look(planes: Planes, plane: str, image: np.ndarray[Any, Any]) -> tuple[dict[str, Any], str]:
    """Colors and limits of a plane, and the kind of its layer."""
    if planes.about.get("kind") == LABELS_KIND:
        return {"colormap": class_colormap(TUMOR_SCHEME), "opacity": LABELS_OPACITY}, "labels"
    common = {"rgb": False, "multiscale": False}
    classes = planes.about.get("classes") or ()
    if plane in classes:
        return {**common, **_probability_look(plane)}, "image"
    # Beside probabilities lie only what says how far they may be trusted.
    trust = {
        "uncertainty": uncertainty_colormap,
        "disagreement": disagreement_colormap,
        "unfamiliarity": unfamiliarity_colormap,
    }
    word = plane.partition(" ")[0]
    if classes and word in trust:
        most = 2.0 if word == "unfamiliarity" else 1.0
        limits = {"contrast_limits": (0.0, most), "opacity": OVERLAY_OPACITY, "visible": False}
        return {**common, **limits, "colormap": trust[word]()}, "image"
    colormap = ION_COLORMAP if "windows" in planes.about else TIC_COLORMAP
    return {**common, "colormap": colormap, "contrast_limits": contrast_limits(image)}, "image"


def _probability_look(name: str) -> dict[str, Any]:
    """The tumor as in the window; other classes in their own color, hidden at first."""
    label = next((c for c in TUMOR_SCHEME.classes if c.name == name), None)
    tumor = label is not None and label.role == "tumor"
    color = rgb(label.color) if label is not None else (1.0, 1.0, 1.0)
    alone = Colormap(np.array([[*color, 0.0], [*color, 1.0]]), name=f"{name} probability")
    return {
        "title": f"{name} probability",
        "colormap": tumor_colormap(TUMOR_SCHEME) if tumor else alone,
        "contrast_limits": (0.0, 1.0),
        "opacity": OVERLAY_OPACITY,
        "visible": tumor,
    }


def _as_paths(path: PathOrPaths) -> list[Path]:
    several = path if isinstance(path, Sequence) and not isinstance(path, str) else [path]
    return [Path(str(p)) for p in several]
