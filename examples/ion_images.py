"""Open a slide, find its strongest tissue peaks and make their ion images.

python examples/ion_images.py [SLIDE.imzML]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import napari_ims_tumor as ims
from napari_ims_tumor.msi.tissue_ions import strongest_tissue_peaks


def main(path: Path) -> None:
    with ims.open_imzml(path) as slide:
        print(f"{slide.name}: {slide.n_spectra} spectra, {slide.layout}, {slide.mode}")
        for warning in slide.warnings:
            print(f"warning: {warning}")
        windows = [peak.window for peak in strongest_tissue_peaks(slide, 3)]
        raw = ims.ion_images(slide, windows)
        scaled = ims.ion_images(slide, windows, normalize="tic")
        for window, image, even in zip(windows, raw, scaled, strict=True):
            spread = np.nanstd(image) / np.nanmean(image), np.nanstd(even) / np.nanmean(even)
            print(f"{window}: relative spread {spread[0]:.2f}, after TIC {spread[1]:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            [slide] = ims.simulate(temporary, rows=40, columns=48, channels=400)
            main(slide.imzml)
