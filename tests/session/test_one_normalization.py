"""View, fit, predict, export, Python and command line scale spectra by the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

import napari_ims_tumor as ims
from napari_ims_tumor.cli.main import main
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.msi.ion_measure import IonMeasure
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.normalization import Normalizer, normalizer_text, scale_factors
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.shown import view_of
from napari_ims_tumor.viewer.slide_tag import first_of

# The last digits differ by the order of summation, and the viewer's textures are float32.
CLOSE = 1e-6


@pytest.fixture(scope="module", params=["continuous-profile", "processed-centroid"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    (files,) = ims.simulate(folder, rows=14, columns=16, channels=120, layout=request.param)
    return files.imzml


@pytest.mark.parametrize("by", ["tic", "rms", "median", "reference"])
def test_seen_saved_exported_and_printed_images_agree(path: Path, by: str, tmp_path: Path) -> None:
    session = Session(InlineRunner(), Autosave(tmp_path / "autosave"))
    viewer = ViewerModel()
    binding = Binding(viewer, session)
    session.open(path)
    slide = session.active
    assert slide is not None
    assert slide.overview is not None
    peak = slide.overview.strongest[0].window
    window = MassWindow(peak.center, MassTolerance(0.4))
    reference = MassWindow(slide.overview.strongest[-1].mz, MassTolerance(0.3))
    normalizer: Normalizer = reference if by == "reference" else by  # type: ignore[assignment]
    session.ions.measure_by(IonMeasure("sum", normalizer))
    session.show_ion(window)
    layer = first_of(viewer.layers, slide.dataset, "ion")
    assert layer is not None
    seen = np.asarray(layer.data)
    session.exports.write("ions", tmp_path / "export.ome.tif", view_of(binding, None))
    out = tmp_path / "cli.npy"
    text = normalizer_text(normalizer)
    asked = ["ion-image", str(path), "--mz", repr(float(window.center)), "--tolerance", "0.4Da"]
    assert main([*asked, "--normalize", text, "-o", str(out)]) == 0
    image = ims.ion_images(slide.dataset, [window], normalizer)[0]
    for other in (seen, tifffile.imread(tmp_path / "export.ome.tif"), np.load(out)):
        assert np.allclose(other, image, rtol=CLOSE, atol=0, equal_nan=True)
    # And by definition: raw sums, times the mean reference over each spectrum's own.
    raw = slide.dataset.ion_images([window])[0]
    factors = slide.dataset.pixels.as_image(scale_factors(slide.dataset, normalizer))
    assert np.allclose(image, raw * factors, rtol=CLOSE, equal_nan=True)
    assert not np.allclose(image, raw, equal_nan=True)
    binding.close()
    session.close()


def test_what_a_model_is_shown_is_the_total_ion_current_s_scale(path: Path) -> None:
    """Fit and predict both read spectra through ``root_of_shares``: its square is the TIC scale."""
    with ims.open_imzml(path) as slide:
        spectra = [slide.spectrum(i) for i in range(slide.n_spectra)]
        edges = np.linspace(slide.mass_range[0] - 0.01, slide.mass_range[1] + 0.01, 33)
        binned = np.array([np.histogram(s.mz, edges, weights=s.intensity)[0] for s in spectra])
        shown = root_of_shares(binned).astype(np.float64) ** 2 / binned.shape[1]
        tic = slide.total_ion_current()
        scaled = binned * scale_factors(slide, "tic")[:, None]
        expected = scaled / tic[tic > 0].mean()
        assert np.allclose(shown, expected, rtol=4e-6, atol=1e-9)
        direct = binned * scale_factors(binned.sum(axis=1), "tic", target=1.0)[:, None]
        assert np.allclose(direct, expected, rtol=CLOSE)
