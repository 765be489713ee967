"""Bad slides stop with one message that says what, where and what to do; others warn and open."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import check_imzml, open_imzml, open_imzml_job, pair_of
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.job import STOP, JobStopped, run_inline


def stops(path: Path, *parts: str) -> str:
    """Opening raises a SlideError that contains every part; returns its text."""
    with pytest.raises(SlideError) as caught:
        open_imzml(path)
    text = str(caught.value)
    for part in parts:
        assert part in text, text
    assert "Traceback" not in text
    return text


# 1, 34: the pair


def test_files_that_cannot_be_read(write_slide, processed_pixels, monkeypatch) -> None:
    path = write_slide(processed_pixels)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        stops(path, "slide.imzML cannot be read: Permission denied")
    monkeypatch.setattr(os, "open", refuse)
    stops(path, "slide.ibd cannot be opened: Permission denied")


def test_empty_arrays_may_claim_to_lie_before_the_file(write_slide, make_pixel) -> None:
    pixels = [make_pixel(1, 1, np.zeros(0), np.zeros(0)), make_pixel(2, 1, np.ones(1), np.ones(1))]
    path = write_slide(
        pixels, edit=lambda t: t.replace('offset" value="16"', 'offset" value="-1"', 1)
    )
    with open_imzml(path) as slide:
        assert [len(slide.spectrum(i)) for i in range(2)] == [0, 1]


def test_either_file_opens_the_same_pair(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels, suffixes=(".ImzML", ".IBD"))
    ibd = path.with_suffix(".IBD")
    assert pair_of(path) == pair_of(ibd) == (path.resolve(), ibd.resolve())
    with open_imzml(ibd) as from_ibd, open_imzml(str(path)) as from_imzml:
        assert from_ibd.source == from_imzml.source
        assert from_ibd.name == "slide"


def test_links_spaces_and_unicode_in_names(write_slide, processed_pixels, tmp_path: Path) -> None:
    path = write_slide(processed_pixels, name="Gewebe ü 1.final")
    elsewhere = tmp_path / "links"
    elsewhere.mkdir()
    link = elsewhere / path.name
    link.symlink_to(path)
    assert pair_of(link) == pair_of(path)
    with open_imzml(link) as slide:
        assert slide.name == "Gewebe ü 1.final"


# 2, 3, 4: arrays


def test_zero_length_arrays_may_lie_anywhere(write_slide, make_pixel) -> None:
    pixels = [make_pixel(1, 1, np.zeros(0), np.zeros(0)), make_pixel(2, 1, np.ones(1), np.ones(1))]
    path = write_slide(
        pixels, edit=lambda t: t.replace('offset" value="16"', 'offset" value="999999"', 1)
    )
    with open_imzml(path) as slide:
        assert len(slide.spectrum(0)) == 0
        assert slide.total_ion_current().tolist() == [0, 1]


@pytest.mark.parametrize("wrapped", [lambda o: o - (1 << 32), lambda o: o % (1 << 32)])
def test_offsets_wrapped_at_4_gb_are_repaired(write_slide, processed_pixels, wrapped) -> None:
    path = write_slide(processed_pixels)
    ibd = path.with_suffix(".ibd")
    data = ibd.read_bytes()
    # Push everything after the first 200 bytes behind 4 GB, in a sparse file.
    shift = (1 << 32) - 250

    def moved(match):
        offset = int(match[1])
        offset = offset + shift if offset >= cut else offset
        offset = wrapped(offset) if offset >= 1 << 31 else offset
        return f'offset" value="{offset}"'

    import re

    text = path.read_text("latin-1")
    offsets = sorted({int(o) for o in re.findall(r'offset" value="(\d+)"', text)})
    cut = offsets[6]
    path.write_text(re.sub(r'offset" value="(\d+)"', moved, text), "latin-1")
    with ibd.open("r+b") as file:
        file.truncate(cut)
        file.seek(cut + shift)
        file.write(data[cut:])
    with open_imzml(path) as slide:
        assert any("4 GB" in warning for warning in slide.warnings)
        for i, pixel in enumerate(processed_pixels):
            assert np.array_equal(slide.spectrum(i).mz, pixel.mz)


# 5, 6: identity


def test_check_of_a_fine_slide(write_slide, processed_pixels, make_param) -> None:
    size = make_param("IMS:1000046", "pixel size", 20)
    result = run_inline(check_imzml(write_slide(processed_pixels, settings=size)))
    assert result.status == "fine"
    assert result.facts["spectra"] == 12
    assert any(
        "1 spectrum of 12 without a value (number 5)" in finding.text for finding in result.findings
    )


@pytest.mark.parametrize("kind", ["sha1", "md5"])
def test_check_finds_a_flipped_byte(write_slide, processed_pixels, kind) -> None:
    path = write_slide(processed_pixels, hash_kind=kind)
    data = bytearray(path.with_suffix(".ibd").read_bytes())
    data[-1] ^= 1
    path.with_suffix(".ibd").write_bytes(data)
    result = run_inline(check_imzml(path))
    assert result.status == "warnings"
    assert any("is not the one whose" in finding.text for finding in result.findings)


def test_check_finds_odd_intensities(write_slide, make_pixel) -> None:
    mz = np.array([100.0, 200.0])
    pixels = [
        make_pixel(1, 1, mz, np.array([np.nan, 1])),
        make_pixel(2, 1, mz, np.array([np.inf, -1])),
    ]
    for layout in ("continuous", "processed"):
        result = run_inline(check_imzml(write_slide(pixels, layout=layout)))
        said = " ".join(finding.text for finding in result.findings)
        for kind in ("NaN", "infinite", "negative"):
            assert f"1 spectrum with {kind} intensities" in said


def test_check_of_an_unreadable_slide(tmp_path: Path) -> None:
    result = run_inline(check_imzml(tmp_path / "gone.imzML"))
    assert result.status == "unreadable"
    assert "does not exist" in result.findings[0].text


# 7, 8, 9: encodings


@pytest.mark.parametrize("accession", ["MS:1002312", "MS:1002748", "MS:1003780", "MS:1009999"])
def test_foreign_compression_is_named(write_slide, processed_pixels, accession) -> None:
    path = write_slide(
        processed_pixels,
        edit=lambda t: t.replace("MS:1000576", accession).replace("no comp", "odd comp"),
    )
    stops(path, accession, "compress")


# 10, 11, 12: XML


def test_truncated_xml_names_the_line(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels)
    text = path.read_text("latin-1")
    cut = text.index('id="Scan=9"') + 300
    path.write_text(text[:cut], "latin-1")
    line = text[:cut].count("\n") + 1
    stops(path, f"line {line}", "stops in the middle")


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("</scanList>", "</scanLost>", "do not match"),
        ('name="position x"', 'name="a < b"', "not allow"),
        ('name="position x"', 'name="&nope;"', "entity"),
        ('name="position x"', 'name="x" name="y"', "twice"),
    ],
)
def test_malformed_xml_names_the_line(write_slide, processed_pixels, old, new, hint) -> None:
    path = write_slide(processed_pixels)
    head, tail = path.read_text("latin-1").split('id="Scan=9"')
    path.write_text(head + 'id="Scan=9"' + tail.replace(old, new, 1), "latin-1")
    line = (head + tail[: tail.index(old)]).count("\n") + 1
    stops(path, f"line {line}", hint)


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 16}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>\n"
)


@pytest.mark.parametrize(
    "doctype",
    [
        BOMB,
        '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">\n',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n',
        "<!DOCTYPE mzML>\n",
    ],
)
def test_document_types_are_refused_at_once(write_slide, processed_pixels, doctype) -> None:
    def attack(text: str) -> str:
        return text.replace("?>\n", "?>\n" + doctype, 1).replace("müller", "&i;")

    path = write_slide(processed_pixels, edit=attack)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    stops(path, "document type", "line 2")
    assert time.perf_counter() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50_000


# 15, 16, 17: positions


@pytest.mark.parametrize("shift", [-7, 0, 100, 5112, 2**31])
def test_any_origin_is_placed_in_the_bounding_box(write_slide, make_pixel, shift) -> None:
    mz = np.array([100.0])
    corners = [(1, 1), (3, 1), (1, 2)]
    pixels = [make_pixel(x + shift, y + shift, mz, np.array([x * 10 + y])) for x, y in corners]
    with open_imzml(write_slide(pixels)) as slide:
        assert slide.pixels.shape == (2, 3)
        image = slide.pixels.as_image(slide.total_ion_current())
        wanted = np.array([[11, np.nan, 31], [12, np.nan, np.nan]])
        assert np.array_equal(image, wanted, equal_nan=True)
        base = 1 if shift >= 0 else 0
        assert slide.pixels.origin == (1 + shift - base, 1 + shift - base)


def test_positions_that_start_at_zero(write_slide, make_pixel) -> None:
    pixels = [make_pixel(x, 0, np.ones(1), np.ones(1)) for x in range(3)]
    with open_imzml(write_slide(pixels)) as slide:
        assert slide.pixels.origin == (0, 0)
        assert slide.pixels.shape == (1, 3)


def test_duplicates_show_the_first_and_warn(write_slide, make_pixel) -> None:
    pixels = [make_pixel(1, 1, np.ones(1), np.array([v])) for v in (5.0, 6.0, 7.0)]
    with open_imzml(write_slide(pixels)) as slide:
        assert any("2 spectra where another" in warning for warning in slide.warnings)
        assert slide.pixels.as_image(slide.total_ion_current()).tolist() == [[5]]


@pytest.mark.parametrize("value", ["", "one", "1.5", "nan", "9" * 30])
def test_position_that_is_no_whole_number(write_slide, processed_pixels, value) -> None:
    path = write_slide(
        processed_pixels, edit=lambda t: t.replace('position y" value="4"', f'y" value="{value}"')
    )
    stops(path, "slide.imzML: spectrum 9")


def test_sections_become_planes(write_slide, make_pixel) -> None:
    pixels = [make_pixel(1, 1, np.ones(1), np.array([z]), z=z) for z in (4, 2, 9)]
    with open_imzml(write_slide(pixels)) as slide:
        assert slide.pixels.image_shape == (3, 1, 1)
        assert slide.pixels.as_image(slide.total_ion_current()).ravel().tolist() == [2, 4, 9]


# 18: pixel size

UM, NM, MM, M = "UO:0000017", "UO:0000018", "UO:0000016", "UO:0000008"


def size_param(make_param, accession: str, value: object, unit: str = "") -> str:
    text = make_param(accession, "pixel size", value)
    return text.replace("/>", f' unitCvRef="UO" unitAccession="{unit}"/>') if unit else text


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        ([("46", 20, UM), ("47", 30, UM)], (30, 20)),
        ([("46", 20, "")], (20, 20)),
        ([("46", 20, UM)], (20, 20)),
        ([("46", 5000, NM), ("47", 0.02, MM)], (20, 5)),
        ([("46", 2e-5, M)], (20, 20)),
        ([("47", 20, UM)], (20, 20)),
        ([("46", 10000, ""), ("44", 300, UM), ("42", 3, "")], (100, 100)),
        ([("46", 100, ""), ("44", 300, UM), ("42", 3, "")], (100, 100)),
        ([("46", 1, ""), ("44", 3, ""), ("42", 3, "")], (1, 1)),
        ([("46", 0, UM)], None),
        ([("46", -5, UM)], None),
        ([("46", "nan", UM)], None),
        ([("46", 5, "UO:0000010")], None),
        ([("47", "rectangular", "")], None),
        ([], None),
    ],
)
def test_pixel_size(write_slide, processed_pixels, make_param, terms, wanted) -> None:
    text = "".join(size_param(make_param, f"IMS:10000{a}", v, u) for a, v, u in terms)
    with open_imzml(write_slide(processed_pixels, settings=text)) as slide:
        size = slide.pixels.pixel_size_um
        assert size == (None if wanted is None else pytest.approx(wanted))
        assert (wanted is not None) or any("in pixels" in w for w in slide.warnings)


def test_the_runs_instrument_picks_its_scan_settings(write_slide, processed_pixels, make_param):
    one = size_param(make_param, "IMS:1000046", 20, UM)
    both = f'{one}</scanSettings><scanSettings id="t">{one.replace(chr(34) + "20", chr(34) + "40")}'
    instrument = '<instrumentConfiguration id="i" scanSettingsRef="t"/><run id="r" '

    def choose(text: str) -> str:
        return text.replace('<run id="r"', instrument + 'defaultInstrumentConfigurationRef="i"')

    with open_imzml(write_slide(processed_pixels, settings=both, edit=choose)) as slide:
        assert slide.pixels.pixel_size_um == (40, 40)


# 22, 29: while open


def test_shrinking_and_changing_while_open(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels)
    with open_imzml(path) as slide:
        os.truncate(path.with_suffix(".ibd"), 30)
        for read in (lambda: slide.spectrum(11), lambda: slide.spectrum(5), slide.blocks):
            with pytest.raises(SlideError, match="changed by another program"):
                read()


def test_truncation_while_open_does_not_kill_the_process(write_slide, continuous_pixels) -> None:
    path = write_slide(continuous_pixels, layout="continuous")
    code = f"""
        import os
        from napari_ims_tumor.errors import SlideError
        from napari_ims_tumor.io.imzml import open_imzml
        slide = open_imzml({str(path)!r})
        os.truncate({str(path.with_suffix(".ibd"))!r}, 0)
        for read in (lambda: slide.spectrum(3), lambda: list(slide.blocks())):
            try:
                read()
            except SlideError as error:
                print("SlideError", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SlideError") == 2


def test_deleted_while_open_reads_on_or_says_so(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels)
    with open_imzml(path) as slide:
        path.with_suffix(".ibd").unlink()
        assert np.array_equal(slide.spectrum(3).mz, processed_pixels[3].mz)


def test_closed_slides_say_so(write_slide, processed_pixels) -> None:
    slide = open_imzml(write_slide(processed_pixels))
    slide.close()
    slide.close()
    with pytest.raises(SlideError, match="was closed"):
        slide.spectrum(0)


def test_spectra_that_do_not_exist(write_slide, processed_pixels) -> None:
    with open_imzml(write_slide(processed_pixels)) as slide:
        for i in (-1, 12):
            with pytest.raises(SlideError, match="0 to 11"):
                slide.spectrum(i)
            with pytest.raises(SlideError, match="0 to 11"):
                list(slide.blocks(np.array([i])))


def test_opening_can_be_stopped(write_slide, processed_pixels) -> None:
    job = open_imzml_job(write_slide(processed_pixels))
    next(job)
    with pytest.raises(JobStopped):
        job.send(STOP)


def test_reading_without_positioned_reads(write_slide, processed_pixels, monkeypatch) -> None:
    from napari_ims_tumor.io.imzml import arrays

    path = write_slide(processed_pixels)
    data = path.with_suffix(".ibd").read_bytes()
    monkeypatch.setattr(arrays, "_READ_AT", arrays.seek_and_read)
    monkeypatch.setattr(arrays, "_HAS_PREAD", False)
    ibd = IbdFile(path.with_suffix(".ibd"))
    assert bytes(ibd.read(5, 100)) == data[5:105]
    with pytest.raises(SlideError, match="shorter"):
        ibd.read(len(data) - 1, 2)
    ibd.close()


def test_random_damage_opens_right_or_stops(write_slide_in, tmp_path, processed_pixels) -> None:
    """300 slides with flipped bytes: a SlideError or finite shapes, and nothing else."""
    rng = np.random.default_rng(0)
    path = write_slide_in(tmp_path, processed_pixels, mz_zlib=True)
    files = [path, path.with_suffix(".ibd")]
    originals = [file.read_bytes() for file in files]
    outcomes = {"read": 0, "stopped": 0}
    for case in range(300):
        which = case % 2
        damaged = bytearray(originals[which])
        for _ in range(int(rng.integers(1, 6))):
            damaged[int(rng.integers(0, len(damaged)))] = int(rng.integers(0, 256))
        files[which].write_bytes(damaged)
        try:
            with open_imzml(path) as slide:
                for i in range(slide.n_spectra):
                    spectrum = slide.spectrum(i)
                    assert spectrum.mz.size == spectrum.intensity.size
                    assert (np.diff(spectrum.mz) >= 0).all()
                slide.mean_spectrum()
            outcomes["read"] += 1
        except SlideError:
            outcomes["stopped"] += 1
        files[which].write_bytes(originals[which])
    assert min(outcomes.values()) > 20


@pytest.mark.parametrize("layout", ["processed", "continuous"])
def test_changing_is_seen_while_a_slide_is_taken_into_memory(
    write_slide, continuous_pixels, monkeypatch, layout
) -> None:
    from napari_ims_tumor.io.imzml import runs

    monkeypatch.setattr(runs, "BLOCK_BYTES", 200)
    path = write_slide(continuous_pixels, layout=layout)
    with open_imzml(path) as slide:
        for passes in range(12):
            assert sum(block.indices.size for block in slide.blocks()) == len(continuous_pixels)
            if passes in (0, 3, 11):
                os.utime(path.with_suffix(".ibd"), ns=(0, 1 + passes))
                with pytest.raises(SlideError, match="changed by another program"):
                    next(slide.blocks())
                break_time = slide._parts.ibd.written
                os.utime(path.with_suffix(".ibd"), ns=(0, break_time))


def test_spectra_cannot_be_written_to(write_slide, processed_pixels, continuous_pixels) -> None:
    for layout, pixels in (("processed", processed_pixels), ("continuous", continuous_pixels)):
        with open_imzml(write_slide(pixels, layout=layout)) as slide:
            spectrum = slide.spectrum(0)
            for values in (spectrum.mz, spectrum.intensity):
                with pytest.raises(ValueError, match="read-only"):
                    values[0] = 1
            if layout == "processed":
                with pytest.raises(ValueError, match="WRITEABLE"):
                    spectrum.mz.flags.writeable = True


def test_arrays_with_gaps_between_them_are_read(write_slide, processed_pixels) -> None:
    """Spectra asked for out of order leave gaps; more arrays than one system call may fill."""
    many = [
        type(processed_pixels[0])(i % 50 + 1, i // 50 + 1, np.arange(3.0) + i, np.arange(3.0) * i)
        for i in range(1500)
    ]
    with open_imzml(write_slide(many), memory_budget=0) as slide:
        for asked in (np.arange(1500), np.arange(0, 1500, 7)[::-1]):
            found = np.concatenate([block.intensity for block in slide.blocks(asked)])
            assert np.array_equal(found, np.concatenate([many[i].intensity for i in asked]))
