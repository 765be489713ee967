"""What napari's notifications say while slides are open: one sentence at a time.

Where napari itself calls us (a writer, a conversion of a layer), an exception is the only way to
stop it. Ours are written for the person in front of the screen, who has no use for a traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from napari.utils.notifications import Notification, NotificationSeverity, notification_manager

from napari_ims_tumor.errors import ImsTumorError

_OF_THE_SCALE_BAR: Final = "Displayed dimensions have mismatched dimensionality ('dimensionless'"
"""napari says so of an m/z axis on screen, for the moment before the view is flat again."""
_OF_UNITS: Final = "Inconsistent units across layers"
"""napari says so at each new layer while slides with and without a pixel size are open, which the
section *Slide* says of each of them. Only one of them is seen at a time."""
_NO_NEWS: Final = (_OF_THE_SCALE_BAR, _OF_UNITS)


class _Dispatch:
    """napari's dispatch of notifications, which turns our errors into plain ones before."""

    def __init__(self, dispatch: Callable[[Any], None]) -> None:
        self._dispatch = dispatch

    def __call__(self, notification: Any) -> None:
        error = getattr(notification, "exception", None)
        if isinstance(error, ImsTumorError):
            notification = Notification(str(error), NotificationSeverity.ERROR)
        if not str(notification.message).startswith(_NO_NEWS):
            self._dispatch(notification)


def speak_plainly() -> None:
    """Have napari show an :class:`~napari_ims_tumor.errors.ImsTumorError` as its message alone."""
    if not isinstance(notification_manager.dispatch, _Dispatch):
        notification_manager.dispatch = _Dispatch(notification_manager.dispatch)
