from __future__ import annotations

import pytest

from napari_ims_tumor.widgets.fit_words import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0.4, "0 s"), (12, "12 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"),
     (7260, "2 h 1 min")],
)  # fmt: skip
def test_durations_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
