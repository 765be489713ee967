"""What is on screen of a slide, read off its layers: values, colors and contrast."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.utils.colormaps import Colormap

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.picture_file import ColorScale
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.ion_measure import IonQuery
from napari_ims_tumor.session.exports import View
from napari_ims_tumor.session.shown_images import ShownImage
from napari_ims_tumor.viewer.channel_axis import channel_at
from napari_ims_tumor.viewer.class_images import predicted_classes, tumor_probability
from napari_ims_tumor.viewer.colors import rgb
from napari_ims_tumor.viewer.contrast import contrast_limits
from napari_ims_tumor.viewer.layer_list import ION_ROLES
from napari_ims_tumor.viewer.layers import (
    OVERLAY_WORDS,
    query_text,
)
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack
from napari_ims_tumor.viewer.slide_tag import Role, SlideTag, first_of, layers_of, tag_in
from napari_ims_tumor.viewer.withheld import withheld_in

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_ims_tumor.model.prediction import Prediction
    from napari_ims_tumor.msi.dataset import MsiDataset
    from napari_ims_tumor.msi.overview import SlideOverview
    from napari_ims_tumor.session.slide_state import PickedSpectrum
    from napari_ims_tumor.viewer.binding import Binding
    from napari_ims_tumor.viewer.overlays import Overlays

_STEPS: Final = 256
_WORDS: Final[Mapping[Role, str]] = {**OVERLAY_WORDS, "tic": "total ion current"}
_UNITS: Final[Mapping[Role, str]] = {
    "tic": "total ion current (units of the file)",
    "tumor": "tumor probability",
    "alone": "tumor probability, each pixel alone",
    "uncertainty": "uncertainty (0 sure, 1 unsure)",
    "disagreement": "disagreement (0 none, 1 full)",
    "unfamiliarity": "unfamiliarity (above 1: unlike the labels)",
    "class": "class",
}


def shown_ions(viewer: ViewerModel, dataset: MsiDataset) -> tuple[ShownImage, ...]:
    """Read the visible ion images of a slide, from the bottom up."""
    layers = layers_of(viewer.layers, dataset, *ION_ROLES)
    return tuple(
        _of_stack(viewer, layer) if isinstance(layer.data, LazyIonStack) else shown_image(layer)
        for layer in layers
        if layer.visible
    )


def has_ions(viewer: ViewerModel, dataset: MsiDataset) -> bool:
    """Whether an ion image of a slide is seen."""
    return any(layer.visible for layer in layers_of(viewer.layers, dataset, *ION_ROLES))


def shown_prediction(
    viewer: ViewerModel, dataset: MsiDataset, role: Role | None
) -> ShownImage | None:
    """Read the prediction as it is looked at; the probability where it is hidden."""
    layer = first_of(viewer.layers, dataset, role or "tumor")
    return None if layer is None else shown_image(layer)


def shown_tissue(viewer: ViewerModel, dataset: MsiDataset) -> ShownImage | None:
    """Read the total ion current, which lies below everything."""
    layer = first_of(viewer.layers, dataset, "tic")
    return None if layer is None else shown_image(layer)


def tissue_of(dataset: MsiDataset, overview: SlideOverview | None) -> ShownImage:
    """Make the total ion current as a slide opens with it, where no layer of it is at hand."""
    pixels = dataset.pixels
    tic = pixels.as_image(dataset.total_ion_current()) if overview is None else overview.tic
    gray = np.repeat(np.linspace(0, 1, _STEPS)[:, None], 4, axis=1)
    gray[:, 3] = 1.0
    return ShownImage(_WORDS["tic"], tic, ColorScale(gray, *contrast_limits(tic), _UNITS["tic"]))


def view_of(binding: Binding, picked: PickedSpectrum | None) -> View:
    """Collect what an export of the active slide may need."""
    slide, layers = binding.session.active, binding.viewer
    if slide is None:
        return View()
    overlays, dataset = binding.overlays, slide.dataset
    prediction, classes, rule = None, None, ""
    if slide.prediction is not None:
        if not overlays.is_half(slide):
            prediction = shown_prediction(layers, dataset, overlays.looked_at(slide))
        # A model of other classes has probabilities to export, but no tumor to draw a line at.
        with contextlib.suppress(ImsTumorError):
            tumor = tumor_probability(slide.prediction)
            classes = predicted_classes(tumor, overlays.threshold, overlays.abstain)
            classes[withheld_in(slide.prediction, overlays.withholding)] = 0
            rule = _rule(overlays, slide.prediction)
    is_here = picked is not None and picked.slide.key == slide.key
    return View(
        ions=shown_ions(layers, dataset),
        prediction=prediction,
        classes=classes,
        rule=rule,
        tissue=shown_tissue(layers, dataset) or tissue_of(dataset, slide.overview),
        picked=picked if is_here else None,
    )


def _rule(overlays: Overlays, prediction: Prediction) -> str:
    said, how = [f"tumor from a probability of {overlays.threshold:g} on"], overlays.withholding
    if overlays.abstain:
        said.append(f"none where it is closer to that than {overlays.abstain:g}")
    if how.unfamiliar and prediction.unfamiliarity is not None:
        said.append("none where the spectrum is unlike anything labelled")
    if how.accuracy is not None and prediction.why_no_abstention(how.accuracy) is None:
        said.append(f"none where too unsure for {how.accuracy:.0%} to be right")
    return "; ".join(said)


def shown_image(layer: Any) -> ShownImage:
    """Read what a layer of a slide shows."""
    data, meta, _ = layer.as_layer_data_tuple()
    return image_in(data, meta)


def image_in(data: Any, meta: Mapping[str, Any]) -> ShownImage:
    """Read what a layer shows from its data and attributes, as napari hands them to a writer.

    Raises
    ------
    ImsTumorError
        The layer is not of a slide, holds all ion images, or has another shape than its slide.
    """
    tag = tag_in(meta.get("metadata", {}))
    if tag is None:
        raise ImsTumorError(f"the layer {meta.get('name')} is not of a slide")
    if isinstance(data, LazyIonStack):
        raise ImsTumorError(
            f"{meta['name']} stands for {len(data):,} ion images and is not saved as a whole: "
            "click the peaks that you want to keep and save those layers, or use Export in the "
            "dock for the image on screen"
        )
    values: FloatArray = np.asarray(data)
    if values.shape != tag.dataset.pixels.image_shape:
        raise ImsTumorError(
            f"{meta['name']} of shape {values.shape} does not fit its slide {tag.dataset.name} of "
            f"shape {tag.dataset.pixels.image_shape}"
        )
    if tag.role == "class":
        return _of_classes(values, meta)
    return ShownImage(
        _name(tag), values, _scale(tag, meta), tag.window, measure=tag.measure, channel=tag.channel
    )


def _of_stack(viewer: ViewerModel, layer: Any) -> ShownImage:
    channel = channel_at(viewer, layer)
    window = layer.data.channels[channel]
    colors = _colors(layer.colormap, layer.opacity, layer.gamma)
    low, high = layer.contrast_limits
    measure = layer.data.measure
    scale = ColorScale(colors, float(low), float(high), measure.units)
    name = query_text(IonQuery(window, measure))
    return ShownImage(name, layer.data.image(channel), scale, window, measure=measure)


def _of_classes(values: FloatArray, meta: Mapping[str, Any]) -> ShownImage:
    highest = max(TUMOR_SCHEME.values)
    colors = np.zeros((highest + 1, 4))
    for label in TUMOR_SCHEME.classes:
        colors[label.value] = (*rgb(label.color), meta.get("opacity", 1.0))
    legend = {label.name: label.color for label in TUMOR_SCHEME.classes}
    scale = ColorScale(colors, 0.0, float(highest), _UNITS["class"])
    return ShownImage(_WORDS["class"], values.astype(np.float32), scale, None, legend)


def _scale(tag: SlideTag, meta: Mapping[str, Any]) -> ColorScale:
    colormap = meta["colormap"]
    known = Colormap(**colormap) if isinstance(colormap, Mapping) else colormap
    low, high = meta["contrast_limits"]
    label = _UNITS.get(tag.role, tag.measure.units)
    colors = _colors(known, meta.get("opacity", 1.0), meta.get("gamma", 1.0))
    return ColorScale(colors, float(low), float(high), label)


def _colors(colormap: Colormap, opacity: float, gamma: float) -> FloatArray:
    colors = np.array(colormap.map(np.linspace(0, 1, _STEPS) ** gamma), np.float64)
    colors[:, 3] *= opacity
    return colors


def _name(tag: SlideTag) -> str:
    return _WORDS.get(tag.role, tag.role) if tag.query is None else query_text(tag.query)
