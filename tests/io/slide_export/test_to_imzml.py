"""Part of a slide as a slide: read back by us and by pyimzML, it is that part and says so."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pyimzml.ImzMLParser import ImzMLParser
from tests.io.slide_export.conftest import COLUMNS, ROWS, continuous, labels, write

from napari_ims_tumor.errors import ImsTumorError, QueryError, SlideError
from napari_ims_tumor.io.imzml import check_imzml, open_imzml
from napari_ims_tumor.io.imzml.grid import Positions
from napari_ims_tumor.io.imzml_writer import ImzmlFacts, write_facts_job
from napari_ims_tumor.io.slide_export.choosing import PixelChoice
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.msi.centroiding import CentroidMethod, find_centroids
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.subset import MassRange
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

LAYOUTS = ["continuous", "processed"]


def export(source: Path, target: Path, **request: object) -> Path:
    with open_imzml(source) as slide:
        return run_inline(export_job(slide, target, ExportRequest(**request))).files[0]


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {layout: write(tmp_path_factory.mktemp(layout), layout) for layout in LAYOUTS}


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=15)
@given(
    keep=st.lists(st.booleans(), min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS).filter(any),
    bounds=st.lists(st.floats(499, 511), min_size=2, max_size=2).map(sorted),
)
def test_export_then_read_is_the_part_of_what_is_read(slides, layout, keep, bounds):
    mask = np.array(keep).reshape(ROWS, COLUMNS)
    mz_range = MassRange(*bounds)
    with tempfile.TemporaryDirectory() as folder, open_imzml(slides[layout]) as slide:
        chosen = np.flatnonzero(slide.pixels.as_vector(mask))
        inside = [mz_range.inside(slide.spectrum(i).mz) for i in chosen.tolist()]
        request = {"pixels": PixelChoice(mask=mask), "mz_range": mz_range}
        if not any(part.any() for part in inside):
            with pytest.raises(QueryError):
                export(slides[layout], Path(folder) / "b.imzML", **request)
            return
        with open_imzml(export(slides[layout], Path(folder) / "b.imzML", **request)) as read:
            assert (read.layout, read.mode) == (slide.layout, slide.mode)
            assert read.n_spectra == chosen.size
            assert np.array_equal(read.positions.x, slide.positions.x[chosen])
            assert np.array_equal(read.positions.y, slide.positions.y[chosen])
            for k, (i, part) in enumerate(zip(chosen.tolist(), inside, strict=True)):
                own, found = slide.spectrum(i), read.spectrum(k)
                assert np.array_equal(found.mz, own.mz[part])
                assert np.array_equal(found.intensity, own.intensity[part])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore")
def test_pyimzml_reads_the_same(slides, layout, tmp_path):
    chosen = PixelChoice(rows=(1, 2), columns=(2, 4))
    path = export(slides[layout], tmp_path / "b.imzML", pixels=chosen)
    theirs = ImzMLParser(str(path))
    assert theirs.polarity == "negative"
    assert (theirs.imzmldict["pixel size x"], theirs.imzmldict["pixel size y"]) == (25.5, 50.0)
    with open_imzml(path) as ours:
        assert ours.n_spectra == len(theirs.coordinates) == 5
        assert ours.pixels.pixel_size_um == (50.0, 25.5)
        assert ours.metadata["polarity"] == "negative"
        for i, (x, y, _) in enumerate(theirs.coordinates):
            mz, intensity = theirs.getspectrum(i)
            assert np.array_equal(mz, ours.spectrum(i).mz)
            assert np.array_equal(intensity, ours.spectrum(i).intensity)
            # 21 and 11 are the x and y of the whole slide's first pixel.
            assert 23 <= x <= 25
            assert 12 <= y <= 13


@pytest.mark.parametrize(
    ("layout", "types"),
    [
        ("continuous", ("f8", "f4")), ("continuous", ("f4", "f8")), ("continuous", ("f8", "f2")),
        ("processed", ("f8", "f8")), ("processed", ("f8", "i4")), ("processed", ("f4", "i2")),
        ("processed", ("f8", "i8")),
    ],
)  # fmt: skip
def test_number_types_are_kept(tmp_path, layout, types):
    source = write(tmp_path, layout, types)
    with open_imzml(source) as own, open_imzml(export(source, tmp_path / "b.imzML")) as read:
        for which in ("m/z type", "intensity type"):
            assert read.metadata[which] == own.metadata[which]
        assert [np.dtype(t).name for t in types] == [
            read.metadata["m/z type"], read.metadata["intensity type"],
        ]  # fmt: skip
        for i in range(own.n_spectra):
            assert np.array_equal(read.spectrum(i).mz, own.spectrum(i).mz)
            assert np.array_equal(read.spectrum(i).intensity, own.spectrum(i).intensity)


def test_all_of_a_slide_is_the_same_data_in_the_same_bytes(slides, tmp_path):
    path = export(slides["continuous"], tmp_path / "b.imzML")
    one, two = (p.with_suffix(".ibd").read_bytes() for p in (slides["continuous"], path))
    assert one[16:] == two[16:]
    assert one[:16] != two[:16]
    again = export(slides["continuous"], tmp_path / "c.imzML")
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_our_own_check_finds_nothing(slides, layout, tmp_path):
    path = export(slides[layout], tmp_path / "b.imzML", pixels=PixelChoice(columns=(0, 2)))
    found = run_inline(check_imzml(path))
    assert (found.status, found.findings) == ("fine", ())
    params = {e.get("accession"): e.get("value") for e in etree.parse(path).iter("{*}cvParam")}
    data = path.with_suffix(".ibd").read_bytes()
    assert params["IMS:1000091"] == hashlib.sha1(data).hexdigest()
    assert params["IMS:1000080"].strip("{}").replace("-", "") == data[:16].hex()


def test_every_part_has_a_uuid_of_its_own(slides, tmp_path):
    parts = [{}, {"pixels": PixelChoice(rows=(0, 1))}, {"mz_range": MassRange(501, 509)}]
    found = []
    for number, part in enumerate(parts):
        with open_imzml(export(slides["processed"], tmp_path / f"{number}.imzML", **part)) as read:
            found.append(read.metadata["uuid"])
    assert len(set(found)) == 3


def test_sections_keep_their_z_and_x_and_y_their_own_numbers(tmp_path):
    x, y, z = np.array([(3, 0, 5), (4, 0, 5), (3, 1, 9), (4, 1, 9)]).T
    grid = PixelGrid(y, x - 3, (2, 2), None, (0, 3), np.array([0, 0, 1, 1]))
    made = InMemoryDataset.from_spectra([Spectrum([500.0, 501.0], [1.0, 2.0])] * 4, grid)
    facts = ImzmlFacts(positions=Positions(x, y, z))
    source = run_inline(write_facts_job(tmp_path / "a.imzML", made, facts))
    path = export(source, tmp_path / "b.imzML", pixels=PixelChoice(columns=(1, 1)))
    with open_imzml(path) as read:
        assert read.positions.x.tolist() == [4, 4]
        assert read.positions.y.tolist() == [0, 1]
        assert read.positions.z.tolist() == [5, 9]
    one = export(source, tmp_path / "c.imzML", pixels=PixelChoice(planes=(1, 1)))
    with open_imzml(one) as read:
        assert read.positions.z.tolist() == [9, 9]


@pytest.mark.parametrize("method", [CentroidMethod(), CentroidMethod("mean", "area", 0)])
def test_curves_become_peaks(slides, tmp_path, method):
    path = export(slides["continuous"], tmp_path / "b.imzML", centroid=method)
    with open_imzml(path) as read, open_imzml(slides["continuous"]) as slide:
        assert (read.layout, read.mode) == ("processed", "centroid")
        assert read.metadata["intensity type"] == "float32"
        for i in range(slide.n_spectra):
            own = slide.spectrum(i)
            mz, intensity = find_centroids(own.mz, own.intensity, method)
            assert np.array_equal(read.spectrum(i).mz, mz)
            assert np.array_equal(read.spectrum(i).intensity, intensity.astype(np.float32))
            assert np.abs(mz - [502.013, 505.5, 508.87]).max() < 2e-3


def test_peaks_near_the_end_of_a_range_are_those_of_the_whole_curve(slides, tmp_path):
    options = {"centroid": CentroidMethod(), "mz_range": MassRange(505.45, 509)}
    with open_imzml(export(slides["continuous"], tmp_path / "b.imzML", **options)) as read:
        assert read.spectrum(0).mz == pytest.approx([505.5, 508.87], abs=1e-4)


def test_the_history_says_what_was_done_and_by_what(slides, tmp_path):
    path = export(
        slides["continuous"], tmp_path / "b.imzML", centroid=CentroidMethod(),
        mz_range=MassRange(501, 509), pixels=PixelChoice(labels=labels(), classes=("tumor",)),
    )  # fmt: skip
    root = etree.parse(path).getroot()
    last = root.findall(".//{*}dataProcessing")[-1]
    assert last.get("id") == root.find(".//{*}spectrumList").get("defaultDataProcessingRef")
    methods = last.findall("{*}processingMethod")
    assert [m.find("{*}cvParam").get("name") for m in methods] == [
        "peak picking", "data filtering", "file format conversion",
    ]  # fmt: skip
    said = {p.get("name"): p.get("value") for p in last.iter("{*}userParam")}
    assert said["pixels"] == "4 of 23: labelled tumor"
    assert said["m/z range"] == "m/z 501 to 509"
    assert "height at the parabola" in said["method"]
    programs = {e.get("id"): e.get("version") for e in root.iter("{*}software")}
    assert programs[methods[0].get("softwareRef")]


HEAD = """\
<sampleList count="1"><sample id="s1" name="biopsy"/></sampleList>
<softwareList count="1"><software id="flex" version="4.1">
<cvParam cvRef="MS" accession="MS:1000706" name="apexControl"/></software></softwareList>
"""


def test_sample_instrument_scan_and_earlier_history_are_passed_on(slides, tmp_path):
    source = tmp_path / "a.imzML"
    shutil.copy(slides["processed"].with_suffix(".ibd"), source.with_suffix(".ibd"))
    text = slides["processed"].read_text()
    text = text.replace(
        '<cvParam cvRef="MS" accession="MS:1000031" name="instrument model"/>',
        '<referenceableParamGroupRef ref="machine"/><componentList count="1"><source order="1">'
        '<cvParam cvRef="MS" accession="MS:1000075" name="matrix-assisted laser desorption '
        'ionization"/></source></componentList>',
    )
    text = text.replace(
        '<referenceableParamGroupList count="3">',
        '<referenceableParamGroupList count="4"><referenceableParamGroup id="machine">'
        '<cvParam cvRef="MS" accession="MS:1001534" name="autoflex III &amp; co"/>'
        "</referenceableParamGroup>",
    )
    text = text.replace("  <softwareList", HEAD.split("<softwareList")[0] + "  <softwareList")
    text = text.replace(
        '<softwareList count="1">\n', HEAD[HEAD.index("<softwareList") :].replace(
            "</softwareList>\n", "").replace('"1"', '"2"', 1)
    )  # fmt: skip
    text = text.replace(
        "    </scanSettings>",
        '<cvParam cvRef="IMS" accession="IMS:1000413" name="flyback"/></scanSettings>',
    )
    text = text.replace(
        "  </dataProcessingList>",
        '<dataProcessing id="smoothing"><processingMethod order="1" softwareRef="flex"><cvParam '
        'cvRef="MS" accession="MS:1000592" name="smoothing"/></processingMethod></dataProcessing>'
        "</dataProcessingList>",
    )
    source.write_text(text)
    path = export(export(source, tmp_path / "b.imzML"), tmp_path / "c.imzML")
    root = etree.parse(path).getroot()
    ids = [e.get("id") for e in root.iter() if isinstance(e.tag, str) and e.get("id")]
    assert len(ids) == len(set(ids))
    names = [e.get("name") for e in root.iter("{*}cvParam")]
    for name in ("autoflex III & co", "apexControl", "flyback", "smoothing"):
        assert names.count(name) == 1
    assert root.find(".//{*}sample").get("name") == "biopsy"
    assert root.find(".//{*}sourceFile").get("name") == "b.imzML"
    for listed in ("software", "dataProcessing", "sample", "instrumentConfiguration"):
        whole = root.find(f".//{{*}}{listed}List")
        assert int(whole.get("count")) == len(whole)
    with open_imzml(path) as read:
        assert "autoflex III & co" in read.metadata["instrument"]
        assert read.warnings == ()


def test_labels_and_groups_travel_in_the_new_slide_s_shape(slides, tmp_path):
    groups = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    choice = PixelChoice(labels=labels(), classes=("tumor",), groups=groups)
    path = export(slides["continuous"], tmp_path / "b.imzML", pixels=choice)
    beside = {kind: np.load(tmp_path / f"b_{kind}.npy") for kind in ("labels", "groups")}
    with open_imzml(path) as read:
        assert beside["labels"].shape == beside["groups"].shape == read.pixels.shape == (1, 4)
        assert beside["labels"].dtype == np.uint8
        assert beside["labels"].tolist() == [[2, 2, 2, 2]]
        assert beside["groups"].tolist() == [[20, 21, 22, 23]]


def test_a_slide_in_memory_is_exported_too(tmp_path):
    [file] = run_inline(export_job(continuous(), tmp_path / "b.imzML", ExportRequest())).files
    with open_imzml(file) as read:
        assert np.array_equal(read.spectrum(3).intensity, continuous().spectrum(3).intensity)


def test_a_stop_or_a_full_disk_leaves_nothing(slides, tmp_path, monkeypatch):
    with open_imzml(slides["processed"]) as slide:
        job = export_job(slide, tmp_path / "b.imzML", ExportRequest())
        for report in job:
            if report.phase == "Exporting spectra":
                break
        with pytest.raises(JobStopped):
            job.send(STOP)
        assert list(tmp_path.iterdir()) == []
        abandoned = export_job(slide, tmp_path / "b.imzML", ExportRequest())
        while next(abandoned).phase != "Exporting spectra":
            pass
        abandoned.close()
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setattr("os.fsync", _no_space)
        with pytest.raises(ImsTumorError, match=r"cannot be written \(No space left"):
            run_inline(export_job(slide, tmp_path / "b.imzML", ExportRequest()))
        assert list(tmp_path.iterdir()) == []


def _no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_whole_numbers_that_do_not_fit_their_type_are_refused(tmp_path):
    with pytest.raises(ImsTumorError, match="numbers that are no int16"):
        write(tmp_path, "continuous", ("f8", "i2"))


@pytest.mark.real_data
def test_real_slides_come_back_as_they_are(real_data, tmp_path):
    seen = 0
    for source in sorted((real_data / "conformance").rglob("*.[iI][mM][zZ][mM][lL]")):
        if source.with_suffix(".ibd").is_file() and source.stat().st_size < 1_000_000:
            seen += _comes_back(source, tmp_path / "b.imzML")
    assert seen > 10


def _comes_back(source: Path, target: Path) -> int:
    try:
        slide = open_imzml(source)
    except SlideError:
        return 0
    with slide, open_imzml(export(source, target)) as read:
        for fact in ("m/z type", "intensity type", "polarity", "instrument"):
            assert read.metadata.get(fact) == slide.metadata.get(fact), source.name
        assert read.pixels.pixel_size_um == slide.pixels.pixel_size_um
        assert np.array_equal(read.pixels.lookup, slide.pixels.lookup)
        for i in range(0, slide.n_spectra, max(slide.n_spectra // 5, 1)):
            own, found = slide.spectrum(i), read.spectrum(i)
            assert np.array_equal(found.mz, own.mz), (source.name, i)
            assert np.array_equal(found.intensity, own.intensity, equal_nan=True), source.name
    return 1
