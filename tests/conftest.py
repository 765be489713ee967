"""What every test may ask for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import settings

# How long an example takes says more about what else the machine does than about the code.
# The same examples each time, so that a failure is one of the change at hand; `make explore` draws
# new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("IMS_TUMOR_EXAMPLES", "same"))

REAL_DATA = Path(
    os.environ.get("IMS_TUMOR_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")
)

_caches = TemporaryDirectory(prefix="ims-tumor-tests-", ignore_cleanup_errors=True)
# Each napari that starts writes its icons anew, into the user's cache: a window that another test
# process opens just then would show blanks. napari is first imported after this.
os.environ["XDG_CACHE_HOME"] = _caches.name
SLIDE_CACHE = "IMS_TUMOR_CACHE"
os.environ[SLIDE_CACHE] = str(Path(_caches.name) / "slides")


def has_display() -> bool:
    """Whether windows can be shown; asked late, since pytest-xvfb starts a display first."""
    return sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests on real slides where there are none, and windows where there is no display."""
    no_data = pytest.mark.skip(reason=f"no real data at {REAL_DATA}")
    no_display = pytest.mark.skip(reason="no display: install Xvfb (make setup says how)")
    for item in items:
        if item.get_closest_marker("real_data") and not REAL_DATA.is_dir():
            item.add_marker(no_data)
        if item.get_closest_marker("window") and not has_display():
            item.add_marker(no_display)


def pytest_unconfigure() -> None:
    """Leave no cache behind."""
    _caches.cleanup()


@pytest.fixture(autouse=True)
def slide_cache(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what each test finds out about slides; made when it is used.

    Slides written less than two seconds ago are not remembered: ``os.utime`` makes them older.
    """
    folder = Path(_caches.name) / "slides" / uuid4().hex
    monkeypatch.setenv(SLIDE_CACHE, str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides."""
    return REAL_DATA
