"""Every legal way of writing a slide gives the same numbers."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ims_tumor.io.imzml import ImzmlDataset, open_imzml
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.spectrum import RaggedBlock


def assert_blocks_same(slide: ImzmlDataset, pixels: list) -> None:
    """All spectra, as blocks, in file order."""
    seen: list[int] = []
    for block in slide.blocks():
        for j, i in enumerate(block.indices.tolist()):
            seen.append(i)
            if isinstance(block, RaggedBlock):
                part = slice(block.bounds[j], block.bounds[j + 1])
                mz, found = block.mz[part], block.intensity[part]
            else:
                mz, found = block.mz, block.intensity[j]
            assert np.array_equal(mz, pixels[i].mz)
            assert np.array_equal(found, pixels[i].intensity)
    assert seen == list(range(len(pixels)))


def assert_same(path: Path, pixels: list, sort: bool = False) -> None:
    """The opened slide holds exactly these pixels, alone, in blocks and in images."""
    with open_imzml(path) as slide:
        assert slide.n_spectra == len(pixels)
        left, top = min(p.x for p in pixels), min(p.y for p in pixels)
        assert slide.pixels.rows.tolist() == [p.y - top for p in pixels]
        assert slide.pixels.columns.tolist() == [p.x - left for p in pixels]
        for i, pixel in enumerate(pixels):
            spectrum = slide.spectrum(i)
            order = np.argsort(pixel.mz, kind="stable") if sort else slice(None)
            assert np.array_equal(spectrum.mz, pixel.mz[order])
            assert np.array_equal(spectrum.intensity, pixel.intensity[order], equal_nan=True)
        tic = [np.nansum(pixel.intensity) for pixel in pixels]
        assert np.allclose(slide.total_ion_current(), tic, rtol=1e-12)
        windows = [MassWindow(300, MassTolerance(100)), MassWindow(115, MassTolerance(5))]
        images = slide.ion_images(windows)
        for window, image in zip(windows, images, strict=True):
            for pixel in pixels:
                inside = (pixel.mz >= window.low) & (pixel.mz <= window.high)
                wanted = np.nansum(pixel.intensity[inside])
                assert np.isclose(image[pixel.y - top, pixel.x - left], wanted, rtol=1e-12)


QUIRKS = [
    {},
    {"mz_zlib": True},
    {"intensity_zlib": True},
    {"mz_zlib": True, "intensity_zlib": True},
    {"mz_type": "f4"},
    *({"intensity_type": kind} for kind in ("f2", "f8", "i1", "i2", "i4", "i8")),
    {"intensity_first": True},
    {"inline": True},
    {"inline": True, "intensity_first": True, "mobility": True},
    {"nested": True},
    {"mobility": True},
    {"encoding": "UTF-8"},
    {"encoding": "UTF-8", "bom": True},
    {"encoding": "UTF-16"},
    {"encoding": "windows-1252"},
    {"encoding": "UTF-8", "declaration": False},
    {"namespace": None},
    {"namespace": "http://example.org/other"},
    {"prefix": "ms:"},
    {"newline": "\r\n"},
    {"single_quotes": True},
    {"reverse_attributes": True},
    {"comments": True},
    {"suffixes": (".imzml", ".IBD")},
    {"suffixes": (".ImzML", ".Ibd")},
    {"hash_kind": "md5"},
]


@pytest.mark.parametrize("quirks", QUIRKS, ids=str)
def test_processed_variants_read_the_same(write_slide, processed_pixels, quirks: dict) -> None:
    assert_same(write_slide(processed_pixels, **quirks), processed_pixels)


@pytest.mark.parametrize("quirks", QUIRKS, ids=str)
def test_continuous_variants_read_the_same(write_slide, continuous_pixels, quirks: dict) -> None:
    path = write_slide(continuous_pixels, layout="continuous", **quirks)
    assert_same(path, continuous_pixels)
    with open_imzml(path) as slide:
        assert slide.layout == "continuous"
        assert np.array_equal(slide.mass_axis.mz, continuous_pixels[0].mz)


def test_dtypes_are_kept(write_slide, processed_pixels) -> None:
    kinds = {"f4": np.float32, "f8": np.float64, "i1": np.float64, "i8": np.float64}
    for kind, wanted in kinds.items():
        with open_imzml(write_slide(processed_pixels, intensity_type=kind)) as slide:
            assert slide.spectrum(0).intensity.dtype == wanted
            assert next(iter(slide.blocks())).intensity.dtype == wanted


def test_types_may_differ_between_spectra(write_slide, processed_pixels) -> None:
    whole = write_slide(processed_pixels, inline=True, intensity_type="i4")
    text = whole.read_text("latin-1")
    # int32 and float32 take the same room: make the third spectrum's bits those of a float.
    parts = text.split("</spectrum>")
    parts[2] = parts[2].replace("MS:1000519", "MS:1000521").replace("32-bit int", "32-bit flo")
    whole.write_text("</spectrum>".join(parts), "latin-1")
    with open_imzml(whole) as slide:
        bits = processed_pixels[2].intensity.astype("<i4").view("<f4")
        assert np.array_equal(slide.spectrum(2).intensity, bits.astype(np.float64))
        assert np.array_equal(slide.spectrum(3).intensity, processed_pixels[3].intensity)
        block = next(iter(slide.blocks()))
        assert np.array_equal(block.intensity[block.bounds[2] : block.bounds[3]], bits)


def test_processed_spectra_may_share_an_mz_array(write_slide, continuous_pixels) -> None:
    path = write_slide(continuous_pixels, layout="processed", share_mz=True)
    assert_same(path, continuous_pixels)
    with open_imzml(path) as slide:
        assert slide.layout == "processed"


def test_no_compression_term_means_none(write_slide, processed_pixels) -> None:
    drop = '<cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>\n'
    path = write_slide(processed_pixels, edit=lambda text: text.replace(drop, ""))
    assert_same(path, processed_pixels)


def test_names_do_not_matter(write_slide, processed_pixels) -> None:
    def nameless(text: str) -> str:
        return text.replace('name="m/z array"', 'name=""').replace("external offset", "Offset")

    path = write_slide(processed_pixels, edit=nameless)
    assert_same(path, processed_pixels)
    with open_imzml(path) as slide:
        assert not any("called" in warning for warning in slide.warnings)


def test_accession_wins_over_name_with_one_warning(write_slide, processed_pixels) -> None:
    path = write_slide(
        processed_pixels,
        edit=lambda text: text.replace('name="32-bit float"', 'name="64-bit float"'),
    )
    assert_same(path, processed_pixels)
    with open_imzml(path) as slide:
        assert sum("64-bit float" in warning for warning in slide.warnings) == 1


def test_array_length_may_stand_in_a_group(write_slide, continuous_pixels, make_param) -> None:
    length = make_param("IMS:1000103", "external array length", 30)

    def regroup(text: str) -> str:
        head, body = text.replace(length, "").split("<run", 1)
        return head.replace('Array">', f'Array">{length}') + "<run" + body

    path = write_slide(continuous_pixels, layout="continuous", edit=regroup)
    assert_same(path, continuous_pixels)


def test_missing_encoded_length_follows_from_the_type(write_slide, processed_pixels) -> None:
    def drop(text: str) -> str:
        return "\n".join(line for line in text.split("\n") if "IMS:1000104" not in line)

    assert_same(write_slide(processed_pixels, edit=drop), processed_pixels)


def test_whole_numbers_may_have_a_point_and_spaces(write_slide, processed_pixels) -> None:
    def spell(text: str) -> str:
        return text.replace('name="position x" value="2"', 'name="position x" value=" 2.0 "')

    assert_same(write_slide(processed_pixels, edit=spell), processed_pixels)


def test_unsorted_spectra_are_sorted_and_noted(write_slide, processed_pixels, make_pixel) -> None:
    shuffled = [
        make_pixel(p.x, p.y, p.mz[::-1].copy(), p.intensity[::-1].copy()) for p in processed_pixels
    ]
    path = write_slide(shuffled)
    assert_same(path, shuffled, sort=True)
    with open_imzml(path) as slide:
        slide.total_ion_current()
        assert any("ascending" in warning for warning in slide.warnings)


def test_unsorted_axis_is_sorted_and_noted(write_slide, continuous_pixels, make_pixel) -> None:
    order = np.random.default_rng(0).permutation(30)
    shuffled = [make_pixel(p.x, p.y, p.mz[order], p.intensity[order]) for p in continuous_pixels]
    path = write_slide(shuffled, layout="continuous")
    assert_same(path, shuffled, sort=True)
    with open_imzml(path) as slide:
        assert slide.layout == "continuous"
        assert any("ascending" in warning for warning in slide.warnings)


def test_repeated_mz_in_an_axis_reads_as_processed(write_slide, make_pixel) -> None:
    mz = np.array([100.0, 200.0, 200.0, 300.0])
    pixels = [make_pixel(x, 1, mz, np.arange(4.0) + x) for x in (1, 2)]
    path = write_slide(pixels, layout="continuous")
    assert_same(path, pixels)
    with open_imzml(path) as slide:
        assert slide.layout == "processed"
        assert any("repeats" in warning for warning in slide.warnings)


def test_mz_that_is_not_a_number_is_dropped(write_slide, make_pixel) -> None:
    mz = np.array([100.0, np.nan, 200.0, np.inf])
    pixels = [make_pixel(x, 1, mz, np.arange(4.0)) for x in (1, 2)]
    for layout in ("processed", "continuous"):
        with open_imzml(write_slide(pixels, layout=layout)) as slide:
            assert slide.spectrum(1).mz.tolist() == [100, 200]
            assert slide.spectrum(1).intensity.tolist() == [0, 2]
            assert slide.total_ion_current().tolist() == [2, 2]


def test_intensities_that_are_not_finite_stay_raw_and_count_as_zero(write_slide, make_pixel):
    mz = np.array([100.0, 110.0, 120.0])
    values = np.array([1.0, np.nan, np.inf])
    pixels = [make_pixel(1, 1, mz, values), make_pixel(2, 1, mz, np.array([-1.0, 2.0, 3.0]))]
    for layout in ("processed", "continuous"):
        with open_imzml(write_slide(pixels, layout=layout)) as slide:
            assert np.array_equal(slide.spectrum(0).intensity, values, equal_nan=True)
            assert slide.total_ion_current().tolist() == [1, 4]
            assert np.isclose(slide.mean_spectrum().intensity.sum() * 2, 5)


def test_claimed_continuous_with_own_axes_is_processed(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels, layout="processed", edit=_claim_continuous)
    assert_same(path, processed_pixels)
    with open_imzml(path) as slide:
        assert slide.layout == "processed"
        assert any("another m/z axis" in warning for warning in slide.warnings)


def test_continuous_with_copies_of_its_axis_stays_continuous(write_slide, continuous_pixels):
    path = write_slide(continuous_pixels, layout="processed", edit=_claim_continuous)
    assert_same(path, continuous_pixels)
    with open_imzml(path) as slide:
        assert slide.layout == "continuous"


def _claim_continuous(text: str) -> str:
    return text.replace("IMS:1000031", "IMS:1000030").replace("processed", "continuous")


@pytest.mark.parametrize("layout", ["neither", "continuous"])
def test_layout_left_open_follows_from_the_arrays(write_slide, continuous_pixels, layout) -> None:
    def both(text: str) -> str:
        own = '<cvParam cvRef="IMS" accession="IMS:1000031" name="processed" value=""/>'
        return text.replace("<fileContent>", "<fileContent>" + own)

    path = write_slide(
        continuous_pixels,
        layout=layout,
        share_mz=True,
        edit=both if layout == "continuous" else lambda text: text,
    )
    assert_same(path, continuous_pixels)
    with open_imzml(path) as slide:
        assert slide.layout == "continuous"
        assert any("as its arrays are" in warning for warning in slide.warnings)


def test_uuid_in_windows_byte_order_is_no_mismatch(write_slide, processed_pixels) -> None:
    import uuid

    identity = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0").bytes_le
    with open_imzml(write_slide(processed_pixels, identity=identity)) as slide:
        assert not any("UUID" in warning for warning in slide.warnings)


def test_group_defined_after_its_use(write_slide, processed_pixels, make_param) -> None:
    negative = make_param("MS:1000129", "negative scan")

    def refer(text: str) -> str:
        ref = '<referenceableParamGroupRef ref="late"/>'
        group = f'<referenceableParamGroup id="late">{negative}</referenceableParamGroup>'
        text = text.replace("</fileContent>", ref + "</fileContent>")
        return text.replace(
            "</referenceableParamGroupList>", group + "</referenceableParamGroupList>"
        )

    with open_imzml(write_slide(processed_pixels, edit=refer)) as slide:
        assert slide.metadata["polarity"] == "negative"


def test_windows_encoding_without_declaration_is_read_with_a_note(write_slide, processed_pixels):
    path = write_slide(processed_pixels, encoding="latin-1", declaration=False)
    assert_same(path, processed_pixels)
    with open_imzml(path) as slide:
        assert any("Latin-1" in warning for warning in slide.warnings)


def test_text_that_claims_utf16_but_is_utf8(write_slide, processed_pixels) -> None:
    path = write_slide(
        processed_pixels, encoding="UTF-8", edit=lambda t: t.replace('"UTF-8"', '"UTF-16"')
    )
    assert_same(path, processed_pixels)


def test_a_spectrum_in_a_comment_does_not_count(write_slide, make_pixel) -> None:
    pixels = [make_pixel(i + 1, 1, np.arange(1.0, 4.0), np.arange(3.0) + i) for i in range(12)]

    def comment_out(text: str) -> str:
        start = text.index('<spectrum id="Scan=9"')
        end = text.index("</spectrum>", start) + len("</spectrum>")
        once = text[start:end]
        return text.replace(once, f"<!-- {once} {once} -->{once}")

    assert_same(write_slide(pixels, edit=comment_out), pixels)


@pytest.mark.parametrize("budget", [0, 1 << 20])
@pytest.mark.parametrize("quirks", [{}, {"mz_zlib": True, "intensity_type": "i4"}], ids=str)
def test_many_small_blocks_read_the_same(
    write_slide, processed_pixels, continuous_pixels, monkeypatch, budget, quirks
) -> None:
    from napari_ims_tumor.io.imzml import runs

    monkeypatch.setattr(runs, "BLOCK_BYTES", 200)
    for layout, pixels in (("processed", processed_pixels), ("continuous", continuous_pixels)):
        path = write_slide(pixels, layout=layout, **quirks)
        assert_same(path, pixels)
        with open_imzml(path, memory_budget=budget) as slide:
            for _ in range(12):
                assert_blocks_same(slide, pixels)
            asked = np.array([7, 2, 5, 2, 11])
            seen: list[int] = []
            for block in slide.blocks(asked):
                seen.extend(block.indices.tolist())
                for j, i in enumerate(block.indices.tolist()):
                    if layout == "continuous":
                        found = block.intensity[j]
                    else:
                        found = block.intensity[block.bounds[j] : block.bounds[j + 1]]
                    assert np.array_equal(found, pixels[i].intensity)
            assert seen == asked.tolist()


quirk_sets = st.fixed_dictionaries(
    {
        "layout": st.sampled_from(["processed", "continuous"]),
        "mz_type": st.sampled_from(["f2", "f4", "f8", "i2", "i4", "i8"]),
        "intensity_type": st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8"]),
        "mz_zlib": st.booleans(),
        "intensity_zlib": st.booleans(),
        "intensity_first": st.booleans(),
        "inline": st.booleans(),
        "mobility": st.booleans(),
        "single_quotes": st.booleans(),
        "reverse_attributes": st.booleans(),
        "comments": st.booleans(),
        "encoding": st.sampled_from(["UTF-8", "ISO-8859-1", "UTF-16"]),
        "newline": st.sampled_from(["\n", "\r\n"]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(quirks=quirk_sets, n=st.integers(1, 40), seed=st.integers(0, 1000))
def test_templates_read_what_the_parser_reads(tmp_path_factory, quirks, n, seed) -> None:
    from .conftest import Pixel, Quirks, Writer, is_same

    rng = np.random.default_rng(seed)
    mz = np.sort(rng.choice(np.arange(100.0, 1000.0), 6, replace=False))
    left, top = rng.integers(-5000, 5000, 2).tolist()
    empty, pixels = quirks["layout"] == "processed", []
    for i in range(n):
        own = mz[: 0 if empty and rng.random() < 0.2 else 6]
        z = None if rng.random() < 0.1 else int(rng.integers(1, 3))
        values = rng.integers(0, 100, own.size).astype(float)
        pixels.append(Pixel(left + int(rng.integers(0, 50)), top + i, own, values, z))
    path = Writer(Quirks(**quirks)).write(tmp_path_factory.mktemp("slide"), pixels, "slide")
    fast = run_inline(read_document(path))
    slow = run_inline(read_document(path, use_templates=False))
    assert is_same(fast, slow)
    with open_imzml(path) as slide:
        for i in range(n):
            assert np.array_equal(slide.spectrum(i).mz, pixels[i].mz)
            assert np.array_equal(slide.spectrum(i).intensity, pixels[i].intensity)
        assert slide.positions.x.tolist() == [pixel.x for pixel in pixels]
        assert slide.positions.y.tolist() == [pixel.y for pixel in pixels]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(quirks=quirk_sets, n=st.integers(1, 30), seed=st.integers(0, 1000))
def test_slides_read_as_by_pyimzml_where_it_is_right(tmp_path_factory, quirks, n, seed) -> None:
    from pyimzml.ImzMLParser import ImzMLParser

    from .conftest import Pixel, Quirks, Writer

    # It takes packed bytes for numbers, and knows types from groups, four of them.
    wrong = {"mz_zlib": False, "intensity_zlib": False, "inline": False, "mobility": False}
    types = {"f2": "f4", "i1": "i4", "i2": "i4"}
    quirks = {name: types.get(value, value) for name, value in {**quirks, **wrong}.items()}
    rng = np.random.default_rng(seed)
    mz = np.sort(rng.choice(np.arange(100.0, 1000.0), 6, replace=False))
    pixels = [
        Pixel(int(rng.integers(-5, 50)), i, mz, rng.integers(0, 100, 6).astype(float), 1 + i % 2)
        for i in range(n)
    ]
    writer = Writer(Quirks(**quirks, edit=_with_instrument))
    path = writer.write(tmp_path_factory.mktemp("slide"), pixels, "slide")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = ImzMLParser(str(path))
    with open_imzml(path) as slide:
        stated = slide.positions
        assert stated.z is not None
        found = zip(stated.x.tolist(), stated.y.tolist(), stated.z.tolist(), strict=True)
        assert list(found) == other.coordinates
        for i in range(n):
            theirs = other.getspectrum(i)
            assert np.array_equal(slide.spectrum(i).mz, theirs[0])
            assert np.array_equal(slide.spectrum(i).intensity, theirs[1])


def _with_instrument(text: str) -> str:
    listed = '<instrumentConfigurationList><instrumentConfiguration id="i"/>'
    return text.replace("<run", f"{listed}</instrumentConfigurationList><run", 1)
