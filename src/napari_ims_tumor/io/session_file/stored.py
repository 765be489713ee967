"""What a session file holds, as values: where the slides lie and what was made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.msi.arrays import Float32Array, frozen
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow

TRUST_IMAGES: Final = ("disagreement", "unfamiliarity")
"""Images that a prediction may have or lack."""


@dataclass(frozen=True, slots=True)
class SlideAddress:
    """Where a slide lies, and how to tell that it is still the same one.

    Attributes
    ----------
    name
        The slide's short name.
    relative
        Path of the .imzML from the session file's folder, with slashes; empty where it does not
        lie below that folder.
    absolute
        Its whole path when the session was saved.
    uuid
        The identity that the .imzML states, hexadecimal digits; empty where it states none.
    sha256
        Of the .imzML, or of the spectra of a slide without a file.
    nbytes
        Sizes of the .imzML and the .ibd.
    checksum
        Of the .ibd, as the .imzML states it; empty where it states none.
    recipe
        How a simulated slide without a file is made again; ``None`` for one in a file.
    """

    name: str
    relative: str = ""
    absolute: str = ""
    uuid: str = ""
    sha256: str = ""
    nbytes: tuple[int, int] = (0, 0)
    checksum: str = ""
    recipe: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class StoredPrediction:
    """A prediction as it was shown.

    Attributes
    ----------
    probabilities
        Shape (classes, *image_shape), float32.
    alone
        Like ``probabilities``, of each pixel without its neighbors; or ``None``.
    disagreement, unfamiliarity
        Shape (*image_shape), float32, or ``None``.
    answers
        Confidence, share of the pixels, share of right answers among them; empty where not known.
    labels_revision
        Revision of this slide's labels that the model was fitted to; ``None`` where it saw none.
    """

    probabilities: Float32Array
    class_names: tuple[str, ...]
    calibrated: bool
    model_id: str
    annotation_revision: int = 0
    disagreement: Float32Array | None = None
    labels_revision: int | None = None
    unfamiliarity: Float32Array | None = None
    alone: Float32Array | None = None
    answers: tuple[tuple[float, float, float], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", frozen(self.probabilities, np.float32))
        for name in (*TRUST_IMAGES, "alone"):
            image = getattr(self, name)
            if image is not None:
                object.__setattr__(self, name, frozen(image, np.float32))


@dataclass(frozen=True, eq=False)
class StoredSlide:
    """One slide of a session.

    Attributes
    ----------
    ion
        The m/z window whose ion image is shown.
    pins, combined
        The ion images that are pinned, and the three that are red, green and blue.
    fitted_revision
        Revision of the labels that the session's model was fitted to.
    """

    address: SlideAddress
    annotation: Annotation
    prediction: StoredPrediction | None = None
    ion: MassWindow | None = None
    fitted_revision: int | None = None
    pins: tuple[IonQuery, ...] = ()
    combined: tuple[IonQuery, ...] = ()


@dataclass(frozen=True, eq=False)
class StoredSession:
    """All that a session file holds.

    Attributes
    ----------
    active
        Which slide was worked on; −1 for none.
    picked
        (row, column, plane) of the pixel whose spectrum was shown.
    model
        The bytes of a model file.
    fit_log
        What the last fit reported, JSON-able.
    view
        How it was looked at, JSON-able; only whoever shows it knows what is inside.
    measure
        By which ion images are made.
    """

    slides: tuple[StoredSlide, ...] = ()
    active: int = -1
    picked: tuple[int, int, int] | None = None
    model: bytes | None = None
    fit_log: tuple[Mapping[str, Any], ...] = ()
    view: Mapping[str, Any] = field(default_factory=dict)
    measure: IonMeasure = PLAIN
