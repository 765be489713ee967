"""What ties a napari layer to the slide it shows: a tag in the layer's metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, IonQuery

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_ims_tumor.msi.mass_axis import MassWindow
    from napari_ims_tumor.msi.overview import SlideOverview

Role = Literal[
    "tic", "stack", "peak", "pin", "ion", "rgb", "tumor", "alone", "class", "uncertainty",
    "disagreement", "unfamiliarity", "labels",
]  # fmt: skip
"""What a layer shows; in the order of the layer list, from the bottom up."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
TAG_KEY: Final = "ims_tumor"


@dataclass(frozen=True, eq=False)
class SlideTag:
    """Names the slide and the part that a layer plays for it.

    A layer may be renamed, moved or rescaled by the user; its tag stays, so layers are found by tag
    and never by name.

    Attributes
    ----------
    overview
        The slide's overview, where the layer was made together with it.
    window
        The m/z window of the ion image that the layer shows.
    measure
        By which that image was made.
    channel
        ``"red"``, ``"green"`` or ``"blue"`` for a part of an image of three ions.
    """

    dataset: MsiDataset
    role: Role
    overview: SlideOverview | None = None
    window: MassWindow | None = None
    measure: IonMeasure = PLAIN
    channel: str = ""

    @property
    def query(self) -> IonQuery | None:
        """Which ion image the layer shows; ``None`` for another layer."""
        return None if self.window is None else IonQuery(self.window, self.measure)

    def __deepcopy__(self, memo: dict[int, Any]) -> SlideTag:
        """Stay the same tag: duplicating a layer must not duplicate the slide behind it."""
        return self

    def as_metadata(self) -> dict[str, Any]:
        """Return the layer metadata that carries the tag and the slide's warnings."""
        return {TAG_KEY: self, "warnings": self.dataset.warnings}


def tag_in(metadata: Mapping[str, Any]) -> SlideTag | None:
    """Read the tag out of layer metadata; ``None`` for a layer that is not of a slide."""
    tag = metadata.get(TAG_KEY)
    return tag if isinstance(tag, SlideTag) else None


def tag_of(layer: Layer | None) -> SlideTag | None:
    """Read the tag of a layer; ``None`` for no layer, or one that is not of a slide."""
    return None if layer is None else tag_in(layer.metadata)


def layers_of(
    layers: Iterable[Layer], dataset: MsiDataset | None, *roles: Role
) -> tuple[Layer, ...]:
    """Find a slide's layers, of all roles or of those named, in the order of the layer list."""
    wanted = roles or ROLES
    tagged = ((layer, tag_of(layer)) for layer in layers)
    return tuple(
        layer for layer, tag in tagged if tag and tag.dataset is dataset and tag.role in wanted
    )


def first_of(layers: Iterable[Layer], dataset: MsiDataset | None, role: Role) -> Layer | None:
    """Find a slide's first layer of a role; ``None`` when there is none."""
    return next(iter(layers_of(layers, dataset, role)), None)
