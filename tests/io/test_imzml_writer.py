"""What is written is read back by pyimzML and by our own reader, to the last bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from lxml import etree
from pyimzml.ImzMLParser import ImzMLParser

from napari_ims_tumor.errors import ImsTumorError, SlideError
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

PIXELS = PixelGrid(np.array([0, 0, 2]), np.array([0, 3, 1]), (3, 4), (40.0, 25.5), (10, 20))


def continuous(name: str = "a") -> InMemoryDataset:
    matrix = np.random.default_rng(0).random((3, 50), np.float32)
    return InMemoryDataset.from_matrix(MassAxis(np.linspace(500, 600, 50)), matrix, PIXELS, name)


def processed(*lengths: int, pixels: PixelGrid = PIXELS) -> InMemoryDataset:
    rng = np.random.default_rng(1)
    made = [Spectrum(np.sort(rng.uniform(500, 900, n)), rng.random(n, np.float32)) for n in lengths]
    return InMemoryDataset.from_spectra(made, pixels, "a")


CASES = {
    "continuous": continuous(),
    "processed": processed(5, 9, 7),
    "empty spectra": processed(5, 0, 7),
    "first and last empty": processed(0, 4, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_our_reader_reads_it_back(tmp_path, case):
    dataset = CASES[case]
    with open_imzml(write_imzml(tmp_path / "a.imzML", dataset, "negative")) as read:
        assert (read.layout, read.mode) == (dataset.layout, dataset.mode)
        assert read.pixels.pixel_size_um == (40.0, 25.5)
        assert read.pixels.origin == (10, 20)
        assert np.array_equal(read.pixels.lookup, PIXELS.lookup)
        assert read.metadata["polarity"] == "negative"
        assert read.warnings == ()
        for i in range(3):
            assert np.array_equal(read.spectrum(i).mz, dataset.spectrum(i).mz)
            assert np.array_equal(read.spectrum(i).intensity, dataset.spectrum(i).intensity)


@pytest.mark.parametrize("case", ["continuous", "processed"])
@pytest.mark.filterwarnings("ignore")
def test_pyimzml_reads_it_back(tmp_path, case):
    dataset = CASES[case]
    read = ImzMLParser(str(write_imzml(tmp_path / "a.imzML", dataset)))
    assert read.coordinates == [(21, 11, 1), (24, 11, 1), (22, 13, 1)]
    assert (read.imzmldict["pixel size x"], read.imzmldict["pixel size y"]) == (25.5, 40.0)
    assert read.polarity == "positive"
    for i in range(3):
        mz, intensity = read.getspectrum(i)
        assert np.array_equal(mz, dataset.spectrum(i).mz)
        assert np.array_equal(intensity, dataset.spectrum(i).intensity)


def test_sections_keep_their_z(tmp_path):
    pixels = PixelGrid(np.zeros(2), np.zeros(2), (1, 1), None, (0, 0), np.array([0, 1]))
    with open_imzml(write_imzml(tmp_path / "a.imzML", processed(3, 4, pixels=pixels))) as read:
        assert read.pixels.planes.tolist() == [0, 1]
        assert read.pixels.pixel_size_um is None


def test_the_same_slide_gives_the_same_bytes_anywhere(tmp_path):
    (tmp_path / "b & <c>").mkdir()
    one = write_imzml(tmp_path / "a.imzML", continuous())
    two = write_imzml(tmp_path / "b & <c>" / "d.imzML", continuous())
    for suffix in (".imzML", ".ibd"):
        assert one.with_suffix(suffix).read_bytes() == two.with_suffix(suffix).read_bytes()
    assert str(tmp_path) not in one.read_text()


def test_checksum_uuid_and_xml_are_right(tmp_path):
    path = write_imzml(tmp_path / "a.imzML", continuous("Größe <1> & 2"))
    tree = etree.parse(path)
    params = {e.get("accession"): e.get("value") for e in tree.iter("{*}cvParam")}
    data = path.with_suffix(".ibd").read_bytes()
    assert params["IMS:1000091"].lower() == hashlib.sha1(data).hexdigest()
    assert params["IMS:1000080"].strip("{}").replace("-", "").lower() == data[:16].hex()
    # Some readers know the terms by these names only.
    names = {e.get("accession"): e.get("name") for e in tree.iter("{*}cvParam")}
    assert (names["IMS:1000046"], names["IMS:1000047"]) == ("pixel size x", "pixel size y")
    sizes = [
        e for e in tree.iter("{*}cvParam") if e.get("accession") in ("IMS:1000046", "IMS:1000047")
    ]
    assert [e.getparent().tag.split("}")[1] for e in sizes] == ["scanSettings"] * 2
    assert {e.get("unitAccession") for e in sizes} == {"UO:0000017"}


def test_dots_in_a_name_are_kept_and_the_pair_stays_together(tmp_path):
    path = write_imzml(tmp_path / "slide.v1", continuous())
    assert path == tmp_path / "slide.v1.imzML"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["slide.v1.ibd", "slide.v1.imzML"]


def test_refusals_leave_nothing_behind(tmp_path):
    with pytest.raises(ImsTumorError, match="cannot be written"):
        write_imzml(tmp_path / "none" / "a.imzML", continuous())
    nothing = InMemoryDataset.from_spectra([], PixelGrid(np.zeros(0), np.zeros(0), (0, 0)))
    with pytest.raises(SlideError, match="no spectrum"):
        write_imzml(tmp_path / "a.imzML", nothing)
    assert list(Path(tmp_path).iterdir()) == []
