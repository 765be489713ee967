"""Stored values to the JSON text of a session file and back; every number is checked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from numpy.typing import NDArray

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import ClassScheme, LabelClass
from napari_ims_tumor.io.session_file import ion_text
from napari_ims_tumor.io.session_file.archive import DAMAGED, Archive, Shape
from napari_ims_tumor.io.session_file.stored import (
    TRUST_IMAGES,
    SlideAddress,
    StoredPrediction,
    StoredSession,
    StoredSlide,
)

FORMAT: Final = "napari-ims-tumor session"
_ROLES: Final = ("healthy", "tumor", "other")

Arrays = Mapping[str, NDArray[Any]]


def to_archive(session: StoredSession, version: int) -> Archive:
    """Divide a session into text and arrays."""
    about = {
        "format": FORMAT,
        "version": version,
        "slides": [_slide_text(slide) for slide in session.slides],
        "active": session.active,
        "picked": None if session.picked is None else list(session.picked),
        "fit_log": [dict(entry) for entry in session.fit_log],
        "view": dict(session.view),
        "measure": ion_text.measure_text(session.measure),
    }
    arrays: dict[str, NDArray[Any]] = {}
    for number, slide in enumerate(session.slides):
        arrays |= _slide_arrays(number, slide)
    return Archive(about, arrays, session.model)


def shapes_in(about: Mapping[str, Any]) -> dict[str, Shape]:
    """Name, type and shape of every array that the text speaks of."""
    found: dict[str, Shape] = {}
    for number, slide in enumerate(_listed(about["slides"])):
        shape = _shape(slide["shape"])
        found[_member(number, "labels")] = ("|u1", shape)
        made = slide["prediction"]
        if made is not None:
            classes = len(_names(made["class_names"]))
            found[_member(number, "probabilities")] = ("<f4", (classes, *shape))
            if made.get("alone") is True:
                found[_member(number, "alone")] = ("<f4", (classes, *shape))
            for image in TRUST_IMAGES:
                if made.get(image) is True:
                    found[_member(number, image)] = ("<f4", shape)
    return found


def from_archive(about: Mapping[str, Any], arrays: Arrays, model: bytes | None) -> StoredSession:
    """Put text and arrays together again."""
    slides = tuple(
        _slide(number, text, arrays) for number, text in enumerate(_listed(about["slides"]))
    )
    active = _whole(about["active"], -1)
    if active >= len(slides):
        raise ValueError(f"slide {active} of {len(slides)}")
    row, column, plane = about["picked"] or (0, 0, 0)
    picked = (_whole(row, -(2**31)), _whole(column, -(2**31)), _whole(plane, -(2**31)))
    return StoredSession(
        slides=slides,
        active=active,
        picked=None if about["picked"] is None else picked,
        model=model,
        fit_log=tuple(dict(entry) for entry in _listed(about["fit_log"])),
        view=dict(about["view"]),
        measure=ion_text.measure(about.get("measure")),
    )


def _slide_text(slide: StoredSlide) -> dict[str, Any]:
    made, ion = slide.prediction, slide.ion
    return {
        "address": asdict(slide.address),
        "shape": list(slide.annotation.labels.shape),
        "labels_revision": slide.annotation.revision,
        "classes": [asdict(label) for label in slide.annotation.scheme.classes],
        "fitted_revision": slide.fitted_revision,
        "ion": None if ion is None else ion_text.window_text(ion),
        "pins": [ion_text.query_text(query) for query in slide.pins],
        "combined": [ion_text.query_text(query) for query in slide.combined],
        "prediction": None if made is None else _prediction_text(made),
    }


def _prediction_text(made: StoredPrediction) -> dict[str, Any]:
    return {
        "class_names": list(made.class_names),
        "calibrated": made.calibrated,
        "model_id": made.model_id,
        "annotation_revision": made.annotation_revision,
        "labels_revision": made.labels_revision,
        "answers": [list(point) for point in made.answers],
        **{image: getattr(made, image) is not None for image in (*TRUST_IMAGES, "alone")},
    }


def _slide_arrays(number: int, slide: StoredSlide) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {_member(number, "labels"): slide.annotation.labels}
    if slide.prediction is not None:
        made = slide.prediction
        arrays[_member(number, "probabilities")] = made.probabilities.astype("<f4")
        for name in (*TRUST_IMAGES, "alone"):
            image = getattr(made, name)
            if image is not None:
                arrays[_member(number, name)] = image.astype("<f4")
    return arrays


def _slide(number: int, text: Mapping[str, Any], arrays: Arrays) -> StoredSlide:
    labels = arrays[_member(number, "labels")]
    scheme = ClassScheme(tuple(_label_class(entry) for entry in _listed(text["classes"])))
    if len(set(scheme.values)) != len(scheme):
        raise ValueError("two classes have the same number")
    fitted = text["fitted_revision"]
    return StoredSlide(
        address=_address(text["address"]),
        annotation=Annotation(labels, scheme, _whole(text["labels_revision"])),
        prediction=_prediction(number, text["prediction"], arrays),
        ion=None if text["ion"] is None else ion_text.window(text["ion"]),
        pins=ion_text.queries(text.get("pins")),
        combined=ion_text.queries(text.get("combined")),
        fitted_revision=None if fitted is None else _whole(fitted),
    )


def _prediction(
    number: int, text: Mapping[str, Any] | None, arrays: Arrays
) -> StoredPrediction | None:
    if text is None:
        return None
    revision = text["labels_revision"]
    return StoredPrediction(
        probabilities=arrays[_member(number, "probabilities")],
        class_names=_names(text["class_names"]),
        calibrated=bool(text["calibrated"]),
        model_id=_word(text["model_id"]),
        annotation_revision=_whole(text["annotation_revision"]),
        labels_revision=None if revision is None else _whole(revision),
        # Sessions of before know of fewer.
        answers=tuple(_point(point) for point in _listed(text.get("answers") or [])),
        **{image: arrays.get(_member(number, image)) for image in (*TRUST_IMAGES, "alone")},
    )


def _point(values: Any) -> tuple[float, float, float]:
    confidence, share, right = (float(value) for value in _listed(values))
    if not all(0 <= value <= 1.001 for value in (confidence, share, right)):
        raise ValueError(f"{values} are no shares")
    return confidence, share, right


def _label_class(text: Mapping[str, Any]) -> LabelClass:
    value, role, color = _whole(text["value"], 1), text["role"], _word(text["color"])
    if value > 127 or role not in _ROLES or len(color) != 7:
        raise ValueError(f"{text} is no class")
    int(color[1:], 16)
    return LabelClass(value, _word(text["name"]), color, role)


def _address(text: Mapping[str, Any]) -> SlideAddress:
    words = ("name", "relative", "absolute", "uuid", "sha256", "checksum")
    first, second = text["nbytes"]
    recipe = text["recipe"]
    return SlideAddress(
        **{name: _word(text[name]) for name in words},
        nbytes=(_whole(first), _whole(second)),
        recipe=None if recipe is None else dict(recipe),
    )


def _member(number: int, what: str) -> str:
    return f"slides/{number}/{what}.npy"


def _shape(values: Any) -> tuple[int, ...]:
    shape = tuple(_whole(value, 1) for value in _listed(values))
    if len(shape) not in (2, 3):
        raise ValueError(f"{shape} is no shape of an image")
    return shape


def _names(values: Any) -> tuple[str, ...]:
    names = tuple(_word(value) for value in _listed(values))
    if not 1 <= len(names) <= 255:
        raise ValueError("a prediction has classes")
    return names


def _listed(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise TypeError(DAMAGED)
    return values


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(DAMAGED)
    return value


def _whole(value: Any, least: int = 0) -> int:
    if type(value) is not int or not least <= value < 2**53:
        raise ValueError(f"{value!r} is not a whole number from {least} on")
    return value
