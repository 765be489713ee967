"""Draw the truth of simulated slides: both scenes, how the tumor infiltrates, what goes wrong.

python benchmarks/simulated_scenes.py -o scenes.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import TRUTH_PLANES, SlidePlan, plan_slide

COLORS = {
    "tumor": "#c81e1e", "necrosis": "#2b2b2b", "epithelium": "#5b7fd9", "stroma": "#9ecf9e",
    "muscle": "#e3b5d8", "fat": "#f3e38b",
}  # fmt: skip
SHOWN = {
    "array": {"scene": "array"},
    "section, infiltration 0": {"scene": "section", "infiltration": 0.0},
    "section, infiltration 0.3": {"scene": "section"},
    "section, infiltration 1": {"scene": "section", "infiltration": 1.0},
}


def tissue_picture(plan: SlidePlan) -> np.ndarray:
    """Mix the colors of what lies in each pixel; bare glass is white."""
    planes = dict(zip(TRUTH_PLANES, np.nan_to_num(plan.truth_planes), strict=True))
    healthy = 1 - planes["tumor"] - planes["necrosis"]
    picture = np.zeros((*healthy.shape, 3))
    for name, color in COLORS.items():
        share = planes[name] if name in ("tumor", "necrosis") else planes[name] * healthy
        picture += share[..., None] * np.array(to_rgb(color))
    picture[plan.patients == 0] = 1.0
    return picture.clip(0, 1)


def label_picture(plan: SlidePlan) -> np.ndarray:
    """Color what is labelled: white 0, blue healthy, red tumor; flipped labels are darker."""
    picture = np.array([to_rgb("white"), to_rgb("#7aa6d6"), to_rgb("#e06666")])[plan.labels]
    clean = np.nan_to_num(plan.truth_planes[TRUTH_PLANES.index("clean labels")])
    picture[plan.labels != clean] *= 0.45
    return picture


def main() -> None:
    """Draw a row of tissue over a row of labels."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("scenes.png"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    figure = Figure(figsize=(13, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(SHOWN))
    for column, (title, options) in enumerate(SHOWN.items()):
        plan = plan_slide(make_recipe(channels=100, seed=given.seed, label_noise=0.05, **options))
        axes[0, column].imshow(tissue_picture(plan), interpolation="nearest")
        axes[1, column].imshow(label_picture(plan), interpolation="nearest")
        axes[0, column].set_title(title, fontsize=10)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    axes[0, 0].set_ylabel("what is there")
    axes[1, 0].set_ylabel("labels, 5 % wrong (dark)")
    patches = [Patch(color=color, label=name) for name, color in COLORS.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(COLORS), frameon=False)
    figure.savefig(given.output, dpi=90)


if __name__ == "__main__":
    main()
