"""What napari calls for a dropped or opened session file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info

from napari_ims_tumor.errors import SessionFileError
from napari_ims_tumor.io.session_file import ENDING
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.bound import binding_of
from napari_ims_tumor.viewer.reader import NOTHING_TO_ADD, PathOrPaths, Reader, as_paths

if TYPE_CHECKING:
    from napari.layers import Layer


def get_session_reader(path: PathOrPaths) -> Reader | None:
    """Claim one session file; ``None`` for anything else.

    Parameters
    ----------
    path
        One path: a viewer shows one session.
    """
    paths = as_paths(path)
    return read_session if len(paths) == 1 and paths[0].suffix.lower() == ENDING else None


def read_session(path: PathOrPaths) -> list[Any]:
    """Reopen a session in napari's viewer; a dock that is opened later goes on with it.

    Without a viewer the session's layers are returned, made in one that is never shown.

    Returns
    -------
    list
        Layer tuples, or napari's mark for no layers: the session has put its own there.
    """
    file, viewer = as_paths(path)[0], napari.current_viewer()
    if viewer is None:
        return [_as_tuple(layer) for layer in _alone(file).layers]
    binding = binding_of(viewer) or _begin(viewer)
    binding.session.files.open_session(file)
    return NOTHING_TO_ADD


def _begin(viewer: ViewerModel) -> Binding:
    """Begin a session without a dock: its work is done at once, in this thread."""
    session = Session(InlineRunner())
    session.failed.connect(show_error)
    session.noticed.connect(show_info)
    return Binding(viewer, session)


def _alone(file: Path) -> ViewerModel:
    viewer, failures = ViewerModel(), list[str]()
    session = Session(InlineRunner())
    session.failed.connect(failures.append)
    binding = Binding(viewer, session)
    session.files.open_session(file)
    binding.close()
    if failures:
        raise SessionFileError(failures[-1])
    return viewer


def _as_tuple(layer: Layer) -> tuple[Any, ...]:
    made: tuple[Any, ...] = layer.as_layer_data_tuple()
    return made
