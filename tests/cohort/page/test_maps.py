from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.cross_validation import evaluate
from napari_ims_tumor.cohort.page.maps import class_colors, held_out_maps, scale_bar
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


@pytest.mark.parametrize(
    ("width", "words"),
    [(6400, "1 mm"), (2000, "500 µm"), (100, "20 µm"), (3.0, "0.5 µm"), (90_000, "20 mm")],
)
def test_scale_bars_are_round_and_about_a_quarter(width: float, words: str) -> None:
    share, said = scale_bar(width)
    assert said == words
    assert 10 <= share <= 25
    number, unit = said.split()
    length = float(number) * (1000 if unit == "mm" else 1)
    assert share == pytest.approx(100 * length / width)


def stack(seed: int) -> CohortSlide:
    """Two sections of 4 × 6 pixels of 20 × 50 µm; their labels differ, one corner is missing."""
    planes, rows, columns = (a.ravel()[1:] for a in np.mgrid[:2, :4, :6])
    labels = np.ones((2, 4, 6), np.uint8)
    labels[0, :, 4:], labels[1, 2:], labels[:, 1, 1] = 2, 2, 0
    mean = np.full((rows.size, 20), 20.0)
    mean[:, 7] += 40 * (labels[planes, rows, columns] == 2)
    pixels = PixelGrid(rows, columns, (4, 6), (20.0, 50.0), planes=planes)
    values = np.random.default_rng(seed).poisson(mean).astype(np.float32)
    axis = MassAxis(np.arange(20) + 500.0)
    dataset = InMemoryDataset.from_matrix(axis, values, pixels, f"stack{seed}")
    return CohortSlide(dataset, Annotation(labels), f"patient {seed}")


def colors_in(uri: str) -> Any:
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_each_section_is_drawn_where_its_pixels_lie() -> None:
    slides = tuple(stack(seed) for seed in range(2))
    maps, n = held_out_maps(run_inline(evaluate(slides, ("linear",))))
    assert n == len(maps) == 4
    # Counted from 0, as everywhere else.
    assert [m.title for m in maps[:2]] == ["stack0, plane 0", "stack0, plane 1"]
    assert [m.n for m in maps] == [22, 23, 22, 23]
    tumor = class_colors(["healthy", "tumor"])["tumor"]
    red = [int(tumor[i : i + 2], 16) for i in (1, 3, 5)]
    for plane, drawn in enumerate(maps[:2]):
        assert drawn.aspect == pytest.approx(6 * 50 / (4 * 20))
        shown = colors_in(drawn.pictures[0].uri)
        is_tumor = (shown[..., :3] == red).all(axis=-1)
        assert np.array_equal(is_tumor, slides[0].labels.labels[plane] == 2)
        assert (shown[0, 0, 3] == 0) == (plane == 0)
