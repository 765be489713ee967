"""Readers of imzML behind one face: each opens a slide and answers the same few questions.

A peer without a question's answer says so with ``None``, or, where the plainest loop over its
spectra is what its users write, with that loop.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

PPM = 10e-6
BIN_PPM = 5e-6
os.environ["TQDM_DISABLE"] = "1"  # imzy draws progress bars
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


class Reader:
    """What every reader can be asked; bounds are (low, high) in m/z, inclusive."""

    package: ClassVar[str] = ""
    images_at_most: ClassVar[int] = 1_000_000
    """As many images of a hundred are made; the time is scaled up."""

    def load(self) -> None:
        """Import what is needed."""

    def open(self, path: Path) -> Any:
        """Open a slide."""
        raise NotImplementedError

    def image(self, slide: Any, low: float, high: float) -> float:
        """Sum of the ion image of one window."""
        raise NotImplementedError

    def images(self, slide: Any, bounds: np.ndarray) -> float:
        """Sum of many ion images."""
        return sum(self.image(slide, low, high) for low, high in bounds)

    def spectra(self, slide: Any, indices: list[int]) -> float | None:  # noqa: ARG002
        """Sum of the last intensities of some spectra."""
        return None

    def mean(self, slide: Any) -> float | None:  # noqa: ARG002
        """Mean spectrum; returns the sum of it."""
        return None

    def total(self, slide: Any) -> float | None:  # noqa: ARG002
        """Total ion current; returns the sum of it."""
        return None


class Ours(Reader):
    """This package."""

    package = "napari-ims-tumor"

    def load(self) -> None:
        from napari_ims_tumor.io.imzml import open_imzml
        from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow

        self._open, self._window, self._tolerance = open_imzml, MassWindow, MassTolerance

    def open(self, path: Path) -> Any:
        return self._open(path)

    def image(self, slide: Any, low: float, high: float) -> float:
        return self.images(slide, np.array([[low, high]]))

    def images(self, slide: Any, bounds: np.ndarray) -> float:
        windows = [self._window((a + b) / 2, self._tolerance((b - a) / 2)) for a, b in bounds]
        return float(np.nansum(slide.ion_images(windows)))

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return float(sum(slide.spectrum(i).intensity[-1] for i in indices))

    def mean(self, slide: Any) -> float:
        return float(slide.mean_spectrum().intensity.sum())

    def total(self, slide: Any) -> float:
        return float(slide.total_ion_current().sum())


class PyImzml(Reader):
    """pyimzML, the usual reader."""

    package = "pyimzML"
    images_at_most = 10

    def load(self) -> None:
        from pyimzml.ImzMLParser import ImzMLParser, getionimage

        self._parser, self._image = ImzMLParser, getionimage

    def open(self, path: Path) -> Any:
        return self._parser(str(path))

    def count(self, slide: Any) -> int:
        return len(slide.coordinates)

    def get(self, slide: Any, i: int) -> Any:
        return slide.getspectrum(i)

    def image(self, slide: Any, low: float, high: float) -> float:
        return float(self._image(slide, (low + high) / 2, (high - low) / 2).sum())

    def spectra(self, slide: Any, indices: list[int]) -> float:
        return float(sum(self.get(slide, i)[1][-1] for i in indices))

    def total(self, slide: Any) -> float:
        every = range(self.count(slide))
        return float(sum(self.get(slide, i)[1].sum(dtype=float) for i in every))

    def mean(self, slide: Any) -> float:
        n = self.count(slide)
        first = self.get(slide, 0)[0]
        if n > 1 and np.array_equal(first, self.get(slide, n - 1)[0]):
            return float(sum(self.get(slide, i)[1].astype(float) for i in range(n)).sum()) / n
        sums = np.zeros(int(np.log(1e5) / BIN_PPM))
        for i in range(n):
            mz, values = self.get(slide, i)
            bins = (np.log(mz) / BIN_PPM).astype(np.intp)
            np.add.at(sums, bins, values.astype(float))
        return float(sums.sum()) / n


class Imzy(PyImzml):
    """imzy; its cache beside the data is removed first, so that it opens afresh."""

    package = "imzy"

    def load(self) -> None:
        import imzy

        self._get_reader = imzy.get_reader

    def open(self, path: Path) -> Any:
        for cache in path.parent.glob(f"{path.stem}*.icache*"):
            cache.unlink()
        return self._get_reader(path)

    def count(self, slide: Any) -> int:
        return int(slide.n_pixels)

    def get(self, slide: Any, i: int) -> Any:
        return slide.get_spectrum(i)

    def image(self, slide: Any, low: float, high: float) -> float:
        tolerance = (high - low) / 2
        return float(np.nansum(slide.get_ion_image((low + high) / 2, tol=tolerance, silent=True)))

    def images(self, slide: Any, bounds: np.ndarray) -> float:
        return float(np.nansum(slide.get_ion_images(bounds.mean(axis=1), ppm=PPM * 1e6)))


class M2aia(Reader):
    """pyM²aia, in C++ and on all cores; it knows the mean once the slide is open."""

    package = "m2aia"
    images_at_most = 10

    def load(self) -> None:
        import m2aia

        self._m2 = m2aia

    def open(self, path: Path) -> Any:
        with _silence():
            return self._m2.ImzMLReader(str(path), pooling=self._m2.m2PoolingSum)

    def image(self, slide: Any, low: float, high: float) -> float:
        center, tolerance = (low + high) / 2, (high - low) / 2
        return float(slide.GetArray(center, tolerance, dtype=np.float64).sum())


class Bioio(Reader):
    """bioio-imzml; windows are given when it opens, so the time of opening holds one."""

    package = "bioio-imzml"

    def load(self) -> None:
        from bioio_imzml import Reader as BioioReader

        self._reader = BioioReader

    def open(self, path: Path) -> Any:
        return path, self._reader(str(path), mz=[700.0], mz_tolerance_relative=PPM)

    def images(self, slide: Any, bounds: np.ndarray) -> float:
        reader = slide[1]
        if reader.is_continuous:
            axis = reader.mz_values
            wanted = [np.flatnonzero((axis >= a) & (axis <= b)) for a, b in bounds]
            channels = np.concatenate(wanted).tolist()
            return float(reader.get_image_dask_data("CYX", C=channels).compute().sum())
        # Its channels are fixed when it opens; a fresh one would pay for opening once more.
        centers = bounds.mean(axis=1)
        reader._mz_axis = centers
        reader._mz_tolerance = (bounds[:, 1] - bounds[:, 0]) / 2
        reader._reset_self() if hasattr(reader, "_reset_self") else None
        return float(reader.get_image_dask_data("CYX").compute().sum())

    def image(self, slide: Any, low: float, high: float) -> float:
        return self.images(slide, np.array([[low, high]]))


class Msiverse(Reader):
    """msiverse, which bins all spectra to the windows that are asked for."""

    package = "msiverse"

    def load(self) -> None:
        from msiverse import io

        self._io = io

    def open(self, path: Path) -> Any:
        from msiverse._cardinal import arrays_from_parse, parse_imzml

        return arrays_from_parse(parse_imzml(path))

    def images(self, slide: Any, bounds: np.ndarray) -> float:
        found = self._io.bin_spectra(
            slide, np.sort(bounds.mean(axis=1)), method="sum", tolerance=PPM * 1e6, units="ppm"
        )
        return float(found.layers["counts"].sum())

    def image(self, slide: Any, low: float, high: float) -> float:
        return self.images(slide, np.array([[low, high]]))


READERS: dict[str, Reader] = {
    "ours": Ours(),
    "pyimzML": PyImzml(),
    "m2aia": M2aia(),
    "imzy": Imzy(),
    "bioio-imzml": Bioio(),
    "msiverse": Msiverse(),
}


def installed() -> list[str]:
    """Names of the readers that are installed here; ours is."""
    return [name for name, reader in READERS.items() if name == "ours" or _has(reader.package)]


def _has(package: str) -> bool:
    import importlib.metadata  # not in the processes that are timed

    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


class _silence:  # noqa: N801 - reads as a verb
    """Keep what compiled code prints off the screen."""

    def __enter__(self) -> None:
        sys.stdout.flush()
        self._kept = [os.dup(n) for n in (1, 2)]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for n in (1, 2):
            os.dup2(nowhere, n)
        os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        for n, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, n)
            os.close(kept)
