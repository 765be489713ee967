"""The texts napari draws over the canvas, wherever its version keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel


def text_overlay(viewer: ViewerModel) -> Any:
    """Return the viewer's free text."""
    canvas = getattr(viewer, "canvas", None)
    # Before napari 0.9 the overlays were attributes of the viewer itself.
    return viewer.text_overlay if canvas is None else canvas.overlays.text


def scale_bar(viewer: ViewerModel) -> Any:
    """Return the viewer's scale bar."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.scale_bar if canvas is None else canvas.overlays.scale_bar


def fit_view(viewer: ViewerModel) -> None:
    """Bring everything into view."""
    fit = getattr(viewer, "fit_to_view", None)
    (viewer.reset_view if fit is None else fit)()
