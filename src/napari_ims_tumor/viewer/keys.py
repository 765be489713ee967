"""Single keys: T tumor, H healthy, E erase; full stop and comma for the peaks beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel


class KeyBindings:
    """Binds keys to actions on one viewer until it is closed.

    napari ignores the key bindings of a manifest. Keys of the selected layer come first: E on a
    labels layer would be napari's own eraser, so it is bound there too, see :mod:`.annotating`.
    """

    def __init__(self, viewer: ViewerModel, actions: Mapping[str, Callable[[], object]]) -> None:
        self._viewer = viewer
        self._before: dict[Any, Any] = {}
        for key, action in actions.items():
            self._bind(key, action)

    def close(self) -> None:
        """Give the keys back to whoever had them."""
        for key in self._mine:
            self._viewer.keymap.pop(key, None)
        self._viewer.keymap.update(self._before)
        self._mine, self._before = (), {}

    _mine: tuple[Any, ...] = ()

    def _bind(self, key: str, action: Callable[[], object]) -> None:
        before = dict(self._viewer.keymap)
        self._viewer.bind_key(key, lambda _: _run(action), overwrite=True)
        bound = tuple(
            k for k, function in self._viewer.keymap.items() if before.get(k) is not function
        )
        self._before |= {k: before[k] for k in bound if k in before}
        self._mine += bound


def _run(action: Callable[[], object]) -> None:
    """Call and return nothing: napari would take a generator for a key held down."""
    action()
