from __future__ import annotations

import pytest

from napari_ims_tumor.cohort.page.maps import scale_bar


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
