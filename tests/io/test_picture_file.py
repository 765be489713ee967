"""Pictures show the colors of the screen, a scale bar that is right, and say what they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.picture_file import (
    ColorScale,
    Curve,
    Panel,
    Picture,
    bar_length,
    length_text,
    write_picture,
    write_spectra,
)

RED = (1.0, 0.0, 0.0, 1.0)
SCALE = ColorScale(np.array([(0, 0, 0, 1), RED]), 0.0, 10.0, "intensity")


def picture(n: int = 1, size: tuple[float, float] | None = (50.0, 50.0)) -> Picture:
    image = SCALE.paint(np.full((20, 40), 10.0))
    panels = tuple(Panel(f"m/z {i}", (image,), SCALE, note="beyond") for i in range(n))
    return Picture("a slide", panels, size, {"slide": "a slide", "units": "µ"})


def test_values_become_the_colors_of_the_scale():
    image = np.array([[0.0, 4.9, 5.1, 10.0, 99.0, -5.0, np.nan, np.inf]])
    painted = SCALE.paint(image)[0]
    assert painted[:, 0].tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    assert painted[:, 3].tolist() == [1, 1, 1, 1, 1, 1, 0, 0]


@given(st.floats(1e-3, 1e7))
def test_a_scale_bar_is_1_2_or_5_and_at_most_a_quarter(width):
    length = bar_length(width)
    digit = length / 10 ** np.floor(np.log10(length) + 1e-9)
    assert round(digit, 6) in (1, 2, 5)
    assert width / 10 - 1e-9 <= length <= width / 4 * (1 + 1e-6)


def test_lengths_in_words():
    texts = [length_text(500, True), length_text(2000, True), length_text(10, False)]
    assert texts == ["500 µm", "2 mm", "10 pixels"]


def test_the_scale_bar_is_as_long_as_it_says(tmp_path: Path):
    write_picture(tmp_path / "a.png", picture())
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    red = (shown[..., 0] > 240) & (shown[..., 1:].max(axis=-1) < 15)
    columns = np.flatnonzero(red[red.any(axis=1)].sum(axis=0) > 100)
    left, width = columns[0], np.flatnonzero(np.diff(columns, append=1e9) > 1)[0] + 1
    below = np.flatnonzero(red[:, left + 5])[-1]
    dark = (shown[below + 1 : below + 30, left : left + width] < 60).all(axis=-1)
    # 40 pixels of 50 µm: a bar of 500 µm is a quarter of the width.
    longest = dark.sum(axis=1).max()
    assert longest == pytest.approx(width / 4, abs=3)


def test_a_picture_says_what_it_is_and_the_same_gives_the_same_bytes(tmp_path: Path):
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name, picture(3))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    text = Image.open(tmp_path / "a.png").text
    assert text["Title"] == "a slide"
    assert json.loads(text["Description"]) == {"slide": "a slide", "units": "µ"}


@pytest.mark.parametrize("size", [None, (10.0, 100.0)])
def test_pictures_of_any_pixel(tmp_path: Path, size):
    write_picture(tmp_path / "a.png", picture(1, size))
    assert Image.open(tmp_path / "a.png").size[0] > 300


def test_what_cannot_be_drawn_is_refused(tmp_path: Path):
    with pytest.raises(ImsTumorError, match=r"written as \.png"):
        write_picture(tmp_path / "a.imzML", picture())
    with pytest.raises(ImsTumorError, match="1 to 60 images"):
        write_picture(tmp_path / "a.png", picture(61))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".png", ".svg"])
@pytest.mark.parametrize("stems", [True, False])
def test_spectra_are_drawn(tmp_path: Path, ending, stems):
    mz = np.linspace(100, 200, 50)
    curves = (Curve("mean <&>", mz, mz % 7, "#00805c", stems),)
    write_spectra(tmp_path / f"a{ending}", "a slide", curves, {"normalization": "none"})
    assert (tmp_path / f"a{ending}").stat().st_size > 1000


NAMES = ["cost $5 & $6_x^", "$\\frac$", "\\alpha_{", "腫瘍 \x07 \N{PILE OF POO}", "a" * 200]


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn_as_it_is(tmp_path: Path, name: str):
    plain = replace(picture(), title="a slide")
    write_picture(tmp_path / "plain.png", plain)
    write_picture(tmp_path / "a.png", replace(plain, title=name))
    # A long name makes the picture no wider.
    widths = [Image.open(tmp_path / file).size[0] for file in ("plain.png", "a.png")]
    assert widths[1] <= widths[0] * 1.05
    assert Image.open(tmp_path / "a.png").text["Title"] == name.replace("\x07", "")
    mz = np.linspace(100, 200, 50)
    curve = Curve("mean", mz, mz % 7, "#00805c")
    for ending in (".png", ".svg"):
        write_spectra(tmp_path / f"s{ending}", name, (curve,), {})
    ET.parse(tmp_path / "s.svg")


def test_no_spectrum_hides_another(tmp_path: Path):
    mz = np.array([150.0])
    colors = ("#00805c", "#0072b2", "#d55e00")
    curves = tuple(Curve(c, mz, mz, c, stems=True) for c in colors)
    write_spectra(tmp_path / "a.png", "a slide", curves, {})
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3).astype(int)
    for color in colors:
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        # More than the letters of its name: the stem itself.
        assert (np.abs(shown - wanted).max(axis=1) < 40).sum() > 300
