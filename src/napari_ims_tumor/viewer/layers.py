"""Layers made from the session's values: pure functions from a slide to napari's layer tuples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from napari.utils.notifications import show_warning

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import BoolArray, FloatArray, LabelArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.overview import SlideOverview
from napari_ims_tumor.session.ions import CHANNELS
from napari_ims_tumor.viewer.class_images import predicted_classes, tumor_probability
from napari_ims_tumor.viewer.colors import (
    ION_COLORMAP,
    TIC_COLORMAP,
    class_colormap,
    disagreement_colormap,
    peak_colormaps,
    tumor_colormap,
    uncertainty_colormap,
    unfamiliarity_colormap,
)
from napari_ims_tumor.viewer.contrast import channel_limits, contrast_limits
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack
from napari_ims_tumor.viewer.slide_frame import SlideFrame
from napari_ims_tumor.viewer.slide_tag import Role, SlideTag
from napari_ims_tumor.viewer.withheld import Withholding, withheld_in

if TYPE_CHECKING:
    from napari.utils.colormaps import Colormap

    from napari_ims_tumor.annotation.annotation import Annotation
    from napari_ims_tumor.model.prediction import Prediction
    from napari_ims_tumor.session.slide_state import IonImage, SlideState

LayerTuple: TypeAlias = tuple[Any, dict[str, Any], str]

OVERLAY_WORDS: Final[Mapping[Role, str]] = {
    "tumor": "tumor probability",
    "alone": "tumor, each pixel alone",
    "class": "predicted class",
    "uncertainty": "uncertainty",
    "disagreement": "disagreement",
    "unfamiliarity": "unfamiliarity",
}
"""What a prediction is looked at as: role of the layer → its name."""
STALE_NOTE: Final = " (strokes changed since)"
OVERLAY_OPACITY: Final = 0.7
ALL_FAMILIAR: Final = Withholding()
LABELS_OPACITY: Final = 0.7
FLAT_TIC_DIMMED: Final = 4
"""How much above a flat total ion current white is."""


def slide_layers(dataset: MsiDataset, overview: SlideOverview) -> list[LayerTuple]:
    """Make the layers of a slide that has just been opened, from the bottom up."""
    stack = [stack_layer(dataset, overview)] if overview.channels else []
    return [tic_layer(dataset, overview), *stack, *peak_layers(dataset, overview)]


def tic_layer(dataset: MsiDataset, overview: SlideOverview) -> LayerTuple:
    """Show the total ion current in gray; unmeasured pixels (NaN) are transparent."""
    more = {}
    if overview.tic_is_flat:
        # Only the outline of the tissue is left: dim, as the strongest peak shines through it.
        more["contrast_limits"] = (0.0, FLAT_TIC_DIMMED * float(np.nanmax(overview.tic)))
    name = f"TIC · {dataset.name}"
    return _image(overview.tic, SlideTag(dataset, "tic", overview), name, more)


def stack_layer(dataset: MsiDataset, overview: SlideOverview) -> LayerTuple:
    """Show all ion images as one lazy layer, hidden until the m/z slider is moved."""
    stack = LazyIonStack(dataset, overview.channels, show_warning)
    tag = SlideTag(dataset, "stack", overview)
    kwargs: dict[str, Any] = {
        **SlideFrame.of_stack(dataset, overview.channels).as_kwargs(),
        "name": f"ion images · {dataset.name}",
        "metadata": tag.as_metadata(),
        "colormap": ION_COLORMAP,
        # Given, so that napari never scans the stack for its range or its channels for colors.
        "contrast_limits": contrast_limits(stack.image(0)),
        "rgb": False,
        "multiscale": False,
        "visible": False,
    }
    return stack, kwargs, "image"


def peak_layers(dataset: MsiDataset, overview: SlideOverview) -> list[LayerTuple]:
    """Show the strongest tissue peaks as channels whose colors add up.

    They are hidden, but for the first of a slide whose total ion current shows nothing.
    """
    pairs = zip(overview.strongest, overview.strongest_images, peak_colormaps(), strict=False)
    return [
        _image(
            image,
            SlideTag(dataset, "peak", overview, peak.window),
            f"m/z {peak.mz:.4f} · {dataset.name}",
            {
                "colormap": colormap,
                "blending": "additive",
                "visible": overview.tic_is_flat and peak is overview.strongest[0],
            },
        )
        for peak, image, colormap in pairs
    ]


def ion_layer(shown: IonImage) -> LayerTuple:
    """Show the ion image that was asked for."""
    return _image(shown.image, _ion_tag(shown, "ion"), ion_name(shown), {"colormap": ION_COLORMAP})


def pin_layer(pinned: IonImage) -> LayerTuple:
    """Keep an ion image as a layer of its own."""
    kwargs = {"colormap": ION_COLORMAP}
    return _image(pinned.image, _ion_tag(pinned, "pin"), f"pinned {ion_name(pinned)}", kwargs)


def rgb_layers(three: Sequence[IonImage]) -> list[LayerTuple]:
    """Show three ion images as red, green and blue that add up, from the bottom up."""
    made = []
    for shown, channel in zip(three, CHANNELS, strict=True):
        kwargs = {
            "colormap": channel,
            # The lowest covers the tissue below: colors add up over black and not over gray.
            "blending": "opaque" if channel == CHANNELS[0] else "additive",
            "contrast_limits": channel_limits(shown.image),
        }
        name = f"{channel} {ion_name(shown)}"
        made.append(_image(shown.image, _ion_tag(shown, "rgb", channel), name, kwargs))
    return made


def ion_name(shown: IonImage) -> str:
    """Name an ion image by its m/z window, its measure and its slide."""
    return f"{query_text(shown.query)} · {shown.slide.name}"


def query_text(query: IonQuery) -> str:
    """Write which ion image short enough for a layer list."""
    note = query.measure.note
    return f"{window_text(query.window)}, {note}" if note else window_text(query.window)


def _ion_tag(shown: IonImage, role: Role, channel: str = "") -> SlideTag:
    dataset = shown.slide.dataset
    return SlideTag(dataset, role, None, shown.window, shown.measure, channel)


def window_text(window: MassWindow) -> str:
    """Write an m/z window short enough for a layer list."""
    if window.tolerance.value == 0:
        # A bin of the file is exact: "± 0 Da" would only puzzle.
        return f"m/z {window.center:.4f}"
    return f"m/z {window.center:.4f} ± {window.tolerance.value:.3g} {window.tolerance.unit}"


def labels_layer(dataset: MsiDataset, annotation: Annotation) -> LayerTuple:
    """Show the strokes; the layer owns a writable copy to paint on."""
    kwargs = {"opacity": LABELS_OPACITY, "colormap": class_colormap(annotation.scheme)}
    tag = SlideTag(dataset, "labels")
    return _labels(annotation.labels.copy(), tag, f"labels · {dataset.name}", kwargs)


TUMOR_LOOK: Final[Mapping[str, Any]] = {
    "colormap": tumor_colormap(TUMOR_SCHEME),
    "contrast_limits": (0.0, 1.0),
    "opacity": OVERLAY_OPACITY,
}


def tumor_layer(slide: SlideState, how: Withholding = ALL_FAMILIAR) -> LayerTuple:
    """Show the tumor probability over the tissue, clear where it is withheld."""
    prediction = _prediction(slide)
    image = _shown(tumor_probability(prediction), withheld_in(prediction, how))
    name = overlay_name(slide, "tumor")
    return _image(image, SlideTag(slide.dataset, "tumor"), name, {**TUMOR_LOOK})


def alone_layer(slide: SlideState, how: Withholding = ALL_FAMILIAR) -> LayerTuple:
    """Show the tumor probability that each pixel has by its own spectrum, without its neighbors.

    Clear where the answer with neighbors is withheld: glass is no tumor here either.
    """
    prediction = _prediction(slide)
    if prediction.alone is None:
        raise LabelsError(prediction.why_no_alone or "")
    probability = tumor_probability(replace(prediction, probabilities=prediction.alone))
    image = _shown(probability, withheld_in(prediction, how))
    name = overlay_name(slide, "alone")
    return _image(image, SlideTag(slide.dataset, "alone"), name, {**TUMOR_LOOK, "visible": False})


def _shown(probability: FloatArray, hidden: BoolArray) -> FloatArray:
    """Probabilities, with nothing where they are withheld."""
    return np.where(hidden, np.float32(np.nan), probability) if hidden.any() else probability


def class_layer(
    slide: SlideState, threshold: float, abstain: float = 0.0, how: Withholding = ALL_FAMILIAR
) -> LayerTuple:
    """Show the predicted class of every pixel, hidden at first: the probability says more."""
    values = predicted_classes(tumor_probability(_prediction(slide)), threshold, abstain)
    values[withheld_in(_prediction(slide), how)] = 0
    kwargs = {"colormap": class_colormap(TUMOR_SCHEME), "opacity": OVERLAY_OPACITY}
    tag = SlideTag(slide.dataset, "class")
    return _labels(values, tag, overlay_name(slide, "class"), {**kwargs, "visible": False})


def uncertainty_layer(slide: SlideState) -> LayerTuple:
    """Show how evenly the classes share each pixel: bright is where the model is unsure."""
    image = _prediction(slide).uncertainty
    return _trust(image, slide, "uncertainty", uncertainty_colormap())


def unfamiliarity_layer(slide: SlideState) -> LayerTuple:
    """Show how unlike the labelled spectra each is, from 0 over the limit, 1, to twice that."""
    prediction = _prediction(slide)
    if prediction.unfamiliarity is None:
        raise LabelsError(prediction.why_no_unfamiliarity or "")
    image, kwargs, kind = _trust(
        prediction.unfamiliarity, slide, "unfamiliarity", unfamiliarity_colormap()
    )
    return image, {**kwargs, "contrast_limits": (0.0, 2.0)}, kind


def disagreement_layer(slide: SlideState) -> LayerTuple:
    """Show how far the linear model's answer is from the network's."""
    prediction = _prediction(slide)
    if prediction.disagreement is None:
        raise LabelsError(prediction.why_no_disagreement or "")
    return _trust(prediction.disagreement, slide, "disagreement", disagreement_colormap())


def overlay_name(slide: SlideState, role: Role) -> str:
    """Name a layer of a prediction, saying so when strokes changed since the model was fitted."""
    note = STALE_NOTE if slide.prediction_is_stale else ""
    return f"{OVERLAY_WORDS[role]} · {slide.name}{note}"


def _prediction(slide: SlideState) -> Prediction:
    if slide.prediction is None:
        raise LabelsError(f"{slide.name} has not been predicted yet")
    return slide.prediction


def _trust(image: FloatArray, slide: SlideState, role: Role, colormap: Colormap) -> LayerTuple:
    kwargs = {"colormap": colormap, "contrast_limits": (0.0, 1.0), "opacity": OVERLAY_OPACITY}
    return _image(image, SlideTag(slide.dataset, role), overlay_name(slide, role), kwargs)


def _image(
    image: FloatArray, tag: SlideTag, name: str, more: dict[str, Any] | None = None
) -> LayerTuple:
    kwargs = {
        **SlideFrame.of_image(tag.dataset.pixels).as_kwargs(),
        "name": name,
        "metadata": tag.as_metadata(),
        "colormap": TIC_COLORMAP,
        "contrast_limits": contrast_limits(image),
        "rgb": False,
        "multiscale": False,
    }
    # float32 is what the graphics card takes; converting once here saves it at each redraw.
    return np.asarray(image, np.float32), kwargs | (more or {}), "image"


def _labels(values: LabelArray, tag: SlideTag, name: str, more: dict[str, Any]) -> LayerTuple:
    frame = SlideFrame.of_image(tag.dataset.pixels).as_kwargs()
    return values, {**frame, "name": name, "metadata": tag.as_metadata(), **more}, "labels"
