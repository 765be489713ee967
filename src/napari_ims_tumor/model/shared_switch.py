"""A setting of the whole process, which several jobs may need at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Generic, TypeVar

Found = TypeVar("Found")


class SharedSwitch(Generic[Found]):
    """Holds while anybody needs it: the first turns it, and the last turns it back.

    Parameters
    ----------
    turned
        Turns it, and turns it back; what it gives is given to all who need it meanwhile.
    """

    def __init__(self, turned: Callable[[], AbstractContextManager[Found]]) -> None:
        self._turned = turned
        self._found: list[Found] = []
        self._users, self._back = 0, ExitStack()
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Found]:
        """Have it on."""
        with self._lock:
            if not self._users:
                self._found = [self._back.enter_context(self._turned())]
            self._users += 1
            found = self._found[0]
        try:
            yield found
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._back.close()
