"""``python -m napari_ims_tumor.demo``: the main job, on a simulated slide.

With a display it opens a window with the sample and the dock and hands over the mouse. Without one
it tells the same story on a virtual display and leaves pictures and a report.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

XVFB = "-screen 0 1500x1000x24"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; 0 when it was played to its end."""
    parser = argparse.ArgumentParser(prog="python -m napari_ims_tumor.demo", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--tell", action="store_true", help="tell the story even with a display")
    given = parser.parse_args(arguments)
    if not _has_display():
        return _on_a_virtual_display(given.output)
    return _tell(given.output) if given.tell else _hand_over()


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _on_a_virtual_display(output: Path) -> int:
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        print(  # noqa: T201
            "There is no display, and no virtual one: install it with "
            "'apt-get install xvfb', or run the demo where there is a screen.",
            file=sys.stderr,
        )
        return 2
    print("There is no display: the story is told off-screen, which takes a few minutes.")  # noqa: T201
    command = [sys.executable, "-m", "napari_ims_tumor.demo", "--tell", "-o", str(output)]
    sys.stdout.flush()
    return subprocess.run([xvfb, "-a", "-s", XVFB, *command], check=False).returncode  # noqa: S603


def _tell(output: Path) -> int:
    from napari_ims_tumor.demo.telling import tell

    told = tell(output.resolve())
    for picture in told.pictures:
        print(f"picture  {picture}")  # noqa: T201
    print(f"report   {told.report}")  # noqa: T201
    for line in told.summary:
        print(line)  # noqa: T201
    return 0


def _hand_over() -> int:
    import napari

    from napari_ims_tumor.demo.story import PLUGIN, WIDGET

    viewer = napari.Viewer(title="napari-ims-tumor")
    viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    viewer.open_sample(PLUGIN, "simulated-slide")
    napari.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
