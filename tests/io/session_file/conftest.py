"""A small session, and a file of format version 1 written by hand."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.io.session_file import (
    SlideAddress,
    StoredPrediction,
    StoredSession,
    StoredSlide,
)
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow


def npy(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, values)
    return content.getvalue()


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", kind) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


LABELS = np.array([[0, 1, 2], [0, 0, 2]], np.uint8)
PROBABILITIES = np.array([[[np.nan, 0.75, 0.25]] * 2, [[np.nan, 0.25, 0.75]] * 2], np.float32)

VERSION_1: dict[str, Any] = {
    "format": "napari-ims-tumor session",
    "version": 1,
    "active": 0,
    "picked": [1, 2, 0],
    "fit_log": [
        {
            "phase": "Network", "epoch": 1, "epochs": 2, "loss": 0.5, "held_out_score": 0.9,
            "linear_score": 0.8, "note": "",
        }
    ],
    "view": {"viewer": {"scale_bar": True}},
    "slides": [
        {
            "address": {
                "name": "tissue", "relative": "slides/tissue.imzML",
                "absolute": "/study/slides/tissue.imzML", "uuid": "0123456789abcdef" * 2,
                "sha256": "ab" * 32, "nbytes": [1000, 2000], "checksum": "SHA-1 cd", "recipe": None,
            },
            "shape": [2, 3],
            "labels_revision": 4,
            "fitted_revision": 3,
            "ion": [798.6, 0.3, "Da"],
            "classes": [
                {"value": 1, "name": "healthy", "color": "#0072b2", "role": "healthy"},
                {"value": 2, "name": "tumor", "color": "#d55e00", "role": "tumor"},
            ],
            "prediction": {
                "class_names": ["healthy", "tumor"], "calibrated": True, "model_id": "0123abcd",
                "annotation_revision": 3, "labels_revision": 3, "disagreement": False,
            },
        }
    ],
}  # fmt: skip
"""What this program wrote into session.json in format version 1. It is not to be changed: files
like it lie on disks."""


def version_1(**changes: Any) -> dict[str, bytes]:
    """The members of a file of version 1; its text may be changed."""
    return {
        "session.json": json.dumps({**VERSION_1, **changes}).encode(),
        "model.safetensors": b"the bytes of a model",
        "slides/0/labels.npy": npy(LABELS),
        "slides/0/probabilities.npy": npy(PROBABILITIES),
    }


@pytest.fixture
def stored() -> StoredSession:
    """The session that the file of version 1 holds."""
    address = SlideAddress(
        "tissue", "slides/tissue.imzML", "/study/slides/tissue.imzML", "0123456789abcdef" * 2,
        "ab" * 32, (1000, 2000), "SHA-1 cd",
    )  # fmt: skip
    made = StoredPrediction(PROBABILITIES, ("healthy", "tumor"), True, "0123abcd", 3, None, 3)
    slide = StoredSlide(
        address,
        Annotation(LABELS, revision=4),
        made,
        MassWindow(798.6, MassTolerance(0.3)),
        fitted_revision=3,
    )
    return StoredSession(
        (slide,), 0, (1, 2, 0), b"the bytes of a model", tuple(VERSION_1["fit_log"]),
        VERSION_1["view"],
    )  # fmt: skip
