from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer import layers as made
from napari_ims_tumor.viewer.class_images import predicted_classes, tumor_probability
from napari_ims_tumor.viewer.colors import (
    disagreement_colormap,
    rgb,
    tumor_colormap,
    uncertainty_colormap,
)
from napari_ims_tumor.viewer.slide_tag import layers_of, tag_of


@pytest.fixture
def slide(dataset, build):
    annotation = Annotation.empty(dataset.pixels)
    prediction = build.prediction(dataset.pixels)
    return SlideState(dataset, annotation, build.overview(dataset), prediction)


def test_an_opened_slide_is_a_tic_a_hidden_stack_and_three_hidden_colored_peaks(slide, viewer):
    for layer in made.slide_layers(slide.dataset, slide.overview):
        viewer.add_layer(Layer.create(*layer))
    assert [tag_of(layer).role for layer in viewer.layers] == ["tic", "stack"] + ["peak"] * 3
    assert [layer.visible for layer in viewer.layers] == [True] + [False] * 4
    assert {str(layer.blending) for layer in viewer.layers[2:]} == {"additive"}
    assert len({layer.colormap.name for layer in viewer.layers[2:]}) == 3
    assert viewer.layers[0].name == "TIC · slide"


def test_all_layers_lie_on_each_other_in_um(slide, viewer):
    everything = [
        *made.slide_layers(slide.dataset, slide.overview),
        made.labels_layer(slide.dataset, slide.annotation),
        made.tumor_layer(slide),
        made.class_layer(slide, 0.5),
    ]
    layers = [viewer.add_layer(Layer.create(*layer)) for layer in everything]
    for layer in layers:
        assert tuple(layer.scale[-2:]) == (50.0, 25.0)
        assert tuple(layer.data_to_world((0,) * layer.ndim)[-2:]) == (0.0, 0.0)
        assert [str(unit) for unit in layer.units[-2:]] == ["micrometer"] * 2
        assert layer.axis_labels[-2:] == ("y", "x")
    assert layers[1].axis_labels[0] == "m/z"


def test_unmeasured_pixels_are_transparent(slide):
    tic, _, *peaks = (Layer.create(*la) for la in made.slide_layers(slide.dataset, slide.overview))
    for layer in (tic, *peaks, Layer.create(*made.tumor_layer(slide))):
        assert np.isnan(layer.data[0, 0])
        assert layer.colormap.map(np.array([np.nan]))[0, 3] == 0
    classes = Layer.create(*made.class_layer(slide, 0.5))
    assert classes.data[0, 0] == 0
    assert classes.colormap.map(np.array([0]))[0, 3] == 0


def test_the_slider_is_mz_on_a_uniform_axis_and_a_channel_number_elsewhere(build):
    uniform = build.dataset(mz=np.linspace(500, 504, 9))
    layer = Layer.create(*made.stack_layer(uniform, build.overview(uniform)))
    assert layer.scale[0] == pytest.approx(0.5)
    assert layer.translate[0] == 500
    ragged = build.dataset()
    layer = Layer.create(*made.stack_layer(ragged, build.overview(ragged)))
    assert (layer.scale[0], layer.translate[0]) == (1.0, 0.0)


def test_sections_and_unknown_pixel_size(build):
    dataset = build.dataset(build.grid(planes=3, size_um=None))
    overview = build.overview(dataset)
    tic, stack, *_ = (Layer.create(*layer) for layer in made.slide_layers(dataset, overview))
    assert tic.data.shape == (3, 8, 12)
    assert tic.axis_labels == ("z", "y", "x")
    assert stack.data.shape == (5, 3, 8, 12)
    assert [str(unit) for unit in tic.units] == ["dimensionless", "pixel", "pixel"]


def test_labels_are_a_writable_copy_in_the_colors_of_the_classes(slide):
    layer = Layer.create(*made.labels_layer(slide.dataset, slide.annotation))
    layer.data[3, 3] = 2
    assert not slide.annotation.labels.any()
    for label in TUMOR_SCHEME.classes:
        shown = layer.colormap.map(np.array([label.value]))[0]
        assert shown[:3] == pytest.approx(rgb(label.color), abs=1e-3)
    assert layer.colormap.map(np.array([9]))[0, 3] == 0


def test_the_tumor_map_goes_from_blue_over_nearly_clear_to_vermillion():
    healthy, unsure, tumor = tumor_colormap(TUMOR_SCHEME).map(np.array([0.0, 0.5, 1.0]))
    assert healthy[2] > healthy[0]
    assert tumor[0] > tumor[2]
    assert unsure[3] < healthy[3] < tumor[3] == 1
    assert max(unsure[:3]) - min(unsure[:3]) > 0.3, "gray is what has no answer"


def test_classes_from_probabilities():
    p = np.array([np.nan, 0.0, 0.39, 0.4, 0.45, 0.6, 1.0])
    assert predicted_classes(p, 0.4).tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert predicted_classes(p, 0.5, abstain=0.1001).tolist() == [0, 1, 1, 1, 0, 0, 2] or (
        predicted_classes(p, 0.5, abstain=0.1001).tolist() == [0, 1, 1, 0, 0, 0, 2]
    )


def test_the_tumor_plane_is_found_by_name(slide, build):
    swapped = replace(
        slide.prediction,
        probabilities=slide.prediction.probabilities[::-1],
        class_names=("tumor", "healthy"),
    )
    np.testing.assert_array_equal(tumor_probability(swapped), tumor_probability(slide.prediction))
    with pytest.raises(LabelsError, match="no class named 'tumor'"):
        tumor_probability(replace(slide.prediction, class_names=("a", "b")))


def test_a_prediction_older_than_the_strokes_says_so(slide):
    fresh = slide.with_(prediction_revision=0)
    assert made.overlay_name(fresh, "tumor") == "tumor probability · slide"
    stale = fresh.with_(annotation=slide.annotation.changed_to(slide.annotation.labels))
    assert made.overlay_name(stale, "tumor") == "tumor probability · slide (strokes changed since)"


def test_duplicating_a_layer_does_not_copy_the_slide(slide, viewer):
    import copy

    layer = viewer.add_layer(Layer.create(*made.tic_layer(slide.dataset, slide.overview)))
    twin = Layer.create(*copy.deepcopy(layer.as_layer_data_tuple()))
    assert tag_of(twin).dataset is slide.dataset
    assert layers_of([layer, twin], slide.dataset, "tic") == (layer, twin)


def test_no_qt():
    import subprocess

    code = (
        "import sys, napari_ims_tumor.viewer.binding, napari_ims_tumor.viewer.reader;"
        "from napari.components import ViewerModel; ViewerModel();"
        "loaded = {m.split('.')[0] for m in sys.modules};"
        "sys.exit(bool(loaded & {'PyQt6', 'PySide6', 'qtpy', 'torch'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def lightness(colors: np.ndarray) -> np.ndarray:
    """Relative luminance of linear-light sRGB: what is left in gray."""
    light = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    return light @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colormap", [uncertainty_colormap(), disagreement_colormap()])
def test_more_uncertain_is_always_brighter_and_more_opaque(colormap):
    shown = colormap.map(np.linspace(0, 1, 64))
    assert (np.diff(lightness(shown[:, :3])) > 0).all()
    assert (np.diff(shown[:, 3]) > 0).all()
    assert colormap.map(np.array([np.nan]))[0, 3] == 0
