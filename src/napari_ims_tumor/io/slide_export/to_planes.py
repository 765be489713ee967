"""Ion images of chosen channels as one OME-TIFF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.image_stack import write_image_stack
from napari_ims_tumor.io.slide_export.stored_rows import StoredRows, gather, report
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.channels import Channels, choose_channels


def export_planes(view: ExportView, path: Path) -> Job[Progress, tuple[Path, ...]]:
    """Write one plane per channel, float64, NaN where no pixel is chosen."""
    channels = yield from settle_channels(view)
    pixels = view.spectra.pixels
    shape = (len(channels), view.spectra.n_spectra)
    with StoredRows(path.absolute().parent, shape, np.dtype(np.float64)) as rows:
        yield from gather(view, channels, rows)

        def images() -> Iterator[NDArray[Any]]:
            return (pixels.as_image(row) for row in rows)

        about = {**view.facts(), "windows": windows_of(channels)}
        yield from write_image_stack(path, images, channels.names, pixels, about)
    return (path,)


def settle_channels(view: ExportView) -> Job[Progress, Channels]:
    """Find the channels; for peaks all chosen spectra are averaged first."""
    yield from report("Choosing channels")
    return choose_channels(view.spectra, view.request.channels)


def windows_of(channels: Channels) -> list[list[float]]:
    """Bounds of the channels, for the facts in a file."""
    return [
        [low, high] for low, high in zip(channels.low.tolist(), channels.high.tolist(), strict=True)
    ]
