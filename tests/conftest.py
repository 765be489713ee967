"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = Path(
    os.environ.get("IMS_TUMOR_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests on real slides where there are none, and windows where there is no display."""
    skip = pytest.mark.skip(reason=f"no real data at {REAL_DATA}")
    for item in items:
        if item.get_closest_marker("real_data") and not REAL_DATA.is_dir():
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides."""
    return REAL_DATA
