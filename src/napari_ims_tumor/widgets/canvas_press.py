"""A press of the mouse on the canvas, answered without drawing all layers twice.

To learn what was pressed, vispy draws the scene once more, unseen, each part in a color of its own;
that marks every part as changed, so the screen is drawn anew as well. Both hold up the spectrum of
a clicked pixel. A flat view shows one thing that can be pressed, the view itself: there the answer
is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from napari.components import ViewerModel


class CanvasPress:
    """Tells vispy what was pressed, where only one thing can be.

    Parameters
    ----------
    canvas
        napari's canvas.
    """

    def __init__(self, canvas: Any) -> None:
        self._scene, self._view = canvas._scene_canvas, canvas.view
        self._has_told = False
        pressed = self._scene.events.mouse_press
        # After napari's own callbacks, which may keep a press for themselves.
        process = [(ref(self._scene), "_process_mouse_event")]
        pressed.connect(self._tell, before=process, position="last")
        pressed.connect(self._take_back, after=process, position="first")

    @classmethod
    def on(cls, viewer: ViewerModel) -> CanvasPress | None:
        """Begin on a viewer's canvas; ``None`` where this napari has no such canvas."""
        try:
            canvas = viewer.window._qt_viewer.canvas
            _ = canvas.view, canvas._scene_canvas._mouse_handler
            return cls(canvas)
        except (AttributeError, ValueError):
            return None

    def stop(self) -> None:
        """Leave the question to vispy again."""
        self._scene.events.mouse_press.disconnect(self._tell)
        self._scene.events.mouse_press.disconnect(self._take_back)

    def _tell(self, event: Any) -> None:
        self._has_told = (
            not event.handled and self._scene._mouse_handler is None and self._is_only_choice()
        )
        if self._has_told:
            self._scene._mouse_handler = self._view

    def _take_back(self, event: Any) -> None:
        """Let go of a press that the view did not want, as vispy does."""
        if self._has_told and not event.handled:
            self._scene._mouse_handler = None

    def _is_only_choice(self) -> bool:
        return [node for node in _drawn(self._scene.scene) if node.interactive] == [self._view]


def _drawn(node: Any) -> Iterator[Any]:
    """All parts of a scene that are drawn."""
    for child in node.children:
        if child.visible:
            if hasattr(child, "draw"):
                yield child
            yield from _drawn(child)
