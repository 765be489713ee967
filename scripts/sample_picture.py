"""Draw where the tumor of *File › Open Sample* was planted, for the documentation.

python scripts/sample_picture.py docs/images/sample-truth.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import ImageColor

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.io.picture_file import Panel, Picture, write_picture
from napari_ims_tumor.msi.synthetic.slide import plan_slide
from napari_ims_tumor.viewer.sample_data import SAMPLE

GLASS = "#8a8a8a"


def main() -> None:
    """Write the picture: the planted classes, and the glass around them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    picture = parser.parse_args().picture
    plan = plan_slide(SAMPLE)
    pixels = plan.source.pixels
    colors = {c.name: c.color for c in TUMOR_SCHEME.classes}
    image = np.zeros((*plan.labels.shape, 4))
    image[pixels.measured] = rgba(GLASS)
    for known in TUMOR_SCHEME.classes:
        image[plan.labels == known.value] = rgba(known.color)
    panel = Panel("", (image,), legend={**colors, "bare glass": GLASS})
    size = pixels.pixel_size_um
    write_picture(picture, Picture("Where the sample's tumor was planted", (panel,), size))
    print(f"wrote {picture}")


def rgba(color: str) -> np.ndarray:
    """Turn ``#rrggbb`` into an opaque color of four floats."""
    return np.array([*ImageColor.getrgb(color), 255]) / 255


if __name__ == "__main__":
    main()
