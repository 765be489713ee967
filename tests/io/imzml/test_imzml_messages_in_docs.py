"""The page on safety lists what is really said."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_imzml_stop_messages import STOPS
from .test_imzml_warning_messages import ODDITIES
from .test_imzml_while_open import CHANGED, LOST

PAGE = Path(__file__).parents[3] / "docs" / "safety.md"
SAID = {
    **{name: stop.message for name, stop in STOPS.items()},
    **{
        f"{name} ({i})": warning
        for name, oddity in ODDITIES.items()
        for i, warning in enumerate(oddity.warnings)
    },
    "22 changed": CHANGED,
    "22 lost": LOST,
}


@pytest.mark.parametrize("name", SAID)
def test_the_page_lists_every_message(name: str) -> None:
    wanted = SAID[name].replace("{folder}", "FOLDER").replace("x" * 300, "LONG-NAME")
    wanted = wanted.replace("<", "&lt;").replace(">", "&gt;")
    assert wanted in PAGE.read_text("utf-8")
