"""What napari calls to save layers of a slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import ImsTumorError, LabelsError
from napari_ims_tumor.io.annotation_file import write_labels
from napari_ims_tumor.session.shown_images import write_shown
from napari_ims_tumor.viewer.shown import image_in, tissue_of
from napari_ims_tumor.viewer.slide_tag import tag_in

LayerData = tuple[Any, dict[str, Any], str]


def write_labels_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write the labels of a slide as .npy, .tif, .png or .geojson.

    Parameters
    ----------
    path
        Where to write.
    data
        The layer's label image.
    meta
        The layer's attributes, its metadata among them.

    Returns
    -------
    list of str
        The path written; empty for a layer that is not of a slide.
    """
    tag = tag_in(meta.get("metadata", {}))
    if tag is None:
        return []
    labels, pixels = np.asarray(data), tag.dataset.pixels
    if labels.shape != pixels.image_shape:
        raise LabelsError(
            f"labels of shape {labels.shape} do not fit the slide {tag.dataset.name} of shape "
            f"{pixels.image_shape}: save the layer made with the Annotate button"
        )
    write_labels(Path(path), Annotation(labels), pixels)
    return [path]


def write_image_layers(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write one image or several of one slide as .ome.tif, .npy, .csv or .png.

    Parameters
    ----------
    path
        Where to write.
    layers
        (data, attributes, type) of each layer, from the bottom up.

    Returns
    -------
    list of str
        The path written; empty where a layer is not of a slide.

    Raises
    ------
    ImsTumorError
        The layers are of several slides, or one of them stands for all ion images.
    """
    tags = [tag_in(meta.get("metadata", {})) for _, meta, _ in layers]
    known = [tag for tag in tags if tag is not None]
    if not known or len(known) < len(tags):
        return []
    dataset = known[0].dataset
    if any(tag.dataset is not dataset for tag in known):
        names = ", ".join(dict.fromkeys(tag.dataset.name for tag in known))
        raise ImsTumorError(f"these images are of several slides ({names}): save each by itself")
    images = [image_in(data, meta) for data, meta, _ in layers]
    overview = next((tag.overview for tag in known if tag.overview is not None), None)
    is_picture = path.lower().endswith(".png")
    write_shown(Path(path), dataset, images, tissue_of(dataset, overview) if is_picture else None)
    return [path]
