"""What napari calls for a dropped or opened .imzML or .ibd file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import napari
from napari.utils.notifications import show_error, show_info, show_warning

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.overview import survey
from napari_ims_tumor.viewer.layer_list import select_tic_when_added
from napari_ims_tumor.viewer.layers import LayerTuple, slide_layers
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.slide_tag import tag_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

PathOrPaths: TypeAlias = str | Path | Sequence[str | Path]
Reader: TypeAlias = Callable[[PathOrPaths], list[Any]]

SUFFIXES: Final = (".imzml", ".ibd")
NOTHING_TO_ADD: Final = [(None,)]
"""napari's way for a reader to say: done, and there is no layer to add."""


def get_reader(path: PathOrPaths) -> Reader | None:
    """Claim imzML files; ``None`` for anything else.

    Parameters
    ----------
    path
        One path or several; .imzML or .ibd in any case.
    """
    paths = as_paths(path)
    claimed = paths and all(p.suffix.lower() in SUFFIXES for p in paths)
    return read_slides if claimed else None


def read_slides(path: PathOrPaths) -> list[Any]:
    """Open slides as layers: TIC, the lazy stack of ion images and three colored peaks each.

    With a window open, a slide that cannot be read is one message in napari's notifications and
    the others still open. Without one there is nobody to read it, so the error is raised.

    Parameters
    ----------
    path
        One path or several; the two files of a pair are one slide.

    Returns
    -------
    list
        Layer tuples, or napari's mark for no layers.
    """
    viewer = napari.current_viewer()
    made: list[Any] = []
    for file in one_per_slide(as_paths(path)):
        if viewer is None:
            made += open_layers(file)
        else:
            made += _open_in_window(viewer, file)
    return made or NOTHING_TO_ADD


def open_layers(file: Path) -> list[LayerTuple]:
    """Open one slide and make its layers."""
    dataset = open_imzml(file)
    return slide_layers(dataset, run_inline(survey(dataset)))


def one_per_slide(paths: Sequence[Path]) -> list[Path]:
    """Keep one file of each .imzML and .ibd pair, the .imzML where both are there."""
    chosen: dict[Path, Path] = {}
    for path in paths:
        stem = path.with_suffix("")
        if stem not in chosen or path.suffix.lower() == ".imzml":
            chosen[stem] = path
    return list(chosen.values())


def is_same_slide(source: Path | None, file: Path) -> bool:
    """Whether a file belongs to the pair that a slide was opened from."""
    wanted = file.resolve().with_suffix("")
    return source is not None and source.resolve().with_suffix("") == wanted


def _open_in_window(viewer: ViewerModel, file: Path) -> list[LayerTuple]:
    # napari hands dropped files over one by one: the second file of a pair finds its slide here.
    if _is_shown(viewer, file):
        return []
    try:
        layers = open_layers(file)
    except ImsTumorError as error:
        show_error(str(error))
        return []
    except OSError as error:
        show_error(f"{file.name} could not be read: {error}.")
        return []
    readout_of(viewer)
    select_tic_when_added(viewer, layers)
    warnings = layers[0][1]["metadata"]["warnings"]
    if warnings:
        show_warning("\n".join(warnings))
    return layers


def _is_shown(viewer: ViewerModel, file: Path) -> bool:
    """Whether a slide is open already; it is then brought to the front."""
    tags = ((layer, tag_of(layer)) for layer in viewer.layers)
    layers = [la for la, tag in tags if tag and is_same_slide(tag.dataset.source, file)]
    if not layers:
        return False
    if viewer.layers.selection.active not in layers:
        viewer.layers.selection.active = layers[0]
        show_info(f"{file.stem} is open already.")
    return True


def as_paths(path: PathOrPaths) -> list[Path]:
    """Make a list of whatever napari hands over."""
    return [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
