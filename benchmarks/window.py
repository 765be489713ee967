"""How fast the window answers: slider steps beside an array in memory, and clicks to a spectrum.

    python benchmarks/window.py                     a processed slide with 67 million peaks
    python benchmarks/window.py SLIDE.imzML
    python benchmarks/window.py --folder build      keeps the slide for the next time

Two real windows, side by side (on a virtual display where there is none): the plugin with the slide
as it opens, and napari alone with the same ion images as one array in memory and the same other
layers. They step in turns, ten steps each, so that whatever else the machine does holds up both. A
step is timed from the moment the slider moves to the end of the canvas's drawing, and to the moment
the whole window is on the screen; no channel comes twice. A click is timed from the press of the
mouse to the end of the plot's drawing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np

from reading.slides import DATA_SETS, make_slide, scaled

STEPS, IN_TURN = 100, 10


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
    # Each turn begins with a step that does not count.
    n = STEPS + STEPS // (IN_TURN - 1) + 1
    channels = np.random.default_rng(0).permutation(len(stack.data))[:n]
    clicks = click_times(story)
    # The same images, made before, for the other window.
    images = np.stack([stack.data.image(int(c)).copy() for c in channels])
    stack.data._cache.clear()
    other, layer = window_beside(viewer, stack, images)
    ours, memory = take_turns(
        Stepper(viewer, stack, channels), Stepper(other, layer, np.arange(len(images)))
    )
    print(f"{slide.name}: {len(ours)} of {len(stack.data)} channels; opened in {opened:.1f} s\n")
    print_table(ours, memory, clicks)
    for made in (other, viewer):
        made.close()
        settle(0.3)


def print_table(ours: np.ndarray, memory: np.ndarray, clicks: list[float]) -> None:
    """Print medians, and how many times longer the plugin takes."""
    print("| ms | median | 90 % | most |\n|---|---:|---:|---:|")
    for title, times in (
        ("slider step, plugin", ours[:, 0]),
        ("slider step, array in memory", memory[:, 0]),
        ("slider step on the screen, plugin", ours[:, 1]),
        ("slider step on the screen, array in memory", memory[:, 1]),
        ("click to drawn spectrum", clicks),
    ):
        ms = sorted(1e3 * t for t in times)
        middle, high = statistics.median(ms), ms[int(len(ms) * 0.9)]
        print(f"| {title} | {middle:.1f} | {high:.1f} | {ms[-1]:.1f} |")
    drawn, shown = np.median(ours, 0) / np.median(memory, 0)
    print(f"\nThe plugin's step takes {drawn:.2f} times as long, {shown:.2f} times on the screen.")


def is_busy(runner: Any) -> bool:
    """Whether anything is being worked out in the background."""
    from napari_ims_tumor.session.jobs import Lane

    return any(runner.is_busy(lane) for lane in get_args(Lane))


class Stepper:
    """Moves the slider of one window and waits until the new image is on the screen."""

    def __init__(self, viewer: Any, layer: Any, channels: np.ndarray) -> None:
        from qtpy.QtWidgets import QApplication

        self.dims, self.channels, self._left = viewer.dims, channels, iter(channels.tolist())
        self._process = QApplication.processEvents
        viewer.layers.selection.active = layer
        layer.visible = True
        self._canvas = viewer.window._qt_viewer.canvas._scene_canvas
        self._drawn: list[float] = []
        self._shown: list[float] = []
        draw = self._canvas.events.draw
        draw.connect(lambda _: self._drawn.append(time.perf_counter()), position="last")
        self._canvas.native.frameSwapped.connect(lambda: self._shown.append(time.perf_counter()))

    def turn(self) -> list[tuple[float, float]]:
        """Step a few times; seconds until the canvas was drawn, and until the window was shown."""
        return [self._step(channel) for channel in itertools.islice(self._left, IN_TURN)][1:]

    def _step(self, channel: int) -> tuple[float, float]:
        self._drawn.clear()
        self._shown.clear()
        start = time.perf_counter()
        self.dims.set_current_step(0, channel)
        self._canvas.update()
        while not (self._drawn and self._shown and self._shown[-1] > self._drawn[0]):
            if time.perf_counter() > start + 5:
                raise SystemExit("the window did not draw within 5 s")
            self._process()
        return self._drawn[-1] - start, self._shown[-1] - start


def take_turns(ours: Stepper, other: Stepper) -> tuple[np.ndarray, np.ndarray]:
    """Let two windows step in turns; times (steps, 2) of each."""
    from napari_ims_tumor.demo.hands import settle

    found: tuple[list, list] = [], []
    for _ in range(0, len(ours.channels), IN_TURN):
        for stepper, times in zip((ours, other), found, strict=True):
            times += stepper.turn()
            settle(0.02)
    return np.array(found[0]), np.array(found[1])


def window_beside(viewer: Any, stack: Any, images: np.ndarray) -> tuple[Any, Any]:
    """Open napari alone with images in memory and the same other layers, beside the plugin."""
    import napari

    from napari_ims_tumor.demo.hands import settle

    size = viewer.window._qt_window.size()
    other = napari.Viewer()
    other.window.resize(size.width(), size.height())
    viewer.window._qt_window.move(0, 0)
    other.window._qt_window.move(size.width() + 10, 0)
    for layer in viewer.layers:
        if layer is not stack:
            add = other.add_labels if type(layer).__name__ == "Labels" else other.add_image
            add(np.asarray(layer.data), name=layer.name, visible=layer.visible)
    made = other.add_image(images, contrast_limits=stack.contrast_limits, rgb=False)
    settle(0.5)
    return other, made


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
        command = [xvfb, "-a", "-s", "-screen 0 3000x1000x24", sys.executable, *sys.argv]
        raise SystemExit(subprocess.run(command, check=False).returncode)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("IMS_TUMOR_CACHE", str(Path(scratch) / "cache"))
        folder = asked.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        recipe = scaled(DATA_SETS["b"], asked.scale)
        measure(asked.slide or make_slide(folder, "b", recipe))


if __name__ == "__main__":
    main()
