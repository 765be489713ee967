"""Model files: safetensors (plain arrays, no code) with one JSON text inside.

Everything in the header is checked before any weight is loaded; nothing in a model file is ever
executed. The same model gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError, ModelFileError
from napari_ims_tumor.model.config import MAX_BINS, NETWORKS, NetworkConfig
from napari_ims_tumor.model.fitted_model import (
    FORMER_LIKENESS,
    FORMER_STRENGTH,
    EpochRecord,
    FittedModel,
)
from napari_ims_tumor.model.neighborhood import STRENGTHS
from napari_ims_tumor.model.preparation import Preparation
from napari_ims_tumor.model.seen import Seen
from napari_ims_tumor.model.trust import TRUST_ARRAYS, Trust, trust_shapes
from napari_ims_tumor.model.weight_shapes import VARIANCE, weight_shapes
from napari_ims_tumor.msi.mass_axis import MassAxis

FORMAT_VERSION: Final = 2
"""2 may hold what a model knows of its limits, and what is done to spectra before it sees them;
files of version 1 hold neither."""
METADATA_KEY: Final = "napari-ims-tumor"
AXIS: Final = "axis.mz"
DIGEST: Final = "digest"
MAX_HEADER_BYTES: Final = 4 * 1024 * 1024


def model_bytes(model: FittedModel) -> bytes:
    """The content of a model file."""
    about = {
        **model.settings(),
        "version": FORMAT_VERSION,
        "model_id": model.model_id,
        "annotation_revision": model.annotation_revision,
        "history": [asdict(record) for record in model.history],
        "card": dict(model.card),
        **({} if model.seen is None else {"seen": model.seen.as_dict()}),
    }
    sealed = {**about, DIGEST: _digest(about)}
    text = json.dumps(sealed, sort_keys=True, allow_nan=False)
    stored = {**model.weights, **model.trust.arrays()}
    arrays = {name: np.ascontiguousarray(v) for name, v in stored.items()}
    content: bytes = save_arrays({**arrays, AXIS: model.axis.mz}, {METADATA_KEY: text})
    return content


def write_model(path: str | os.PathLike[str], model: FittedModel) -> None:
    """Write a model file; an older file stays whole until the new one is complete."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(model_bytes(model))


def read_model(path: str | os.PathLike[str]) -> FittedModel:
    """Read a model file, refusing everything that is not a sound one."""
    target = Path(path)
    try:
        content = target.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{target}: cannot be read ({error.strerror}).") from error
    return model_from_bytes(content, target.name)


def is_model_file(path: Path) -> bool:
    """Whether a file says that it is a model of this program; its weights are not looked at."""
    try:
        _about(_header(path.read_bytes()))
    except (OSError, ModelFileError):
        return False
    return True


def model_from_bytes(content: bytes, name: str) -> FittedModel:
    """Read the content of a model file that lies somewhere else, under the name it has there."""
    try:
        return _from_bytes(content)
    except ImsTumorError as error:
        raise ModelFileError(f"{name}: {error}") from error


def _from_bytes(content: bytes) -> FittedModel:
    header = _header(content)
    about = _about(header)
    network = _network(about)
    _check_arrays(header, network)
    try:
        arrays = dict(load_arrays(content))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise ModelFileError("the file is damaged: copy it again from where it came") from error
    if not all(_are_numbers(name, values) for name, values in arrays.items()):
        raise ModelFileError("the file holds weights that are not numbers: fit the model again")
    return _model(about, network, arrays)


def _are_numbers(name: str, values: np.ndarray[Any, Any]) -> bool:
    """Finite, and where a square root will be taken not below 0."""
    lowest = 0 if name.endswith(VARIANCE) else -np.inf
    return bool((np.isfinite(values) & (values >= lowest)).all())


def _header(content: bytes) -> dict[str, Any]:
    """The JSON header of a safetensors file."""
    # The file begins with the header's length, which may look like the beginning of a pickle: only
    # where no header follows is it one.
    is_pickle = content[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
    if is_pickle and content[8:9] != b"{":
        raise ModelFileError(
            "this is a pickle or zip file, which can run code when opened; it was not opened. "
            "Models of this program end in .safetensors"
        )
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(content) - 8):
        raise ModelFileError("not a model file of this program, or cut off: copy it again")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ModelFileError("not a model file of this program, or damaged: copy it again")
    return header


def _about(header: dict[str, Any]) -> dict[str, Any]:
    """Our own JSON text, after its version was checked."""
    metadata = header.get("__metadata__")
    text = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ModelFileError("a safetensors file, but not a model of this program")
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or not isinstance(about.get("version"), int):
        raise ModelFileError("the description in the model file is damaged: copy it again")
    if about["version"] > FORMAT_VERSION:
        raise ModelFileError(
            f"written by a newer version of this program (format {about['version']}, known: "
            f"{FORMAT_VERSION}): update napari-ims-tumor"
        )
    return about


