"""Ion images, put over the tissue: the one that is shown, those that are pinned, three in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_ims_tumor.msi.ion_measure import IonMeasure, IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage
from napari_ims_tumor.viewer.channel_axis import channel_at
from napari_ims_tumor.viewer.contrast import (
    channel_limits,
    contrast_limits,
    contrast_range,
    draw_between,
)
from napari_ims_tumor.viewer.layer_list import ION_ROLES, insert_layer, show_alone, update_layer
from napari_ims_tumor.viewer.layers import ion_layer, pin_layer, rgb_layers
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.slide_tag import layers_of, tag_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class IonLayers:
    """Keeps the ion layers of every slide up to date.

    Attributes
    ----------
    clip
        Whether hot spots are drawn as bright as the 99.5th percentile: for the eye, never the data.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self.clip = True

    def show(self, shown: IonImage) -> None:
        """Show an ion image in the slide's one ion layer."""
        layer = update_layer(self._viewer, ion_layer(shown))
        self._fit_contrast(layer)
        readout_of(self._viewer).follow(shown.window.center)
        show_alone(self._viewer, layer)

    def pin(self, made: IonImage) -> None:
        """Add an ion image as a layer of its own, and show that."""
        layer = insert_layer(self._viewer, pin_layer(made))
        self._fit_contrast(layer)
        show_alone(self._viewer, layer)

    def combine(self, three: Sequence[IonImage]) -> None:
        """Show three ion images as red, green and blue."""
        layers = [update_layer(self._viewer, made) for made in rgb_layers(three)]
        for layer in layers:
            self._fit_contrast(layer)
        show_alone(self._viewer, *layers)
        readout_of(self._viewer).write()

    def measure_by(self, measure: IonMeasure) -> None:
        """Make the images of the slider by another measure."""
        for layer in self._viewer.layers:
            if isinstance(layer.data, LazyIonStack) and layer.data.measure != measure:
                layer.data.measure_by(measure)
                layer.refresh()
        readout_of(self._viewer).renew()

    def clip_hot_spots(self, clip: bool) -> None:
        """Draw hot spots as bright as the rest, or in full."""
        self.clip = readout_of(self._viewer).clip = clip
        for slide in self._session.slides:
            for layer in layers_of(self._viewer.layers, slide.dataset, *ION_ROLES):
                if not isinstance(layer.data, LazyIonStack):
                    self._fit_contrast(layer)
        readout_of(self._viewer).renew()

    def seen(self) -> IonQuery | None:
        """Which ion image of the active slide is seen: the topmost; ``None`` if none is."""
        slide = self._session.active
        layers = layers_of(self._viewer.layers, slide.dataset, *ION_ROLES) if slide else ()
        for layer in reversed(layers):
            tag = tag_of(layer)
            if not layer.visible or tag is None or tag.role == "rgb":
                continue
            if isinstance(layer.data, LazyIonStack):
                window = layer.data.channels[channel_at(self._viewer, layer)]
                return IonQuery(window, layer.data.measure)
            return tag.query
        return None

    def slider_window(self) -> MassWindow | None:
        """The m/z window that the slider stands at, where its image is what is seen."""
        readout = readout_of(self._viewer)
        return readout.window() if readout.is_seen else None

    # ---- what the dock's buttons and keys do ------------------------------------------------

    def step_peak(self, forward: bool) -> None:
        """Go to the next or the previous picked peak: with the slider where that is seen."""
        slide, seen, readout = self._session.active, self.seen(), readout_of(self._viewer)
        here = seen.window if seen is not None else readout.window()
        if slide is None or slide.overview is None or here is None:
            return
        peak = self._session.ions.peaks(slide).beside(here.center, forward)
        while peak is not None and readout.is_at(peak.mz):
            # A channel may lie between two peaks: the slider must not stop there for ever.
            peak = self._session.ions.peaks(slide).beside(peak.mz, forward)
        if peak is None:
            which = "above" if forward else "below"
            self._session.noticed.emit(f"No peak was picked {which} {here}.")
        elif readout.is_seen:
            readout.go_to(peak.mz)
        else:
            self._session.show_ion(peak.window)

    def pin_seen(self) -> None:
        """Keep the ion image that is seen as a layer of its own."""
        seen = self.seen()
        if seen is None:
            self._session.noticed.emit("No ion image is seen: click a peak of the spectrum first.")
        else:
            self._session.ions.pin(seen.window, seen.measure)

    def lost(self, layer: Layer) -> None:
        """Unpin the ion image whose layer was deleted."""
        tag = tag_of(layer)
        slide = next((s for s in self._session.slides if tag and s.dataset is tag.dataset), None)
        if tag is None or slide is None or tag.query is None:
            return
        # napari can duplicate a layer: the last one of a pin unpins it.
        same = (tag_of(other) for other in layers_of(self._viewer.layers, slide.dataset, tag.role))
        if tag.role == "pin" and not any(other and other.query == tag.query for other in same):
            self._session.ions.unpin(slide, tag.query)
        elif tag.role == "rgb" and not layers_of(self._viewer.layers, slide.dataset, "rgb"):
            self._session.ions.separate(slide)

    def _fit_contrast(self, layer: Layer) -> None:
        tag, image = tag_of(layer), layer.data
        of_three = tag is not None and tag.role == "rgb"
        limits = (channel_limits if of_three else contrast_limits)(image, self.clip)
        draw_between(layer, limits, contrast_range(image, limits))
