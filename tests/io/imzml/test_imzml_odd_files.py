"""Files that no exporter should write, and that turn up all the same."""

from __future__ import annotations

import bz2
import gzip
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.imzml import template as templates
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow


@pytest.mark.parametrize(
    "encoding", ["Shift_JIS", "GB18030", "Big5", "EUC-KR", "UTF-7", "x-nowhere", "hex", "idna"]
)
def test_encodings_that_the_parser_does_not_know(write_slide, processed_pixels, encoding) -> None:
    path = write_slide(
        processed_pixels,
        encoding="latin-1",
        edit=lambda text: text.replace('encoding="latin-1"', f'encoding="{encoding}"'),
    )
    with open_imzml(path) as slide:
        assert any("text encoding" in warning for warning in slide.warnings)
        for i, pixel in enumerate(processed_pixels):
            assert np.array_equal(slide.spectrum(i).mz, pixel.mz)
            assert np.array_equal(slide.spectrum(i).intensity, pixel.intensity)


def test_japanese_names_do_not_change_a_number(write_slide, processed_pixels) -> None:
    # The second bytes of some of these characters look like ASCII, one like a backslash.
    path = write_slide(
        processed_pixels,
        encoding="shift_jis",
        edit=lambda text: text.replace("müller", "表ソ能十").replace("total ion current", "表ソ能"),
    )
    with open_imzml(path) as slide:
        assert slide.n_spectra == len(processed_pixels)
        assert np.array_equal(slide.spectrum(7).mz, processed_pixels[7].mz)


@pytest.mark.parametrize(
    ("pack", "word"),
    [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lambda data: b"PK\x03\x04" + data, "zip")],
)
def test_archives_that_were_only_renamed(write_slide, processed_pixels, pack, word) -> None:
    path = write_slide(processed_pixels)
    path.write_bytes(pack(path.read_bytes()))
    with pytest.raises(SlideError, match=f"{word} archive: unpack it"):
        open_imzml(path)


def test_plain_mzml_under_the_name_of_an_image(tmp_path: Path) -> None:
    arrays = "".join(
        f'<binaryDataArray><cvParam accession="{kind}"/><cvParam accession="MS:1000523"/>'
        "<binary>AAAA</binary></binaryDataArray>"
        for kind in ("MS:1000514", "MS:1000515")
    )
    spectrum = f"<spectrum><binaryDataArrayList>{arrays}</binaryDataArrayList></spectrum>"
    path = tmp_path / "slide.imzML"
    path.write_text(f"<mzML><run><spectrumList>{spectrum * 3}</spectrumList></run></mzML>")
    path.with_suffix(".ibd").write_bytes(bytes(16))
    with pytest.raises(SlideError, match=r"spectrum 0 has no position x \(3 spectra"):
        open_imzml(path)


def _with_value(accession: str, value: object) -> Callable[[str], str]:
    """Replace the first value of a term in the fifth spectrum."""

    def edit(text: str) -> str:
        parts = text.split("<spectrum ")
        parts[5] = re.sub(rf'("{accession}" name="[^"]*" value=")[^"]*', rf"\g<1>{value}", parts[5])
        return "<spectrum ".join(parts)

    return edit


@pytest.mark.parametrize("length", [10**9, 10**12, 2**60, 2**62, 2**63 - 1, 10**30, "9" * 5000])
@pytest.mark.parametrize("packed", [False, True])
def test_lengths_that_no_file_can_have(write_slide, processed_pixels, length, packed) -> None:
    def edit(text: str) -> str:
        text = _with_value("IMS:1000103", length)(text)
        return text if packed else re.sub(r"<cvParam [^>]*IMS:1000104[^>]*/>", "", text)

    path = write_slide(processed_pixels, edit=edit, mz_zlib=packed, intensity_zlib=packed)
    with pytest.raises(SlideError, match="spectrum 4"):
        open_imzml(path)


def test_offsets_that_count_from_behind_the_uuid(write_slide, processed_pixels) -> None:
    def shift(text: str) -> str:
        term = r'("IMS:1000102" name="[^"]*" value=")(\d+)'
        return re.sub(term, lambda found: f"{found[1]}{int(found[2]) - 16}", text)

    path = write_slide(processed_pixels, edit=shift)
    with pytest.raises(
        SlideError, match=r"spectrum 0 .* where its UUID lies \(1 spectrum in all\)"
    ):
        open_imzml(path)


def test_infinite_intensities_print_no_warning(write_slide, make_pixel) -> None:
    mz = np.array([100.0, 110.0, 120.0])
    pixels = [make_pixel(x, 1, mz, np.array([np.inf, -np.inf, 2.0])) for x in (1, 2)]
    for layout in ("processed", "continuous"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with open_imzml(write_slide(pixels, layout=layout)) as slide:
                assert slide.total_ion_current().tolist() == [2, 2]
                slide.mean_spectrum()
                window = MassWindow(110, MassTolerance(50))
                assert slide.ion_images([window]).tolist() == [[[2, 2]]]


def test_positions_with_a_decimal_point_are_read_by_templates(
    write_slide, processed_pixels, same_document, monkeypatch
) -> None:
    def spell(text: str) -> str:
        return re.sub(r'(name="position [xy]" value=")(\d+)', r"\1\2.0", text)

    path = write_slide(processed_pixels, edit=spell)
    learned = []

    def learn(*arguments: object) -> templates.Template | None:
        learned.append(templates.learn(*arguments))  # type: ignore[arg-type]
        return learned[-1]

    monkeypatch.setattr("napari_ims_tumor.io.imzml.body.learn", learn)
    fast = run_inline(read_document(path))
    assert len(learned) == 1
    assert learned[0] is not None
    slow = run_inline(read_document(path, use_templates=False))
    assert same_document(fast, slow)
    with open_imzml(path) as slide:
        assert slide.pixels.shape == (4, 3)


def test_learning_ends_where_it_never_succeeds(write_slide, make_pixel, monkeypatch) -> None:
    mz = np.arange(3.0) + 100
    pixels = [make_pixel(i + 1, 1, mz, mz) for i in range(200)]
    path = write_slide(pixels, edit=lambda text: text.replace("Scan=", "Scan&amp;"))
    asked = []

    def learn(*_: object) -> None:
        asked.append(1)

    monkeypatch.setattr("napari_ims_tumor.io.imzml.body.learn", learn)
    assert run_inline(read_document(path)).kinds.size == 200
    assert len(asked) < 100
