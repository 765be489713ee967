"""Every real file opens right, or stops with its message."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import check_imzml, dataset, open_imzml
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow

pytestmark = pytest.mark.real_data

HEADER_ONLY = {"i2nca__cp", "i2nca__pp", "napari-imsmicrolink__imzml_file"}
PYIMZML_IS_WRONG = {"proc_zlib_both"}


def real_files(real_data: Path) -> list[Path]:
    found = [path for path in real_data.rglob("*") if path.suffix.lower() == ".imzml"]
    assert len(found) > 60
    return sorted(found)


def test_each_file_without_its_ibd_says_so_and_no_other_stops(real_data: Path) -> None:
    for path in real_files(real_data):
        if path.stem in HEADER_ONLY:
            with pytest.raises(SlideError, match=r"\.ibd or \.IBD"):
                open_imzml(path)
        else:
            open_imzml(path).close()


def test_generated_files_equal_their_truth(real_data: Path) -> None:
    truths = sorted((real_data / "conformance_generated").glob("*.truth.npz"))
    assert len(truths) == 20
    for file in truths:
        truth = np.load(file)
        with open_imzml(file.with_name(file.name.replace(".truth.npz", ".imzML"))) as slide:
            x, y, z = truth["coords"].T
            assert slide.pixels.columns.tolist() == (x - x.min()).tolist()
            assert slide.pixels.rows.tolist() == (y - y.min()).tolist()
            assert slide.pixels.planes.tolist() == (z - z.min()).tolist()
            assert slide.layout == ("continuous" if "cont" in file.name else "processed")
            bounds = np.concatenate([[0], np.cumsum(truth["lengths"])])
            for i in range(slide.n_spectra):
                part = slice(bounds[i], bounds[i + 1])
                spectrum = slide.spectrum(i)
                assert np.array_equal(spectrum.mz, truth["mz"][part])
                assert np.array_equal(spectrum.intensity, truth["intensity"][part])


def test_every_file_equals_pyimzml(real_data: Path) -> None:
    from pyimzml.ImzMLParser import ImzMLParser

    for path in real_files(real_data):
        if path.stem in HEADER_ONLY | PYIMZML_IS_WRONG:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = ImzMLParser(str(path))
        with open_imzml(path) as slide:
            assert slide.n_spectra == len(other.coordinates)
            x, y, _ = np.array(other.coordinates).T
            assert np.array_equal(slide.pixels.columns, x - x.min())
            assert np.array_equal(slide.pixels.rows, y - y.min())
            for i in range(0, slide.n_spectra, 1 + slide.n_spectra // 50):
                mz, intensity = other.getspectrum(i)
                assert np.array_equal(slide.spectrum(i).mz, mz)
                assert np.array_equal(slide.spectrum(i).intensity, intensity)


@pytest.mark.parametrize("way", ["all spectra read", "index"])
def test_ion_images_and_means_equal_brute_force(real_data: Path, way: str, monkeypatch) -> None:
    if way == "index":
        monkeypatch.setattr(dataset, "SMALL", 0)
    for path in real_files(real_data):
        # The cores are pieces of a whole slide, which is among the files.
        if path.stem in HEADER_ONLY or (way == "index" and "core" in path.stem):
            continue
        with open_imzml(path) as slide:
            job = slide.index_job()
            assert job is None or run_inline(job) == ""
            low, high = slide.mass_range
            centers = [low, (low + high) / 2, high, low - 50, float(slide.spectrum(0).mz[:1].sum())]
            windows = [MassWindow(c, MassTolerance(t)) for c in centers for t in (0.0, 0.3, 20.0)]
            images = slide.ion_images(windows)
            total, wanted = 0.0, np.zeros((len(windows), slide.n_spectra))
            for i in range(slide.n_spectra):
                spectrum = slide.spectrum(i)
                values = spectrum.intensity.astype(np.float64)
                total += values.sum()
                for j, window in enumerate(windows):
                    inside = (spectrum.mz >= window.low) & (spectrum.mz <= window.high)
                    wanted[j, i] = values[inside].sum()
            found = slide.pixels.as_vector(images)
            first = slide.pixels.lookup[slide.pixels.measured]
            np.testing.assert_allclose(
                found[:, first], wanted[:, first], rtol=1e-12, err_msg=path.name
            )
            assert np.isclose(slide.total_ion_current().sum(), total, rtol=1e-12)
            assert np.isclose(slide.mean_spectrum().intensity.sum() * slide.n_spectra, total)
            assert not np.isnan(images).all(axis=0)[slide.pixels.measured].any()
            assert np.isnan(images[:, ~slide.pixels.measured]).all()


def test_templates_read_what_the_parser_reads(real_data: Path, same_document) -> None:
    for path in real_files(real_data):
        fast = run_inline(read_document(path))
        slow = run_inline(read_document(path, use_templates=False))
        assert same_document(fast, slow)


def test_known_oddities_of_exporters(real_data: Path) -> None:
    folder = real_data / "conformance"
    with open_imzml(folder / "thyra__unit_nanometre.imzML") as slide:
        assert slide.pixels.pixel_size_um == pytest.approx((4.40625, 4.40625))
    with open_imzml(folder / "thyra__two_scansettings.imzML") as slide:
        assert slide.pixels.pixel_size_um is None
        assert any("different pixel sizes" in warning for warning in slide.warnings)
    with open_imzml(folder / "thyra__two_precision_terms.imzML") as slide:
        assert slide.spectrum(0).mz.dtype == np.float64
        assert slide.metadata["m/z type"] == "float64"
    with open_imzml(folder / "pewlib__test.imzML") as slide:
        assert any("UUID" in warning for warning in slide.warnings)
    kidney = real_data / "kidney_timstof_healthy" / "kidney_processed_offsetcoords.imzML"
    with open_imzml(kidney) as slide:
        assert slide.pixels.shape == (18, 19)
        assert slide.pixels.origin == (1697, 5094)


def test_checksums_of_real_files_hold(real_data: Path) -> None:
    result = run_inline(check_imzml(real_data / "conformance" / "i2nca__combined_pc.imzML"))
    assert result.status == "fine"
    assert not any("not the one whose" in finding.text for finding in result.findings)
    pewlib = run_inline(check_imzml(real_data / "conformance" / "pewlib__test.imzML"))
    assert any("MD5 that is stated" in finding.text for finding in pewlib.findings)
