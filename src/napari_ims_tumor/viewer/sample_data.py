"""File › Open Sample: a simulated slide, since real ones may not be shipped."""

from __future__ import annotations

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.overview import survey
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.viewer.layers import LayerTuple, slide_layers


def simulated_slide() -> list[LayerTuple]:
    """Simulate a slide with tumor and make its layers."""
    dataset = simulate_slide(SlideRecipe()).dataset
    return slide_layers(dataset, run_inline(survey(dataset)))
