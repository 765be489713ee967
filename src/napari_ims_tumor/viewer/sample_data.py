"""File › Open Sample: a simulated slide, since real ones may not be shipped."""

from __future__ import annotations

from typing import Final

import napari

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.overview import survey
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.viewer.layer_list import select_tic_when_added
from napari_ims_tumor.viewer.layers import LayerTuple, slide_layers

# Small enough to be there at once, and clear enough that a few strokes find the tumor.
SAMPLE: Final = SlideRecipe(channels=2000, strength=2.0)


def simulated_slide() -> list[LayerTuple]:
    """Simulate a slide with tumor and make its layers."""
    dataset = simulate_slide(SAMPLE).dataset
    layers, viewer = slide_layers(dataset, run_inline(survey(dataset))), napari.current_viewer()
    if viewer is not None:
        select_tic_when_added(viewer, layers)
    return layers
