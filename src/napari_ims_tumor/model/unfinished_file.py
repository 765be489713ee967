"""The file beside a model whose fit was ended: safetensors, like the model, and as plain."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.model.checkpoint import read_model
from napari_ims_tumor.model.epoch_choice import BLENDS, Choice
from napari_ims_tumor.model.fitted_model import EpochRecord, FittedModel
from napari_ims_tumor.model.unfinished import NO_FIT, Unfinished

SUFFIX: Final = ".unfinished"
FORMAT_VERSION: Final = 2
"""2 has a digest of all that is said, not of the arrays alone."""
KEY: Final = "napari-ims-tumor unfinished fit"
_LOGITS: Final = "best.logits"
_WEIGHTS: Final = "best.weights."
_DIGEST: Final = "digest"

_DAMAGE: Final = (
    OSError, safetensors.SafetensorError, KeyError, OverflowError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip


def unfinished_path(model: str | os.PathLike[str]) -> Path:
    """Where an unfinished fit lies: beside its model."""
    path = Path(model)
    return path.with_name(path.name + SUFFIX)


def write_unfinished(model: str | os.PathLike[str], unfinished: Unfinished) -> Path:
    """Write the file beside a model, which must have been written; the base is not in it."""
    best, path = unfinished.best, unfinished_path(model)
    arrays: dict[str, NDArray[Any]] = {_WEIGHTS + n: v for n, v in best.weights.items()}
    if best.logits is not None:
        arrays[_LOGITS] = best.logits
    for number, state in enumerate(unfinished.trainers):
        arrays |= {f"{number}.{name}": values for name, values in state.items()}
    arrays = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    about = {
        "version": FORMAT_VERSION,
        "mark": unfinished.mark,
        "model_id": unfinished.model and unfinished.model.model_id,
        "trainers": len(unfinished.trainers),
        "folds": unfinished.folds,
        "doubted": unfinished.doubted,
        "best": [best.loss, best.epoch, best.blend, best.score],
        "history": [asdict(record) for record in unfinished.history],
    }
    sealed = {**about, _DIGEST: _digest(about, arrays)}
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(arrays, {KEY: json.dumps(sealed, sort_keys=True)}))
    return path


def read_unfinished(model: str | os.PathLike[str], base: FittedModel | None) -> Unfinished:
    """Read the unfinished fit beside a model.

    Parameters
    ----------
    base
        The model that the fit had started from, if there was one.

    Raises
    ------
    ModelFileError
        There is none, it is damaged or of another version, or another model lies beside it by now.
    """
    path = unfinished_path(model)
    if not path.is_file():
        raise ModelFileError(
            f"{path.name}: there is no such file, so no fit of this model was ended early that "
            "could go on. Fit anew, without --resume"
        )
    so_far = read_model(model)
    try:
        unfinished, model_id = _read(path, base)
    except _DAMAGE as error:
        raise ModelFileError(f"{path.name}: {NO_FIT}") from error
    if model_id != so_far.model_id:
        raise ModelFileError(
            f"{path.name} belongs to another model than {Path(model).name}: fit anew, without "
            "--resume"
        )
    return replace(unfinished, model=so_far)


def _read(path: Path, base: FittedModel | None) -> tuple[Unfinished, str]:
    with safetensors.safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()[KEY])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    if about["version"] != FORMAT_VERSION:
        raise ModelFileError(
            f"{path.name} was written by another version of this program, so the fit cannot go on: "
            "fit anew, without --resume"
        )
    if about[_DIGEST] != _digest(about, arrays):
        raise ValueError("damaged")
    if not 0 < about["trainers"] <= len(arrays):
        raise ValueError("more CNNs than arrays")
    if not isinstance(about["mark"], str) or not isinstance(about["doubted"], bool):
        raise TypeError("a mark is a text, a doubt is there or not")
    loss, epoch, blend, score = about["best"]
    best = Choice(loss, epoch, blend, score, arrays.get(_LOGITS), _named(arrays, _WEIGHTS))
    unfinished = Unfinished(
        about["mark"],
        tuple(_named(arrays, f"{number}.") for number in range(about["trainers"])),
        about["folds"],
        best,
        tuple(EpochRecord(**record) for record in about["history"]),
        base,
        doubted=about["doubted"],
    )
    if not _is_sound(unfinished):
        raise ValueError("not what this program writes")
    return unfinished, about["model_id"]


def _is_sound(found: Unfinished) -> bool:
    """Whether it is what a fit can have left: a digest tells of damage, not of another writer."""
    best, epochs = found.best, tuple(record.epoch for record in found.history)
    scores = (best.score, *(record.held_out_score for record in found.history))
    losses = (best.loss, *(record.loss for record in found.history))
    counts = (found.folds, best.epoch, *epochs)
    return (
        all(type(count) is int for count in counts)
        and epochs == tuple(range(1, len(epochs) + 1))
        and 0 <= best.epoch <= len(epochs)
        and 1 <= found.folds <= len(found.trainers) <= found.folds + 1
        and all(_is_number(loss) for loss in losses)
        and all(score is None or (_is_number(score) and 0 <= score <= 1) for score in scores)
        and best.blend in BLENDS
    )


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(cast("float", value))


def _named(arrays: dict[str, NDArray[Any]], start: str) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(start): v for n, v in arrays.items() if n.startswith(start)}


def _digest(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Hash of all that is said in the file, and of all numbers with their types and shapes."""
    said = {name: value for name, value in about.items() if name != _DIGEST}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())
    return digest.hexdigest()
