"""How a session is looked at in a viewer: layers, their order and looks, slider and camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.session.ions import CHANNELS
from napari_ims_tumor.viewer.canvas_overlays import axes_of, camera_of, grid_of, scale_bar
from napari_ims_tumor.viewer.layer_state import (
    MODE,
    look_like,
    look_of,
    plain,
    set_if_other,
    tolerant,
)
from napari_ims_tumor.viewer.slide_tag import SlideTag, tag_of
from napari_ims_tumor.viewer.withheld import Withholding

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_ims_tumor.session.slide_state import SlideState
    from napari_ims_tumor.viewer.binding import Binding

CAMERA: Final = ("center", "zoom", "angles", "perspective")
DIMS: Final = ("ndisplay", "order", "last_used")
GRID: Final = ("enabled", "stride", "shape", "spacing")

Key = tuple[int, str, int]
"""(slide of the session, role, which one of that role): names a layer in a session file."""


class ViewState:
    """Says how a session's layers look and makes them look so again; a part of the session's views.

    Layers that are not of a slide are the user's own and are left alone.
    """

    def __init__(self, binding: Binding) -> None:
        self._binding = binding

    @property
    def _viewer(self) -> ViewerModel:
        return self._binding.viewer

    def capture(self) -> dict[str, Any]:
        """Say how everything looks."""
        self._binding.flush()
        viewer, overlays = self._viewer, self._binding.overlays
        layers = self._layers()
        active = viewer.layers.selection
        selected = [number for number, layer in enumerate(layers.values()) if layer in active]
        return {
            "layers": [self._layer_text(key, layer) for key, layer in layers.items()],
            "selected": selected,
            "camera": _values(camera_of(viewer), CAMERA),
            "dims": {**_values(viewer.dims, DIMS), "point": plain(viewer.dims.point)},
            "grid": _values(grid_of(viewer), GRID),
            "scale_bar": bool(scale_bar(viewer).visible),
            "axes": bool(axes_of(viewer).visible),
            "theme": str(viewer.theme),
            "threshold": [overlays.threshold, overlays.abstain],
            "withheld": [overlays.withholding.unfamiliar, overlays.withholding.accuracy],
            "clip": self._binding.ions.clip,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Make everything look so again, as far as it is understood."""
        with self._binding.slides.busy():
            with tolerant():
                threshold, abstain = (float(value) for value in state["threshold"])
                self._binding.set_threshold(threshold, abstain)
            with tolerant():
                unfamiliar, accuracy = state["withheld"]
                accuracy = None if accuracy is None else float(accuracy)
                self._binding.overlays.withhold(Withholding(bool(unfamiliar), accuracy))
            if isinstance(state.get("clip"), bool):
                self._binding.ions.clip_hot_spots(state["clip"])
            with tolerant():
                self._restore_layers(state["layers"], state["selected"], state["dims"])
            self._restore_canvas(state)

    def own_layers(self) -> int:
        """How many layers are the user's own, and in no session file."""
        return len(self._viewer.layers) - len(self._layers())

    # ---- layers -----------------------------------------------------------------------------

    def _layers(self) -> dict[Key, Layer]:
        """The layers of the session's slides by name, in the order of the layer list."""
        numbers = {id(s.dataset): i for i, s in enumerate(self._binding.session.slides)}
        found: dict[Key, Layer] = {}
        count: Counter[tuple[int, str]] = Counter()
        for layer in self._viewer.layers:
            tag = tag_of(layer)
            if tag is None or id(tag.dataset) not in numbers:
                continue
            number, role = numbers[id(tag.dataset)], tag.role
            which = self._which(number, tag)
            found[number, role, count[number, role] if which is None else which] = layer
            count[number, role] += 1
        return found

    def _which(self, number: int, tag: SlideTag) -> int | None:
        """Which of its role a layer is, where the session knows; else its place tells."""
        ions, slide = self._binding.session.ions, self._binding.session.slides[number]
        if tag.role == "rgb":
            return CHANNELS.index(tag.channel)
        if tag.role == "pin" and tag.query in ions.pins(slide):
            return ions.pins(slide).index(tag.query)
        return None

    def _layer_text(self, key: Key, layer: Layer) -> dict[str, Any]:
        return {
            "layer": list(key),
            "visible": bool(layer.visible),
            "returns": self._binding.slides.returns(layer),
            "from_file": bool(layer.source.reader_plugin),
            **look_of(layer),
        }

    def _restore_layers(self, texts: Any, selected: Any, dims: Mapping[str, Any]) -> None:
        said = {_key(text): text for text in texts}
        for key in said:
            self._make(key)
        here = self._layers()
        # A slide always keeps a layer: without one it would be closed.
        told = {key[0] for key in said if key in here}
        for key, layer in here.items():
            if key not in said and key[0] in told:
                self._viewer.layers.remove(layer)
        shown = [here[key] for key in said if key in here]
        self._restore_dims(dims)
        for key, text in said.items():
            if key in here:
                self._restore_layer(here[key], text)
        self._reorder(shown)
        keys = list(said)
        self._select([here[keys[number]] for number in selected if keys[number] in here])
        for key, text in said.items():
            if key in here and here[key] in self._viewer.layers.selection:
                set_if_other(here[key], MODE, text)

    def _restore_layer(self, layer: Layer, text: Mapping[str, Any]) -> None:
        look_like(layer, text)
        set_if_other(layer, "visible", text)
        self._binding.slides.let_return(layer, text.get("returns"))
        if text.get("from_file") is True:
            _say_from_file(layer)

    def _make(self, key: Key) -> None:
        """Make a layer that is only made when it is asked for."""
        number, role, _ = key
        slides: tuple[SlideState, ...] = self._binding.session.slides
        if 0 <= number < len(slides):
            with tolerant():
                self._binding.make_layer(slides[number], role)

    def _reorder(self, wanted: list[Layer]) -> None:
        """Bring the slides' layers into an order; the user's own keep their places."""
        layers = self._viewer.layers
        places = [i for i, layer in enumerate(layers) if layer in wanted]
        for place, layer in zip(places, wanted, strict=True):
            at = layers.index(layer)
            if at != place:
                layers.move(at, place)

    def _select(self, wanted: list[Layer]) -> None:
        selection = self._viewer.layers.selection
        if set(selection) == set(wanted):
            return
        if len(wanted) == 1:
            selection.active = wanted[0]
            return
        selection.clear()
        selection.update(wanted)

    # ---- the canvas -------------------------------------------------------------------------

    def _restore_dims(self, said: Mapping[str, Any]) -> None:
        dims = self._viewer.dims
        if len(said["point"]) == dims.ndim and sorted(said["order"]) == list(range(dims.ndim)):
            for name in DIMS:
                set_if_other(dims, name, said)
            dims.set_point(list(range(dims.ndim)), [float(value) for value in said["point"]])

    def _restore_canvas(self, state: Mapping[str, Any]) -> None:
        viewer = self._viewer
        for thing, names, said in (
            (grid_of(viewer), GRID, state.get("grid")),
            (camera_of(viewer), CAMERA, state.get("camera")),
        ):
            for name in names if isinstance(said, Mapping) else ():
                set_if_other(thing, name, said or {})
        set_if_other(viewer, "theme", state)
        for overlay, name in ((scale_bar(viewer), "scale_bar"), (axes_of(viewer), "axes")):
            if isinstance(state.get(name), bool):
                overlay.visible = state[name]


def _say_from_file(layer: Layer) -> None:
    """Have napari's status bar name the slide's file, as for a layer that a reader made."""
    tag, source = tag_of(layer), layer.source
    if tag is not None and tag.dataset.source is not None and not source.reader_plugin:
        with tolerant():
            path, plugin = str(tag.dataset.source), "napari-ims-tumor"
            layer._set_source(type(source)(path=path, reader_plugin=plugin))


def _values(thing: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: plain(getattr(thing, name)) for name in names if hasattr(thing, name)}


def _key(text: Mapping[str, Any]) -> Key:
    number, role, which = text["layer"]
    return int(number), str(role), int(which)
