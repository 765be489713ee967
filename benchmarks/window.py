"""How fast the window answers: slider steps beside an array in memory, and clicks to a spectrum.

    python benchmarks/window.py                     a processed slide with 67 million peaks
    python benchmarks/window.py SLIDE.imzML
    python benchmarks/window.py --folder build      keeps the slide for the next time

Two real windows, one after the other (on a virtual display where there is none): the plugin with
the slide as it opens, and napari alone with the same ion images as one array in memory and the same
other layers. A step is timed from the moment the slider moves to the end of the drawing; no channel
comes twice. A click is timed from the press of the mouse to the end of the plot's drawing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from reading.slides import DATA_SETS, make_slide, scaled

STEPS, WARM = 100, 10


def measure(slide: Path) -> None:
    """Open both windows and print the table."""
    import napari

    from napari_ims_tumor.demo.hands import settle, wait_until
    from napari_ims_tumor.demo.story import Story

    viewer = napari.Viewer()
    story = Story(viewer)
    start = time.perf_counter()
    story.open(slide, picture=None)
    opened = time.perf_counter() - start
    wait_until(lambda: not is_busy(story.session.runner), "the background work", 600)
    settle(0.5)
    stack: Any = story.layer("stack")
    channels = np.random.default_rng(0).permutation(len(stack.data))[: STEPS + WARM]
    clicks = click_times(story)
    # The same images, made before, for the other window.
    images = np.stack([stack.data.image(int(c)).copy() for c in channels])
    stack.data._cache.clear()
    ours = step_times(viewer, stack, channels)
    others = [
        (la.data, la.name, la.visible, type(la).__name__) for la in viewer.layers if la is not stack
    ]
    limits, size = stack.contrast_limits, viewer.window._qt_window.size()
    viewer.close()
    settle(0.5)
    memory = ram_times(images, others, limits, (size.width(), size.height()))
    print(
        f"{slide.name}: {len(channels)} of {len(stack.data)} channels; opened in {opened:.1f} s\n"
    )
    print("| ms | median | 90 % | most |\n|---|---:|---:|---:|")
    for title, times in (
        ("slider step, plugin", ours),
        ("slider step, array in memory", memory),
        ("click to drawn spectrum", clicks),
    ):
        ms = sorted(1e3 * t for t in times)
        middle, high = statistics.median(ms), ms[int(len(ms) * 0.9)]
        print(f"| {title} | {middle:.1f} | {high:.1f} | {ms[-1]:.1f} |")
    ratio = statistics.median(ours) / statistics.median(memory)
    print(f"\nThe plugin's step takes {ratio:.2f} times as long.")


def is_busy(runner: Any) -> bool:
    """Whether anything is being worked out in the background."""
    from napari_ims_tumor.session.jobs import Lane

    return any(runner.is_busy(lane) for lane in get_args(Lane))


def step_times(viewer: Any, layer: Any, channels: np.ndarray) -> list[float]:
    """Seconds from moving the slider to the end of the drawing."""
    viewer.layers.selection.active = layer
    layer.visible = True
    drawn = watch_drawing(viewer.window._qt_viewer.canvas._scene_canvas)
    times = []
    for channel in channels.tolist():
        start = time.perf_counter()
        viewer.dims.set_current_step(0, channel)
        times.append(drawn() - start)
    return times[WARM:]


def watch_drawing(canvas: Any) -> Callable[[], float]:
    """Return a function that waits for the next drawing and says when it ended."""
    from qtpy.QtWidgets import QApplication

    moments: list[float] = []
    canvas.events.draw.connect(lambda _: moments.append(time.perf_counter()), position="last")

    def drawn() -> float:
        until = time.perf_counter() + 5
        moments.clear()
        canvas.update()
        while not moments and time.perf_counter() < until:
            QApplication.processEvents()
        return moments[-1] if moments else until

    return drawn


def ram_times(images: np.ndarray, others: list, limits: Any, size: tuple[int, int]) -> list[float]:
    """The same steps in napari alone, with an array in memory."""
    import napari

    from napari_ims_tumor.demo.hands import settle

    viewer = napari.Viewer()
    viewer.window.resize(*size)
    for data, name, visible, kind in others:
        add = viewer.add_labels if kind == "Labels" else viewer.add_image
        add(np.asarray(data), name=name, visible=visible)
    layer = viewer.add_image(images, contrast_limits=limits, rgb=False)
    settle(0.5)
    times = step_times(viewer, layer, np.arange(len(images)))
    viewer.close()
    settle(0.2)
    return times


def click_times(story: Any) -> list[float]:
    """Seconds from the press of the mouse on a pixel to the end of the plot's drawing."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    from napari_ims_tumor.demo.hands import settle

    painted = watch_painting(story.dock.spectrum.plot.viewport())
    layer = story.layer("tic")
    story.viewer.layers.selection.active = layer
    pixels, canvas = story.slide.dataset.pixels, story.viewer.window._qt_viewer.canvas.native
    times = []
    for i in np.random.default_rng(1).integers(0, pixels.rows.size, 40).tolist():
        point = story.hands.point_of(layer, (int(pixels.rows[i]), int(pixels.columns[i])))
        QTest.mouseMove(canvas, point)
        settle(0.1)
        painted.clear()
        start = time.perf_counter()
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)
        while not painted and time.perf_counter() < start + 5:
            QApplication.processEvents()
        times.append(painted[-1] - start)
        settle(0.1)
    return times[5:]


def watch_painting(viewport: Any) -> list[float]:
    """Return a list that gets the moment at which each drawing of a plot ended."""
    moments: list[float] = []
    draw = viewport.parent().paintEvent

    def paint(event: Any) -> None:
        draw(event)
        moments.append(time.perf_counter())

    viewport.parent().paintEvent = paint
    return moments


def main() -> None:
    """Read the arguments; without a display, begin again on a virtual one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slide", nargs="?", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="of the made-up slide")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    xvfb = shutil.which("xvfb-run")
    if xvfb and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command = [xvfb, "-a", "-s", "-screen 0 1500x1000x24", sys.executable, *sys.argv]
        raise SystemExit(subprocess.run(command, check=False).returncode)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("IMS_TUMOR_CACHE", str(Path(scratch) / "cache"))
        folder = asked.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        recipe = scaled(DATA_SETS["b"], asked.scale)
        measure(asked.slide or make_slide(folder, "b", recipe))


if __name__ == "__main__":
    main()
