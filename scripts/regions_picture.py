"""Take the picture of whole regions, roughly labelled, for the documentation, at a real window.

python scripts/regions_picture.py docs/images/regions.png

Without a display: ``xvfb-run -a -s "-screen 0 1500x1000x24" python scripts/regions_picture.py …``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
import numpy as np
from PIL import Image

from napari_ims_tumor.annotation.regions import tissue_regions
from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.viewer.slide_tag import first_of

SIZE = (1400, 800)


def main() -> None:
    """Simulate an array, paint strokes, say of four cores what they roughly are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("picture", type=Path)
    path = parser.parse_args().picture
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ims-tumor", "IMS Tumor")
    slide = simulate_slide(make_recipe(rows=60, columns=96, channels=400, patients=6, seed=3))
    dock.session.adopt(slide.dataset)
    hands = Hands(viewer)
    wait_until(lambda: dock.session.active.overview is not None, "the slide")
    settle(1.0)
    hands.click_button("annotate_start")
    layer = first_of(viewer.layers, slide.dataset, "labels")
    layer.brush_size = 2
    pieces = tissue_regions(slide.dataset.pixels.measured)
    middles = [np.argwhere(pieces == n).mean(axis=0).round().astype(int) for n in range(1, 7)]
    for key, number, down in (("H", 0, 3), ("T", 4, -3), ("H", 4, 5)):
        row, column = middles[number] + (down, 0)
        hands.press_key(key)
        hands.drag_pixels(layer, [(row, column - 4), (row - 1, column), (row, column + 4)])
    hands.click_button("annotate_region")
    for button, numbers in (("annotate_tumor", (0, 2, 4)), ("annotate_healthy", (1,))):
        if not hands.find(button).isChecked():
            hands.click_button(button)
        for number in numbers:
            hands.click_pixel(layer, tuple(middles[number] - (3, 0)))
    hands.see_all()
    hands.scroll_to("annotate_load")
    settle(0.5)
    hands.picture(path)
    with Image.open(path) as taken:
        taken.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    viewer.close()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
