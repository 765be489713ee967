"""What napari calls to save a slide's labels layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.annotation_file import write_labels
from napari_ims_tumor.viewer.slide_tag import tag_in


def write_labels_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write the labels of a slide as .npy or .tif; empty for a layer that is not of a slide.

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
        The path written.
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
