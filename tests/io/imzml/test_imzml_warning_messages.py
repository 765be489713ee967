"""What a slide opens with all the same: each oddity with the whole warning, and right numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from napari_ims_tumor.io.imzml import check_imzml, open_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.normalization import NORMALIZATIONS, scale_factors

from .conftest import Pixel, param

UM = 'unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"'


def length_param(accession: str, value: object, unit: str = UM) -> str:
    return param(accession, "pixel size", value).replace("/>", f" {unit}/>")


SIZED = length_param("IMS:1000046", 20)


@dataclass(frozen=True)
class Oddity:
    """A slide and all the warnings that it opens with."""

    warnings: tuple[str, ...]
    quirks: dict[str, object] = field(default_factory=dict)
    pixels: list[Pixel] | None = None


def replaced(old: str, new: str, count: int = -1) -> dict[str, object]:
    return {"edit": lambda text: text.replace(old, new, count)}


def row(*columns: int, z: tuple[int | None, ...] | None = None) -> list[Pixel]:
    """Spectra on one row, of two channels each."""
    mz, sections = np.array([100.0, 200.0]), z or (None,) * len(columns)
    return [
        Pixel(x, 1, mz, np.array([1.0, i]), section)
        for i, (x, section) in enumerate(zip(columns, sections, strict=True))
    ]


def with_mz(*axes: list[float]) -> list[Pixel]:
    return [Pixel(i + 1, 1, np.array(mz), np.arange(float(len(mz)))) for i, mz in enumerate(axes)]


NO_SIZE = (
    "slide.imzML: no pixel size is stated, so distances are in pixels. Export it with its pixel "
    "size to see µm."
)
CONTINUOUS = {"layout": "continuous"}

ODDITIES = {
    "4 two spectra with the same intensities": Oddity(
        (
            "slide.imzML: 1 spectrum with the same intensity array as another spectrum, the first "
            "is spectrum 1: is its offset stated wrongly? If its image looks wrong, export it "
            "again.",
        ),
        replaced('offset" value="56"', 'offset" value="32"'),
        [Pixel(x, 1, np.array([1.0, 2.0]), np.array([3.0, 4.0])) for x in (1, 2)],
    ),
    "5 another UUID": Oddity(
        (
            "slide.imzML: the UUID in the .ibd file is another one than the .imzML file states: do "
            "the two files belong together? Copy both again from the same export.",
        ),
        {"identity": bytes(16)},
    ),
    "5 no UUID": Oddity(
        (
            "slide.imzML: no valid UUID is stated, so it is not certain that the .ibd file belongs "
            "to it; compare the names and dates of both files",
        ),
        replaced("IMS:1000080", "IMS:1999999"),
    ),
    "9 a name that contradicts its accession": Oddity(
        (
            "slide.imzML: MS:1000521 is called '64-bit float' but means '32-bit float'; the "
            "accession number was believed. If images look wrong, tell the maker of the exporting "
            "software.",
        ),
        replaced('name="32-bit float"', 'name="64-bit float"'),
    ),
    "9 two types, settled by the lengths": Oddity(
        (
            "slide.imzML: spectrum 0: the type of the intensity array is stated wrongly or twice; "
            "it is read as float32, as its lengths say",
        ),
        replaced('"intensityArray">', '"intensityArray">' + param("MS:1000523", "64-bit float")),
    ),
    "9 said to be compressed and not": Oddity(
        (
            "slide.imzML: spectrum 0: the m/z array is said to be both compressed and not; it is "
            "read as not compressed, as its lengths say",
        ),
        replaced('id="mzArray">', 'id="mzArray">' + param("MS:1000574", "zlib compression")),
    ),
    "10 special characters without an encoding": Oddity(
        (
            "slide.imzML: it states no encoding or a wrong one; special characters are read as "
            "Latin-1, numbers are right",
        ),
        {"encoding": "latin-1", "declaration": False},
    ),
    "10 an encoding that is not the one stated": Oddity(
        (
            "slide.imzML: its declaration states a wrong encoding; it is read as UTF-8, numbers "
            "are right",
        ),
        {"encoding": "UTF-8", **replaced('"UTF-8"', '"UTF-16"')},
    ),
    "10 an encoding nobody knows": Oddity(
        (
            "slide.imzML: its text encoding is not known here; names in it may look wrong, numbers "
            "are right",
        ),
        {"encoding": "latin-1", **replaced('"latin-1"', '"x-nowhere"')},
    ),
    "12 fewer spectra than announced": Oddity(
        (
            "slide.imzML: 20 spectra announced, but 12 there: incomplete export? If some are "
            "missing, export it again.",
        ),
        replaced('List count="12"', 'List count="20"'),
    ),
    "13 neither profile nor centroid": Oddity(
        (
            "slide.imzML: its spectra are said to be neither profile nor centroid; they look like "
            "centroid spectra and are read so",
        ),
        {"mode": "MS:1999999"},
    ),
    "14 unsorted m/z": Oddity(
        (
            "slide.imzML: 2 spectra not in ascending order of m/z, sorted in memory (the first is "
            "spectrum 1)",
        ),
        pixels=with_mz([1, 2, 3], [3, 2, 1], [5, 4]),
    ),
    "14 m/z that is no number": Oddity(
        (
            "slide.imzML: 1 spectrum with m/z values that are no finite numbers; those points are "
            "left out (the first is spectrum 1)",
        ),
        pixels=with_mz([1, 2, 3], [1, np.nan, 3], [5, 6]),
    ),
    "14 m/z that no instrument measures": Oddity(
        (
            "slide.imzML: m/z values from 1 to 1e+20, which no instrument measures: a byte was "
            "changed, or the type of the m/z arrays is stated wrongly. Copy or export it again.",
        ),
        pixels=with_mz([1, 2, 3], [1, 2, 1e20]),
    ),
    "14 a shared axis that is not ascending": Oddity(
        (
            "slide.imzML: its shared m/z axis was not ascending; it was sorted, and so was every "
            "spectrum",
        ),
        CONTINUOUS,
        with_mz([3, 2, 1], [3, 2, 1]),
    ),
    "14 a shared axis that repeats": Oddity(
        (
            "slide.imzML: its shared m/z axis repeats values or has none; it is read as processed, "
            "which is right but slower",
        ),
        CONTINUOUS,
        with_mz([1, 2, 2], [1, 2, 2]),
    ),
    "16 two spectra at one position": Oddity(
        (
            "slide.imzML: 2 spectra where another one lies already, the first is spectrum 2 at "
            "x = 4, y = 1; images show the spectrum that comes first in the file. Was a region "
            "measured twice, or were files joined?",
        ),
        pixels=row(4, 5, 4, 4),
    ),
    "17 some spectra without a section": Oddity(
        (
            "slide.imzML: 1 spectrum without a z position, the first is spectrum 1; they are shown "
            "in section z = 2",
        ),
        pixels=row(1, 2, 3, z=(2, None, 3)),
    ),
    "18 no pixel size": Oddity((NO_SIZE,), {"settings": ""}),
    "18 a pixel size that is no length": Oddity(
        (
            "slide.imzML: the stated pixel size is not a length above 0, so distances are in "
            "pixels. Export it with its pixel size to see µm.",
        ),
        {"settings": length_param("IMS:1000046", -5)},
    ),
    "18 a pixel size without a known unit": Oddity(
        (
            "slide.imzML: the stated pixel size is not a length above 0, so distances are in "
            "pixels. Export it with its pixel size to see µm.",
        ),
        {"settings": length_param("IMS:1000046", 5, 'unitAccession="UO:0000010"')},
    ),
    "18 scan settings that disagree": Oddity(
        (
            "slide.imzML: different pixel sizes are stated (20 × 20 µm and 40 × 40 µm), so "
            "distances are in pixels. Export it with one pixel size to see µm.",
        ),
        {
            "settings": SIZED
            + '</scanSettings><scanSettings id="t">'
            + length_param("IMS:1000046", 40)
        },
    ),
    "18 an area instead of a length": Oddity(
        ("slide.imzML: the stated pixel size is an area; its side of 100 µm is used",),
        {
            "settings": length_param("IMS:1000046", 10000)
            + length_param("IMS:1000044", 300)
            + param("IMS:1000042", "max count x", 3)
        },
    ),
    "18 a height only": Oddity(
        ("slide.imzML: only a pixel height is stated; the width is taken to be the same",),
        {"settings": length_param("IMS:1000047", 20)},
    ),
    "19 continuous, but with axes of their own": Oddity(
        (
            "slide.imzML: it is said to be continuous, but spectrum 1 has another m/z axis than "
            "spectrum 0; it is read as processed, which is right but slower",
        ),
        replaced("IMS:1000031", "IMS:1000030"),
    ),
    "19 continuous, but one axis has other values": Oddity(
        (
            "slide.imzML: it is said to be continuous, but spectrum 2 has another m/z axis than "
            "spectrum 0; it is read as processed, which is right but slower",
        ),
        CONTINUOUS,
        with_mz([1, 2], [1, 2], [1, 3]),
    ),
    "19 neither continuous nor processed": Oddity(
        (
            "slide.imzML: it is said to be neither continuous nor processed; it is read as "
            "continuous, as its arrays are",
        ),
        {"layout": "neither", "share_mz": True},
        with_mz([1, 2], [1, 2]),
    ),
    "17 an irregular outline, one row, one pixel": Oddity((), pixels=row(3)),
    "13 empty, all-zero and negative spectra": Oddity(
        (),
        pixels=[
            Pixel(1, 1, np.zeros(0), np.zeros(0)),
            Pixel(2, 1, np.array([5.0, 6.0]), np.zeros(2)),
            Pixel(3, 1, np.array([5.0, 6.0]), np.array([-1.0, 2.0])),
        ],
    ),
}


@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_is_one_whole_warning(write_slide, processed_pixels, name: str) -> None:
    oddity = ODDITIES[name]
    pixels = processed_pixels if oddity.pixels is None else oddity.pixels
    path = write_slide(pixels, **{"settings": SIZED, **oddity.quirks})
    with open_imzml(path) as slide:
        assert slide.warnings == oddity.warnings
        _assert_right(slide, pixels)
    # The check of a lab says the same.
    found = run_inline(check_imzml(path)).findings
    assert tuple(f.text for f in found if f.text in oddity.warnings) == oddity.warnings


def _assert_right(slide, pixels: list[Pixel]) -> None:
    assert slide.n_spectra == len(pixels)
    for i, pixel in enumerate(pixels):
        order = np.argsort(pixel.mz, kind="stable")
        order = order[np.isfinite(pixel.mz[order])]
        assert np.array_equal(slide.spectrum(i).mz, pixel.mz[order])
        assert np.array_equal(slide.spectrum(i).intensity, pixel.intensity[order])
    for kind in NORMALIZATIONS:
        assert np.isfinite(scale_factors(slide, kind)).all()
