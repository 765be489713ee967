"""What napari calls for a dropped .geojson: QuPath's annotations become the slide's labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from napari.utils.notifications import show_error, show_info

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.annotation_file import read_labels
from napari_ims_tumor.viewer.bound import binding_of
from napari_ims_tumor.viewer.colors import class_colormap
from napari_ims_tumor.viewer.layers import LABELS_OPACITY
from napari_ims_tumor.viewer.slide_frame import SlideFrame
from napari_ims_tumor.viewer.slide_tag import tag_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_ims_tumor.msi.dataset import MsiDataset

SUFFIX = ".geojson"
NOTHING_TO_ADD: list[Any] = [(None,)]


def get_labels_reader(
    path: str | Path | Sequence[str | Path],
) -> Callable[[Any], list[Any]] | None:
    """Claim one file of annotations where a slide is open; ``None`` for anything else.

    Other programs have files of this ending too (maps, shapes): they are left to other readers.
    """
    from napari_ims_tumor.io.geojson import looks_like_annotations

    if not isinstance(path, str | Path) or Path(path).suffix.lower() != SUFFIX:
        return None
    viewer = napari.current_viewer()
    if viewer is None or _slide_of(viewer) is None or not looks_like_annotations(path):
        return None
    return read_annotations


def read_annotations(path: str | Path) -> list[Any]:
    """Read annotations onto the active slide.

    With the dock open they are read as by *Load labels…*, which asks what unknown classes mean.
    Without it they become a labels layer.

    Returns
    -------
    list
        Layer tuples, or napari's mark for no layers.
    """
    viewer = napari.current_viewer()
    binding = binding_of(viewer)
    if binding is not None and binding.session.active is not None:
        binding.flush()
        binding.session.files.load_labels(Path(path))
        return NOTHING_TO_ADD
    slide = None if viewer is None else _slide_of(viewer)
    if slide is None:
        return NOTHING_TO_ADD
    try:
        annotation, notices = read_labels(path, slide.pixels)
    except ImsTumorError as error:
        show_error(str(error))
        return NOTHING_TO_ADD
    if notices:
        show_info("\n".join(notices))
    kwargs = {
        **SlideFrame.of_image(slide.pixels).as_kwargs(),
        "name": f"{Path(path).stem} · {slide.name}",
        "colormap": class_colormap(TUMOR_SCHEME),
        "opacity": LABELS_OPACITY,
    }
    return [(annotation.labels.copy(), kwargs, "labels")]


def _slide_of(viewer: ViewerModel) -> MsiDataset | None:
    """The session's active slide, the selected layer's, or the topmost layer's."""
    binding = binding_of(viewer)
    if binding is not None and binding.session.active is not None:
        return binding.session.active.dataset
    layers = [viewer.layers.selection.active, *reversed(viewer.layers)]
    tags = (tag_of(layer) for layer in layers)
    return next((tag.dataset for tag in tags if tag is not None), None)
