"""How a session is looked at: known only to whoever shows it, kept in the session file for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class View(Protocol):
    """A part of what is on the screen: the viewer, the dock."""

    def capture(self) -> Mapping[str, Any]:
        """Say how it looks now, in what JSON can hold."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Look like that again, as far as what is said is understood."""


class Views:
    """The parts that show a session, by name.

    What a session file says of a part that is not there (a dock that was never opened) waits for
    it, and is saved again meanwhile.
    """

    def __init__(self) -> None:
        self._shown: dict[str, View] = {}
        self._waiting: dict[str, Mapping[str, Any]] = {}

    def attach(self, name: str, view: View) -> None:
        """Take in a part; what waits for it is restored at once."""
        self._shown[name] = view
        if name in self._waiting:
            view.restore(self._waiting.pop(name))

    def detach(self, name: str, view: View, left: Mapping[str, Any] | None = None) -> None:
        """Let a part go, unless another has taken its place; what it left waits for the next."""
        if self._shown.get(name) is view:
            del self._shown[name]
            if left is not None:
                self._waiting[name] = left

    def capture(self) -> dict[str, Any]:
        """Say how everything looks now."""
        return {**self._waiting, **{name: view.capture() for name, view in self._shown.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Make everything look as a session file says."""
        said = {name: part for name, part in state.items() if isinstance(part, Mapping)}
        self._waiting = {name: part for name, part in said.items() if name not in self._shown}
        for name, view in self._shown.items():
            if name in said:
                view.restore(said[name])
