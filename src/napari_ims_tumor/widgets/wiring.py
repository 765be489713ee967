"""What every panel is given: the session, the layers, and a way to listen that ends with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psygnal import SignalInstance

from napari_ims_tumor.session.session import Session

if TYPE_CHECKING:
    from napari_ims_tumor.viewer.binding import Binding


class Wiring:
    """Listens to a session for one dock, and stops listening when the dock goes.

    The session outlives a dock that is closed and opened again, so a connection that stayed would
    call widgets that Qt has deleted.

    Attributes
    ----------
    binding
        The layers; ``None`` where there is no viewer.
    """

    def __init__(self, session: Session, binding: Binding | None = None) -> None:
        self.session = session
        self.binding = binding
        self._connected: list[tuple[SignalInstance, Callable[..., Any]]] = []

    def on(self, signal: SignalInstance, slot: Callable[..., Any]) -> None:
        """Call ``slot`` with what ``signal`` says, until :meth:`cut`."""
        signal.connect(slot)
        self._connected.append((signal, slot))

    def cut(self) -> None:
        """Stop listening."""
        for signal, slot in self._connected:
            with suppress(ValueError):
                signal.disconnect(slot)
        self._connected.clear()