def _digest(about: dict[str, Any]) -> str:
    """Hash of all that is said in a model file; the model's id covers only what predicts."""
    said = {name: value for name, value in about.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _network(about: dict[str, Any]) -> NetworkConfig:
    """The network's shape, held to what this program can have written."""
    try:
        found = dict(about["network"])
        network = NetworkConfig(**{**found, "dilations": tuple(found["dilations"])})
        sound = network.network in NETWORKS and 1 <= network.bins <= MAX_BINS
        sound = sound and _counts_are_sound(network) and _names_are_sound(about, network)
    except (KeyError, OverflowError, TypeError, ValueError):
        sound = False
    if not sound:
        raise ModelFileError("the model file describes a network this program cannot build")
    return network


def _counts_are_sound(network: NetworkConfig) -> bool:
    counts = [value for name, value in asdict(network).items() if name not in _NOT_COUNTS]
    counts += list(network.dilations)
    whole = all(type(c) is int and 1 <= c <= MAX_BINS for c in counts)
    odd = network.stem_kernel % 2 == 1 and network.kernel % 2 == 1
    sound = whole and odd and network.channels % 4 == 0 and len(network.dilations) <= 16
    if sound and network.is_plain:
        # These have one shape per axis, and no other.
        return network == NetworkConfig.for_axis(network.network, network.bins, network.classes)
    return sound


_NOT_COUNTS: Final = ("network", "dilations")


def _names_are_sound(about: dict[str, Any], network: NetworkConfig) -> bool:
    names = about["class_names"]
    return len(names) == network.classes and all(isinstance(name, str) for name in names)


def _check_arrays(header: dict[str, Any], network: NetworkConfig) -> None:
    """Names, types and shapes of the stored arrays must be those of the network."""
    shapes = {**weight_shapes(network), **trust_shapes(header, network.bins)}
    expected = {name: ("F32", shape) for name, shape in shapes.items()}
    expected[AXIS] = ("F64", (network.bins,))
    if header.keys() - {"__metadata__"} != expected.keys():
        raise ModelFileError("the model file lacks weights, or holds foreign ones")
    for name, (dtype, shape) in expected.items():
        entry = header[name]
        stored = entry if isinstance(entry, dict) else {}
        if stored.get("dtype") != dtype or stored.get("shape") != list(shape):
            raise ModelFileError(f"the weights {name} in the model file have the wrong shape")


def _model(
    about: dict[str, Any], network: NetworkConfig, arrays: dict[str, np.ndarray[Any, Any]]
) -> FittedModel:
    axis = MassAxis(arrays.pop(AXIS))
    own = {name: arrays.pop(name) for name in TRUST_ARRAYS if name in arrays}
    try:
        temperature = _heat(about["temperature"])
        model = FittedModel(
            weights=arrays,
            network=network,
            axis=axis,
            class_names=tuple(about["class_names"]),
            blend=float(about["blend"]),
            temperature=temperature,
            history=tuple(EpochRecord(**record) for record in about["history"]),
            annotation_revision=int(about["annotation_revision"]),
            card=dict(about["card"]),
            seen=Seen.from_dict(about.get("seen")),
            trust=Trust.of(own),
            preparation=Preparation(**about.get("preparation", {})),
            neighbor_temperature=_heat(about.get("neighbor_temperature")),
            neighbor_strength=_strength(about.get("neighbor_strength", FORMER_STRENGTH)),
            neighbor_likeness=_likeness(about.get("neighbor_likeness", FORMER_LIKENESS)),
        )
        sound = _is_share(model.blend, network) and model.preparation.is_sound
        sound = sound and about.get(DIGEST) == _digest(about)
    except (KeyError, OverflowError, TypeError, ValueError):
        sound = False
    if not sound or model.model_id != about.get("model_id"):
        raise ModelFileError("the model file was changed or damaged: copy it again")
    return model


def _heat(stored: float | None) -> float | None:
    """A temperature, held to what can have been written."""
    if stored is not None and not 0 < float(stored) < 1e6:
        raise ValueError("a temperature is above 0")
    return None if stored is None else float(stored)


def _strength(stored: float) -> float:
    """A strength of neighbors, held to what can have been written."""
    if not 0 < float(stored) <= max(STRENGTHS):
        raise ValueError("a strength lies above 0, and is bounded")
    return float(stored)


def _likeness(stored: float) -> float:
    """How fast weights of neighbors fall, held to what can have been written."""
    if not 0 < float(stored) <= FORMER_LIKENESS:
        raise ValueError("weights of neighbors fall, and not at once")
    return float(stored)


def _is_share(blend: float, network: NetworkConfig) -> bool:
    """Whether a network can have this share: 0 to 1, and one that answers alone has all of it."""
    return blend == 1 if network.is_plain else 0 <= blend <= 1
