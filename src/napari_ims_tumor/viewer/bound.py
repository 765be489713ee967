"""Which binding a viewer has: what napari calls by itself (readers) finds the session by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from napari_ims_tumor.viewer.binding import Binding

_BOUND: WeakKeyDictionary[Any, Binding] = WeakKeyDictionary()


def remember(binding: Binding) -> None:
    """Note a viewer's binding; one viewer has one."""
    _BOUND[binding.viewer] = binding


def forget(binding: Binding) -> None:
    """Forget a binding that was closed."""
    if _BOUND.get(binding.viewer) is binding:
        del _BOUND[binding.viewer]


def binding_of(viewer: object) -> Binding | None:
    """Find a viewer's binding; ``None`` where no dock was opened on it."""
    return _BOUND.get(viewer)
