"""What every test may ask for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

REAL_DATA = Path(
    os.environ.get("IMS_TUMOR_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")
)
NO_DISPLAY = sys.platform == "linux" and not (
    os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests on real slides where there are none, and windows where there is no display."""
    no_data = pytest.mark.skip(reason=f"no real data at {REAL_DATA}")
    no_display = pytest.mark.skip(reason="no display")
    for item in items:
        if item.get_closest_marker("real_data") and not REAL_DATA.is_dir():
            item.add_marker(no_data)
        if item.get_closest_marker("window"):
            # One display has one mouse: in parallel runs, windows take turns in one process.
            item.add_marker(pytest.mark.xdist_group("window"))
            if NO_DISPLAY:
                item.add_marker(no_display)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides."""
    return REAL_DATA
