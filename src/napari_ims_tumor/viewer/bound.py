"""Which binding a viewer has: what napari calls by itself (readers) finds the session by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

if TYPE_CHECKING:
    from napari_ims_tumor.viewer.binding import Binding

# A binding holds its viewer, and the viewer's mouse callbacks hold the binding: held here, neither
# would ever go.
_BOUND: WeakKeyDictionary[Any, ref[Binding]] = WeakKeyDictionary()


def remember(binding: Binding) -> None:
    """Note a viewer's binding; one viewer has one."""
    _BOUND[binding.viewer] = ref(binding)


def forget(binding: Binding) -> None:
    """Forget a binding that was closed."""
    if binding_of(binding.viewer) is binding:
        del _BOUND[binding.viewer]


def binding_of(viewer: object) -> Binding | None:
    """Find a viewer's binding; ``None`` where neither a dock nor a session was opened on it."""
    found = _BOUND.get(viewer)
    return None if found is None else found()
