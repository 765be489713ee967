"""The viewer and the session, kept telling the same story.

What the session says becomes layers; what the user does to layers becomes verbs of the session.
Nothing is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_ims_tumor.annotation.label_classes import HEALTHY, TUMOR
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage, SlideState
from napari_ims_tumor.viewer.annotating import Annotating
from napari_ims_tumor.viewer.bound import forget, remember
from napari_ims_tumor.viewer.canvas_overlays import center_on, hide_brush_box
from napari_ims_tumor.viewer.ion_layers import IonLayers
from napari_ims_tumor.viewer.keys import KeyBindings
from napari_ims_tumor.viewer.labels_link import Debounce, at_once
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.overlays import ON_DEMAND, Overlays
from napari_ims_tumor.viewer.picking import click_callback, pixel_at
from napari_ims_tumor.viewer.region_tool import RegionTool
from napari_ims_tumor.viewer.regions import Regions
from napari_ims_tumor.viewer.slide_layers import SlideLayers
from napari_ims_tumor.viewer.slide_tag import first_of, layers_of, tag_of
from napari_ims_tumor.viewer.view_state import ViewState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_ims_tumor.msi.mass_axis import MassWindow
    from napari_ims_tumor.viewer.slide_tag import Role


class Binding:
    """Ties one viewer to one session, from now until :meth:`close`.

    Layers that napari's reader has put there before are taken in at once.

    Parameters
    ----------
    viewer
        A napari viewer, or its model without a window.
    session
        The session.
    debounced
        How to wait for the end of a stroke; without an event loop there is no waiting.
    """

    def __init__(
        self, viewer: ViewerModel, session: Session, debounced: Debounce = at_once
    ) -> None:
        self.viewer, self.session = viewer, session
        self.slides = SlideLayers(viewer, session)
        self.annotating = Annotating(viewer, session, debounced)
        self.annotating.on_erase = self.take_eraser
        self.overlays = Overlays(viewer, session)
        self.ions = IonLayers(viewer, session)
        self.regions = Regions(viewer, session, debounced)
        self.region_tool = RegionTool(viewer, session, self.annotating)
        self._unwanted: dict[Layer, Callable[[], object]] = {}
        self._clicked = click_callback(self.pick)
        self._keys = KeyBindings(
            viewer,
            {
                "T": lambda: self.take_brush(TUMOR),
                "H": lambda: self.take_brush(HEALTHY),
                "E": self.take_eraser,
                ".": lambda: self.ions.step_peak(forward=True),
                ",": lambda: self.ions.step_peak(forward=False),
            },
        )
        self.view = ViewState(self)
        hide_brush_box(viewer)
        self._connect()
        remember(self)
        self._catch_up()
        session.files.views.attach("viewer", self.view)

    # ---- what the dock's buttons do ---------------------------------------------------------

    def new_labels_layer(self) -> Labels | None:
        """Make (or find again) the active slide's labels layer and take up the tumor brush."""
        return self.take_brush(TUMOR)

    def take_brush(self, value: int) -> Labels | None:
        """Paint with a class, or label regions; makes the labels layer where there is none."""
        with self.slides.busy():
            if self.region_tool.is_chosen:
                return self.region_tool.take(value)
            return self.annotating.take_brush(value)

    def take_eraser(self) -> Labels | None:
        """Erase; makes the labels layer where there is none."""
        with self.slides.busy():
            if self.region_tool.is_chosen:
                return self.region_tool.take(0)
            return self.annotating.take_eraser()

    def jump_to_window(self, window: MassWindow) -> None:
        """Move the m/z slider to the channel nearest to a window and show the stack."""
        readout_of(self.viewer).go_to(window.center)

    def set_threshold(self, threshold: float, abstain: float = 0.0) -> None:
        """Call tumor from this probability on; no class closer to it than ``abstain``."""
        self.overlays.set_threshold(threshold, abstain)

    def look_as(self, role: Role | None) -> None:
        """Look at the active slide's prediction as probability, class …; ``None`` hides it."""
        slide = self.session.active
        if slide is None:
            return
        with self.slides.busy():
            if role is None:
                self.overlays.hide(slide)
            else:
                self.overlays.look_as(slide, role)

    def go_to_most_uncertain(self) -> None:
        """Bring the place into the middle of the view where the next stroke teaches most."""
        slide, pixel = self.session.active, self.session.classifier.most_uncertain_pixel()
        layer = None if slide is None else first_of(self.viewer.layers, slide.dataset, "tumor")
        if layer is None or pixel is None:
            return
        # Its spectrum and its row and column tell which pixel is meant: the view says only where.
        plane, row, column = (0, *pixel)[-3:]
        self.session.pick(row, column, plane)
        world = layer.data_to_world(pixel)
        center_on(self.viewer, world)
        for axis, place in enumerate(world[:-2], self.viewer.dims.ndim - len(world)):
            self.viewer.dims.set_point(axis, float(place))

    def make_layer(self, slide: SlideState, role: str) -> None:
        """Make a slide's layer of a role that is made only when it is asked for."""
        if role == "labels":
            self.annotating.layer_for(slide)
        elif role in ON_DEMAND:
            self.overlays.layer_for(slide, role)  # type: ignore[arg-type]

    def flush(self) -> None:
        """Hand over strokes painted a moment ago: call it before a fit and before saving."""
        self.annotating.take_all()

    def pick(self, world: Sequence[float]) -> None:
        """Pick the active slide's pixel under a place in the world, or label its region."""
        slide = self.session.active
        layers = layers_of(self.viewer.layers, slide.dataset) if slide else ()
        if slide is None or not layers:
            return
        selected = self.viewer.layers.selection.active
        layer = selected if selected in layers else layers[-1]
        pixel = pixel_at(layer, slide.dataset.pixels, world)
        if self.region_tool.held is not None:
            self.region_tool.label(pixel)
            return
        self.session.pick(pixel.row, pixel.column, pixel.plane)

    def close(self) -> None:
        """Cut every tie; the layers stay in the viewer."""
        forget(self)
        self.session.files.views.detach("viewer", self.view)
        self.annotating.take_all()
        for signal, slot in self._ties():
            signal.disconnect(slot)
        if self._clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._clicked)
        self._keys.close()
        self.regions.close()
        self.annotating.close()

    # ---- ties -------------------------------------------------------------------------------

    def _ties(self) -> tuple[tuple[Any, Callable[..., object]], ...]:
        session, layers = self.session, self.viewer.layers
        return (
            (session.slide_opened, self._slide_known),
            (session.slide_surveyed, self._slide_known),
            (session.slide_verified, self.slides.retell),
            (session.slide_closed, self._slide_closed),
            (session.active_changed, self.slides.activate),
            (session.annotation_changed, self._annotation_changed),
            (session.ion_shown, self._ion_shown),
            (session.ion_pinned, self._ion_pinned),
            (session.ions_combined, self._ions_combined),
            (session.measure_changed, self.ions.measure_by),
            (session.predicted, self._predicted),
            (session.previewed, self._previewed),
            (session.job_ended, self._job_ended),
            (session.session_saved, self._session_saved),
            (layers.events.inserted, self._layer_added),
            (layers.events.removed, self._layer_removed),
            (layers.selection.events.active, self._layer_selected),
        )

    def _connect(self) -> None:
        for signal, slot in self._ties():
            signal.connect(slot)
        self.viewer.mouse_drag_callbacks.append(self._clicked)

    def _catch_up(self) -> None:
        """Take in what both sides already hold."""
        for layer in list(self.viewer.layers):
            self.overlays.watch(layer)
            tag = tag_of(layer)
            if tag is not None and tag.role not in ("labels", "class"):
                self.slides.meet(tag)
        for slide in self.session.slides:
            self._slide_known(slide)
            self._predicted(slide)
        self.slides.activate(self.session.active)
        for layer in list(self.viewer.layers):
            if isinstance(layer, Labels) and tag_of(layer) is None:
                self.annotating.meet(layer)

    # ---- from the session -------------------------------------------------------------------

    def _slide_known(self, slide: SlideState) -> None:
        self.slides.show(slide)
        self._annotation_changed(slide)

    def _slide_closed(self, slide: SlideState) -> None:
        self.annotating.forget(slide)
        self.slides.remove(slide)

    def _annotation_changed(self, slide: SlideState) -> None:
        with self.slides.busy():
            self.annotating.show(slide)
        self.overlays.mark(slide)

    def _ion_shown(self, shown: IonImage) -> None:
        with self.slides.busy():
            self.ions.show(shown)

    def _ion_pinned(self, pinned: IonImage) -> None:
        with self.slides.busy():
            self.ions.pin(pinned)

    def _ions_combined(self, three: tuple[IonImage, ...]) -> None:
        with self.slides.busy():
            self.ions.combine(three)

    def _predicted(self, slide: SlideState) -> None:
        with self.slides.busy():
            self.overlays.show_prediction(slide)

    def _previewed(self, half: SlideState) -> None:
        with self.slides.busy():
            self.overlays.show_preview(half)

    def _job_ended(self, lane: str) -> None:
        if lane == "predict" and self.session.classifier.left_half:
            with self.slides.busy():
                self.overlays.end_preview()

    def _session_saved(self, _: object) -> None:
        own = self.view.own_layers()
        if own:
            layers = "1 layer" if own == 1 else f"{own} layers"
            self.session.noticed.emit(
                f"The session is saved without {layers} of your own: File › Save keeps those."
            )

    # ---- from the viewer --------------------------------------------------------------------

    def _layer_added(self, event: Any) -> None:
        layer = event.value
        tag = tag_of(layer)
        self.overlays.watch(layer)
        if self.slides.is_busy:
            return
        if isinstance(layer, Labels):
            if not self.annotating.meet(layer):
                self._unwanted[layer] = self.annotating.replace_cube
        elif tag is not None and not self.slides.meet(tag):
            self._unwanted[layer] = lambda: None

    def _layer_removed(self, event: Any) -> None:
        self.annotating.lost(event.value)
        self.overlays.lost(event.value)
        if not self.slides.is_busy:
            self.ions.lost(event.value)
        self.slides.lost(event.value)

    def _layer_selected(self, event: Any) -> None:
        if event.value in self._unwanted:
            self._turn_away(event.value)
            return
        tag = None if self.slides.is_busy else tag_of(event.value)
        slide = next((s for s in self.session.slides if tag and s.dataset is tag.dataset), None)
        if slide is not None:
            self.session.activate(slide)

    def _turn_away(self, layer: Layer) -> None:
        """Remove a layer that is not wanted.

        napari selects a layer right after adding it and fails when it is gone by then, so this
        waits for the selection.
        """
        then = self._unwanted.pop(layer)
        with self.slides.busy():
            self.viewer.layers.remove(layer)
            then()
