"""Strokes are never lost: a copy in the user's own folder, offered back after a crash.

One file per open slide and window, never beside the data (the folder may be read-only). A file is
removed when its strokes are saved by the user, so whatever is found at the next start was not. What
a window that still runs keeps is that window's own, and offered to nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from platformdirs import user_data_path

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.session.life_sign import LifeSign, is_alive

FORMAT_VERSION = 1
FOLDER_VARIABLE = "IMS_TUMOR_AUTOSAVE"
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    LabelsError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class RecoveredStrokes:
    """Strokes left by a window that ended before they were saved.

    Attributes
    ----------
    saved_at
        Seconds since the epoch.
    """

    path: Path
    annotation: Annotation
    saved_at: float

    @property
    def n_pixels(self) -> int:
        """How many pixels are labelled."""
        return int((self.annotation.labels > 0).sum())

    def describe(self) -> str:
        """Say in one sentence what was found."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.saved_at))
        return f"{self.n_pixels} painted pixels from {when} were never saved."


class Autosave:
    """Writes one session's strokes and finds those of sessions that are gone."""

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get(FOLDER_VARIABLE)
        default = Path(named) if named else user_data_path("napari-ims-tumor") / "autosave"
        self.folder = folder or default
        self._token = _new_token()
        self._alive = LifeSign(self._sign_of(self._token))

    def write(self, dataset: MsiDataset, annotation: Annotation) -> Path:
        """Keep a copy of the strokes; the old copy stays whole until the new one is."""
        about = {"version": FORMAT_VERSION, "slide": _identity(dataset), "saved_at": time.time()}
        path = self._own_path(dataset)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._alive.show()
        text = np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8)
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez_compressed(file, labels=annotation.labels, about=text)
        return path

    def forget(self, dataset: MsiDataset) -> None:
        """Remove this session's copy: the user has saved the strokes, or erased all of them."""
        self._own_path(dataset).unlink(missing_ok=True)

    def leave(self, dataset: MsiDataset) -> None:
        """Give this session's copy away: whoever opens the slide next is offered it."""
        own = self._own_path(dataset)
        with suppress(OSError):
            own.rename(own.with_name(f"{_key(dataset)}-{_new_token()}.npz"))

    def close(self) -> None:
        """Give all copies of this session away."""
        self._alive.close()

    def discard(self, found: RecoveredStrokes) -> None:
        """Remove strokes that the user does not want back."""
        found.path.unlink(missing_ok=True)

    def find(self, dataset: MsiDataset) -> RecoveredStrokes | None:
        """Look for the newest unsaved strokes on this slide that another session left."""
        pattern = f"{_key(dataset)}-*.npz"
        left = [path for path in self.folder.glob(pattern) if not self._is_in_use(path)]
        found = [strokes for path in left if (strokes := _read(path, dataset)) is not None]
        return max(found, key=lambda strokes: strokes.saved_at, default=None)

    def _is_in_use(self, path: Path) -> bool:
        token = path.stem.rpartition("-")[2]
        return token == self._token or is_alive(self._sign_of(token))

    def _sign_of(self, token: str) -> Path:
        return self.folder / f"{token}.alive"

    def _own_path(self, dataset: MsiDataset) -> Path:
        return self.folder / f"{_key(dataset)}-{self._token}.npz"


def _new_token() -> str:
    return uuid4().hex[:12]


def _identity(dataset: MsiDataset) -> dict[str, object]:
    source = str(dataset.source.resolve()) if dataset.source else dataset.name
    return {"source": source, "shape": list(dataset.pixels.image_shape), "n": dataset.n_spectra}


def _key(dataset: MsiDataset) -> str:
    text = json.dumps(_identity(dataset), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _read(path: Path, dataset: MsiDataset) -> RecoveredStrokes | None:
    """Read one copy; a damaged or foreign file is no reason to disturb anybody."""
    try:
        # Opened here, not by numpy: a damaged archive would leave numpy's file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            labels = stored["labels"]
            about = json.loads(bytes(stored["about"]))
        if about["version"] > FORMAT_VERSION or labels.shape != dataset.pixels.image_shape:
            return None
        if not labels.any():
            return None
        return RecoveredStrokes(path, Annotation(labels), float(about["saved_at"]))
    except _UNREADABLE:
        return None
