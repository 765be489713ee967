"""Thousands of ion images as one array that makes only the image on screen."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float32Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, measured_images
from napari_ims_tumor.msi.mass_axis import MassWindow

CACHE_BYTES: Final = 64 * 10**6
"""Images looked at are kept up to here."""
WHOLE_BYTES: Final = 64 * 10**6
"""Largest part that is made at once: what the eye never sees at once needs no more."""
_PIECE_BYTES: Final = 8 * 10**6
"""Images are made in pieces of this size, so that a part is held once and not several times."""


def ignore(_: str) -> None:
    """Take note of nothing."""


class LazyIonStack:
    """Ion images of a slide, shape (channels, *image_shape), float32, read when looked at.

    It is indexed like an array along the channel axis and along the image. Images looked at are
    kept up to :data:`CACHE_BYTES`. What would need more than :data:`WHOLE_BYTES` of images at once
    (napari's 3-D button, rolled axes) is not made: a thin slab of NaN comes back instead, because
    an exception inside napari's slicing would leave the viewer half updated, and ``on_refused`` is
    told why, once until the next request that is served. What makes an array of the whole stack
    (*Save*, projections, conversions) raises instead: nobody may take the slab for the data.

    Parameters
    ----------
    dataset
        The slide.
    channels
        The m/z windows, one per image.
    on_refused
        Called with the reason; from the thread that asked.
    """

    dtype: Final = np.dtype(np.float32)

    def __init__(
        self,
        dataset: MsiDataset,
        channels: Sequence[MassWindow],
        on_refused: Callable[[str], object] = ignore,
    ) -> None:
        self.dataset = dataset
        self.measure = PLAIN
        self.channels = tuple(channels)
        self._centers = np.array([window.center for window in self.channels])
        self.shape = (len(self.channels), *dataset.pixels.image_shape)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape, dtype=np.int64))
        self.nbytes = self.size * self.dtype.itemsize
        self.chunks = (1, *self.shape[1:])
        self._on_refused = on_refused
        self._has_refused = False
        self._cache: OrderedDict[int, Float32Array] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyIonStack:
        """Stay the same stack: it never changes, and its slide must not be copied."""
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Make the whole stack, if it is small."""
        if self.is_large:
            raise QueryError(self._refusal(len(self)))
        return np.asarray(self[:], dtype=dtype)

    def astype(self, dtype: Any, **_: Any) -> np.ndarray[Any, Any]:
        """Make the whole stack in another type, if it is small; integers have 0 for NaN."""
        values = self.__array__()
        if np.issubdtype(np.dtype(dtype), np.integer):
            values = np.nan_to_num(values, nan=0)
        return values.astype(dtype)

    @property
    def is_large(self) -> bool:
        """Whether all images are too much to be made at once."""
        return self.nbytes > WHOLE_BYTES

    @property
    def sizes(self) -> str:
        """What all images would take, and what is allowed."""
        return self._sizes(len(self))

    def refuse_whole(self) -> None:
        """Say that not all images are made at once: once, until the next request that is served."""
        self._refuse(len(self))

    def __getitem__(self, key: Any) -> Any:
        """Return a part of the stack: integers, slices and index arrays along the channels."""
        first, *rest = _full_key(key, self.ndim)
        if not isinstance(first, slice) and np.ndim(first) == 0:
            self._has_refused = False
            return self.image(operator.index(first))[tuple(rest)]
        wanted = np.arange(len(self))[first]
        if wanted.size * self._image_bytes > WHOLE_BYTES:
            self._refuse(wanted.size)
            return np.full((1, *self.shape[1:]), np.nan, np.float32)[(slice(None), *rest)]
        self._has_refused = False
        return self._images(wanted)[(slice(None), *rest)]

    def image(self, channel: int) -> Float32Array:
        """Return the ion image of one channel, shape of the slide's images; read-only."""
        if not -len(self) <= channel < len(self):
            raise IndexError(f"channel {channel} of {len(self)}")
        return self._read((channel % len(self),))[0]

    def nearest(self, mz: float) -> int:
        """Return the channel whose window's center is closest to an m/z."""
        return int(np.abs(self._centers - mz).argmin())

    def measure_by(self, measure: IonMeasure) -> None:
        """Make images by another measure from now on."""
        with self._lock:
            self.measure = measure
            self._cache.clear()

    @property
    def _image_bytes(self) -> int:
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def _images(self, wanted: IntArray) -> Float32Array:
        made = np.empty((wanted.size, *self.shape[1:]), np.float32)
        at_once = max(1, _PIECE_BYTES // max(1, self._image_bytes))
        for start in range(0, wanted.size, at_once):
            piece = tuple(int(i) for i in wanted[start : start + at_once])
            for place, image in enumerate(self._read(piece), start):
                made[place] = image
        return made

    def _read(self, wanted: tuple[int, ...]) -> list[Float32Array]:
        """Take images from the cache and make the others in one call."""
        with self._lock:
            measure = self.measure
            known = {i: self._cache[i] for i in wanted if i in self._cache}
            for i in known:
                self._cache.move_to_end(i)
        missing = tuple(dict.fromkeys(i for i in wanted if i not in known))
        if missing:
            # Made outside the lock: a slow file must not hold up images that are there already.
            windows = [self.channels[i] for i in missing]
            made = measured_images(self.dataset, windows, measure)
            fresh = {i: _read_only(image) for i, image in zip(missing, made, strict=True)}
            self._keep(fresh, measure)
            known |= fresh
        return [known[i] for i in wanted]

    def _keep(self, fresh: dict[int, Float32Array], measure: IonMeasure) -> None:
        room = max(1, CACHE_BYTES // max(1, self._image_bytes))
        with self._lock:
            if measure != self.measure:
                return
            self._cache.update(fresh)
            while len(self._cache) > room:
                self._cache.popitem(last=False)

    def _refuse(self, n_images: int) -> None:
        if not self._has_refused:
            self._has_refused = True
            self._on_refused(self._refusal(n_images))

    def _refusal(self, n_images: int) -> str:
        return (
            f"Too much at once: {n_images:,} ion images of {self.dataset.name} "
            f"({self._sizes(n_images)}). Look at them one at a time in 2-D, or click the peaks "
            "that you want to keep: each becomes a layer of its own."
        )

    def _sizes(self, n_images: int) -> str:
        needed, allowed = n_images * self._image_bytes / 1e6, WHOLE_BYTES / 1e6
        return f"{needed:,.0f} MB; at most {allowed:,.0f} MB are made at once"


def _full_key(key: Any, ndim: int) -> tuple[Any, ...]:
    """Write an index out with one entry per axis."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        missing = ndim - (len(parts) - 1)
        parts = (*parts[:at], *(slice(None),) * missing, *parts[at + 1 :])
    if len(parts) > ndim:
        raise IndexError(f"{len(parts)} indices for {ndim} axes")
    return (*parts, *(slice(None),) * (ndim - len(parts)))


def _read_only(image: Any) -> Float32Array:
    values = np.array(image, np.float32)
    values.flags.writeable = False
    return values
