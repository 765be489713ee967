"""What stops a slide from opening: each fault with the whole sentence that the user reads.

Every sentence names the file, the spectrum, byte or line, the likely cause, and what to do next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import check_imzml, open_imzml
from napari_ims_tumor.job import run_inline

from .conftest import Pixel, param


@dataclass(frozen=True)
class Stop:
    """A slide, what is done to it, and what is said then."""

    message: str
    quirks: dict[str, object] = field(default_factory=dict)
    damage: Callable[[Path], object] = lambda path: None
    pixels: list[Pixel] | None = None
    ask_for: Callable[[Path], Path] = lambda path: path


def replaced(old: str, new: str, count: int = -1) -> dict[str, object]:
    """Quirks of a slide in whose .imzML a text is replaced."""
    return {"edit": lambda text: text.replace(old, new, count)}


def in_spectrum(i: int, pattern: str, new: str, **quirks: object) -> dict[str, object]:
    """Quirks of a slide in whose spectrum ``i`` a pattern is replaced once."""

    def edit(text: str) -> str:
        parts = text.split("<spectrum ")
        parts[i + 1], count = re.subn(pattern, new, parts[i + 1], count=1)
        assert count == 1, "the pattern was not found"
        return "<spectrum ".join(parts)

    return {"edit": edit, **quirks}


def ibd(path: Path) -> Path:
    return path.with_suffix(".ibd")


def truncated(nbytes: int) -> Callable[[Path], object]:
    return lambda path: os.truncate(ibd(path), nbytes)


def holding(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def flipped(byte: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:byte] + bytes([data[byte] ^ 255]) + data[byte + 1 :]


def cut_at(text: str, more: int) -> Callable[[Path], object]:
    def cut(path: Path) -> None:
        whole = path.read_text("latin-1")
        path.write_text(whole[: whole.index(text) + more], "latin-1")

    return cut


def two_spectra() -> list[Pixel]:
    """A slide of two short spectra, for faults in which every byte counts."""
    mz = np.array([100.0, 200.0])
    return [Pixel(x, 1, mz, np.array([3.0, 4.0])) for x in (1, 2)]


LENGTH = r'(external array length" value=")\d+'
ENCODED = r'(external encoded length" value=")\d+'
OFFSET = r'(external offset" value=")\d+'
X, Y = r'(position x" value=")\d+', r'(position y" value=")\d+'
AGAIN = "Export it again."
INTENSITY_ARRAY = (
    '<binaryDataArray><referenceableParamGroupRef ref="intensityArray"/></binaryDataArray>'
)
SCATTERED = [Pixel(x, x, np.ones(1), np.ones(1)) for x in (1, 10**9)]
ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
ELSEWHERE = '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">'
DOCTYPE = (
    "slide.imzML, line 2: the file contains a document type declaration (DTD). imzML never does "
    "and it can be used for attacks, so the file is refused; export it again from the instrument "
    "software."
)

PAIR = {
    "1 .ibd missing": Stop(
        "slide.imzML: its other half is missing. Looked for slide with .ibd or .IBD in {folder}; "
        "it holds the spectra: copy it into the same folder.",
        damage=lambda path: ibd(path).unlink(),
    ),
    "1 only the .ibd is there": Stop(
        "slide.ibd: its other half is missing. Looked for slide with .imzML, .imzml or .ImzML in "
        "{folder}; it holds the pixel positions: copy it into the same folder.",
        damage=lambda path: path.unlink(),
        ask_for=ibd,
    ),
    "1 no such file": Stop(
        "{folder}/gone.imzML does not exist; was it moved, renamed or unmounted?",
        ask_for=lambda path: path.with_name("gone.imzML"),
    ),
    "1 a folder": Stop(
        "folder.imzML is a folder; choose the .imzML file inside it",
        damage=lambda path: path.with_name("folder.imzML").mkdir(),
        ask_for=lambda path: path.with_name("folder.imzML"),
    ),
    "1 another kind of file": Stop(
        "slide.png: not an imzML slide; choose a .imzML or an .ibd file",
        ask_for=lambda path: path.with_suffix(".png"),
    ),
    "23 a name too long for the system": Stop(
        f"{'x' * 300}.imzML cannot be read: File name too long; is its drive connected, is its "
        "name complete, and are you allowed to read its folder?",
        ask_for=lambda path: path.with_name("x" * 300 + ".imzML"),
    ),
}

ARRAYS = {
    "2 .ibd cut off in the last spectrum": Stop(
        "slide.ibd: spectrum 1 ends at byte 64, the file has 60: incomplete copy? (Cut off: 1 "
        "of 2 spectra.) Copy it again.",
        damage=truncated(60),
        pixels=two_spectra(),
    ),
    "2 .ibd cut off early": Stop(
        "slide.ibd: spectrum 1 ends at byte 148, the file has 80: incomplete copy? (Cut off: 10 "
        "of 12 spectra.) Copy it again.",
        damage=truncated(80),
    ),
    "2 .ibd empty": Stop(
        "slide.ibd: spectrum 0 ends at byte 40, the file has 0: incomplete copy? (Cut off: 2 "
        "of 2 spectra.) Copy it again.",
        damage=truncated(0),
        pixels=two_spectra(),
    ),
    "3 negative offset that has no one explanation": Stop(
        "slide.imzML: spectrum 1 has a negative offset (1 spectrum in all), and that cannot "
        f"be repaired for certain: the .imzML file is damaged or was written by faulty 32-bit "
        f"software. {AGAIN}",
        in_spectrum(1, OFFSET, r"\g<1>-76"),
    ),
    "3 offset no file can have": Stop(
        "slide.imzML: spectrum 3 states an impossible array position or length (1 spectrum in "
        f"all): the .imzML file is damaged. {AGAIN}",
        in_spectrum(3, OFFSET, rf"\g<1>{2**62}"),
    ),
    "3 length no file can have": Stop(
        "slide.imzML: spectrum 4 has the impossible number 9223372036854775808000 as its external "
        f"array length; the file was damaged or written by faulty software. {AGAIN}",
        in_spectrum(4, LENGTH, rf"\g<1>{2**63}000"),
    ),
    "4 m/z and intensities of different length": Stop(
        "slide.imzML: spectrum 4 has 8 m/z values but 9 intensities (1 spectrum in all): the "
        f"file is damaged. {AGAIN}",
        in_spectrum(4, rf'{LENGTH}("/>\s*<cvParam[^>]*{ENCODED[1:-4]})\d+', r"\g<1>8\g<2>64"),
    ),
    "4 arrays that overlap partly": Stop(
        "slide.imzML: the arrays of spectrum 1 overlap other arrays in slide.ibd (so many times: "
        f"1): the offsets are wrong. {AGAIN}",
        in_spectrum(1, OFFSET, r"\g<1>72"),
    ),
    "4 intensities on the m/z array": Stop(
        "slide.imzML: the arrays of spectrum 0 overlap other arrays in slide.ibd (so many times: "
        f"1): the offsets are wrong. {AGAIN}",
        {"intensity_type": "f8", **replaced('offset" value="32"', 'offset" value="16"', 1)},
        pixels=two_spectra()[:1],
    ),
    "4 values where the UUID lies": Stop(
        "slide.imzML: spectrum 0 is said to begin at byte 0 of slide.ibd, where its UUID lies (1 "
        f"spectrum in all): the offsets are wrong. {AGAIN}",
        in_spectrum(0, OFFSET, r"\g<1>0"),
    ),
}

ENCODINGS = {
    "7 zlib data damaged": Stop(
        "slide.ibd: the m/z array of spectrum 0 is damaged: the 18 bytes from byte 16 on cannot be "
        "unpacked (Error -3 while decompressing data: incorrect header check). Copy the .ibd file "
        "again.",
        {"mz_zlib": True, "edit_ibd": flipped(16)},
        pixels=two_spectra(),
    ),
    "7 zlib array shorter than stated": Stop(
        "slide.ibd: the m/z array of spectrum 0 unpacks to 16 bytes instead of 24: the .ibd file "
        "is damaged or belongs to another .imzML. Copy both files again from the same export.",
        {
            "mz_zlib": True,
            "intensity_zlib": True,
            **replaced('array length" value="2"', 'array length" value="3"'),
        },
        pixels=two_spectra(),
    ),
    "7 zlib array longer than stated": Stop(
        "slide.ibd: the m/z array of spectrum 0 unpacks to more than 8 bytes instead of 8: the "
        ".ibd file is damaged or belongs to another .imzML. Copy both files again from the same "
        "export.",
        {
            "mz_zlib": True,
            "intensity_zlib": True,
            **replaced('array length" value="2"', 'array length" value="1"'),
        },
        pixels=two_spectra(),
    ),
    "7 zlib array without its packed length": Stop(
        "slide.imzML: spectrum 0: the m/z array has no usable encoded length (12 spectra in all): "
        f"the file is incomplete. {AGAIN}",
        {"mz_zlib": True, **replaced("IMS:1000104", "IMS:1999999")},
    ),
    "8 numpress": Stop(
        "slide.imzML: spectrum 0: its m/z array is compressed with MS:1002312 (MS-Numpress linear "
        "prediction compression), which cannot be read. Export it again without compression or "
        "with zlib.",
        replaced('"MS:1000576" name="no compression"', '"MS:1002312" name=""'),
    ),
    "8 numpress in one spectrum only": Stop(
        "slide.imzML: spectrum 7: its m/z array is compressed with MS:1002748 (MS-Numpress short "
        "logged float compression followed by zlib compression), which cannot be read. Export it "
        "again without compression or with zlib.",
        in_spectrum(7, '"MS:1000576" name="no compression"', '"MS:1002748" name=""', inline=True),
    ),
    "8 a compression nobody knows": Stop(
        "slide.imzML: spectrum 0: its m/z array is compressed with MS:1009999 (odd compression), "
        "which cannot be read. Export it again without compression or with zlib.",
        replaced('"MS:1000576" name="no comp', '"MS:1009999" name="odd comp'),
    ),
    "8 two compressions": Stop(
        "slide.imzML: spectrum 0: the m/z array is said to be compressed both with xz and zlib, so "
        "its numbers cannot be read for certain; export it again",
        {
            "mz_zlib": True,
            **replaced('id="mzArray">', 'id="mzArray">' + param("IMS:1005001", "xz compression")),
        },
    ),
    "9 no type": Stop(
        "slide.imzML: spectrum 0: the intensity array states no type for its values, so its "
        "numbers cannot be read for certain; export it again",
        replaced('"MS:1000521" name="32-bit float"', '"MS:1009998" name=""'),
    ),
    "9 two types and nothing to choose by": Stop(
        "slide.imzML: spectrum 0: the intensity array states int32 and float32 for its values, so "
        "its numbers cannot be read for certain; export it again",
        replaced('"intensityArray">', '"intensityArray">' + param("MS:1000519", "32-bit integer")),
    ),
    "9 a type that contradicts the lengths": Stop(
        "slide.imzML: spectrum 0: the intensity array should take 40 bytes, but the file says 20 "
        f"(11 spectra in all): its type or its length is stated wrongly. {AGAIN}",
        replaced('"MS:1000521" name="32-bit float"', '"MS:1000523" name="64-bit float"'),
    ),
    "9 no m/z array": Stop(
        "slide.imzML: spectrum 0: it has no m/z array (MS:1000514): the file is incomplete or no "
        f"imzML image. {AGAIN}",
        replaced("MS:1000514", "MS:1000786"),
    ),
    "9 two intensity arrays": Stop(
        "slide.imzML: spectrum 0: it has 2 arrays that are called intensity array (MS:1000515), so "
        "which one is meant is not certain: the file was written by faulty software. "
        f"{AGAIN}",
        in_spectrum(0, "<binaryDataArrayList [^>]*>", rf"\g<0>{INTENSITY_ARRAY}"),
    ),
    "9 a number stated twice": Stop(
        "slide.imzML: spectrum 2 states its external offset twice, as 9 and as 148 (1 spectrum in "
        "all): the file is damaged or was written by faulty software. Export it again.",
        in_spectrum(2, "<cvParam[^>]*IMS:1000102", param("IMS:1000102", "", 9) + r"\g<0>"),
    ),
    "9 no length": Stop(
        "slide.imzML: spectrum 6: the intensity array has no usable length (1 spectrum in all): "
        f"the file is incomplete. {AGAIN}",
        in_spectrum(
            6,
            r'(?s)(ref="intensityArray".*?)"IMS:1000103"(.*?)"IMS:1000104"',
            r'\1"IMS:1999998"\2"IMS:1999999"',
        ),
    ),
    "9 no offset": Stop(
        "slide.imzML: spectrum 2 has no external offset of the m/z array (1 spectrum in all): the "
        f"file is incomplete. {AGAIN}",
        in_spectrum(2, "IMS:1000102", "IMS:1999999"),
    ),
}

XML = {
    "10 cut off": Stop(
        "slide.imzML, line 233: the file stops in the middle: incomplete copy or export? Copy it "
        "again.",
        damage=cut_at('id="Scan=9"', 300),
    ),
    "10 tags that do not match": Stop(
        "slide.imzML, line 234: not valid XML: an opening and a closing tag do not match; the file "
        "was damaged or edited by hand. Export or copy it again.",
        in_spectrum(9, "</scanList>", "</scanLost>"),
    ),
    "10 a character that is not allowed": Stop(
        "slide.imzML, line 232: not valid XML: a character that XML does not allow; the file was "
        "damaged or edited by hand. Export or copy it again.",
        in_spectrum(9, 'name="position x"', 'name="a < b"'),
    ),
    "10 a control character": Stop(
        "slide.imzML, line 232: not valid XML: a character that XML does not allow; the file was "
        "damaged or edited by hand. Export or copy it again.",
        in_spectrum(9, 'name="position x"', 'name="\x01"'),
    ),
    "10 an entity that is not defined": Stop(
        "slide.imzML, line 232: not valid XML: it uses an XML entity that is not defined. Export "
        "or copy it again.",
        in_spectrum(9, 'name="position x"', 'name="&nope;"'),
    ),
    "10 an attribute twice": Stop(
        "slide.imzML, line 232: not valid XML: an attribute is given twice; the file was edited by "
        "hand. Export or copy it again.",
        in_spectrum(9, 'name="position x"', 'name="x" name="y"'),
    ),
    "10 two files joined": Stop(
        "slide.imzML, line 298: not valid XML: there is something after the end; two files were "
        "joined, or the copy is damaged. Export or copy it again.",
        {"edit": lambda text: text + "<more/>"},
    ),
    "10 a declaration that is not at the beginning": Stop(
        "slide.imzML, line 2: not valid XML: the XML declaration is not at the very beginning. "
        "Export or copy it again.",
        {"edit": lambda text: "\n" + text},
    ),
    "10 a spectrum in a spectrum": Stop(
        "slide.imzML, line 185: the .imzML holds a spectrum inside another spectrum: it was "
        "damaged or edited by hand; export it again",
        in_spectrum(7, "<scanList", '<spectrum id="x"></spectrum><scanList'),
    ),
    "10 other XML": Stop(
        "slide.imzML, line 1: the file is XML, but not imzML: its first element is <svg> instead "
        "of <mzML>. Choose the .imzML file that the instrument software exported.",
        damage=holding(b"<svg></svg>"),
    ),
    "10 no XML at all": Stop(
        "slide.imzML, line 1: not valid XML: a character that XML does not allow; the file was "
        "damaged or edited by hand. Export or copy it again.",
        damage=holding(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    ),
    "10 an archive": Stop(
        "slide.imzML is a zip archive: unpack it, then open the result",
        damage=holding(b"PK\x03\x04" + bytes(100)),
    ),
    "10 a parameter group that is not there": Stop(
        "slide.imzML: spectrum 0: the .imzML refers to a parameter group 'mzArray' that it does "
        f"not define: it was cut or edited by hand. {AGAIN}",
        replaced('id="mzArray"', 'id="other"'),
    ),
    "10 parameter groups in a circle": Stop(
        "slide.imzML: spectrum 0: the parameter groups of the .imzML refer to each other in a "
        f"circle: it was edited by hand or written by faulty software. {AGAIN}",
        replaced('id="mzArray">', 'id="mzArray"><referenceableParamGroupRef ref="mzArray"/>'),
    ),
    "11 entities that expand": Stop(DOCTYPE, replaced("?>\n", f"?>\n{ENTITY}", 1)),
    "11 an entity from a file": Stop(DOCTYPE, replaced("?>\n", f"?>\n{OUTSIDE}", 1)),
    "11 a DTD from elsewhere": Stop(DOCTYPE, replaced("?>\n", f"?>\n{ELSEWHERE}", 1)),
    "12 a header without spectra": Stop(
        "slide.imzML: the file holds no spectra, only a header: incomplete export? Export it "
        "again.",
        pixels=[],
    ),
    "12 0 bytes": Stop(
        "slide.imzML is empty (0 bytes): incomplete copy or export? Copy or export it again.",
        damage=holding(b""),
    ),
    "12 spaces only": Stop(
        "slide.imzML, line 3: the file stops in the middle: incomplete copy or export? Copy it "
        "again.",
        damage=holding(b"  \n\n "),
    ),
}

POSITIONS = {
    "15 no position": Stop(
        "slide.imzML: spectrum 9 has no position y (1 spectrum in all): the file is "
        f"incomplete. {AGAIN}",
        in_spectrum(9, "IMS:1000051", "IMS:1999999"),
    ),
    "15 half a position at another place": Stop(
        "slide.imzML: spectrum 8 has no position x (1 spectrum in all): the file is incomplete. "
        f"{AGAIN}",
        in_spectrum(
            8,
            r'(?s)"MS:1000285"(.*?)"IMS:1000050"',
            r'"IMS:1000050"\1"MS:1000285"',
        ),
    ),
    "15 one position far from all others": Stop(
        "slide.imzML: the 2 positions are scattered over 1 rows and 20000001 columns in 1 planes: "
        f"one of them is wrong, or they are distances instead of pixel numbers. {AGAIN}",
        pixels=[Pixel(x, 1, np.ones(1), np.ones(1)) for x in (1, 20_000_001)],
    ),
    "15 a position in words": Stop(
        "slide.imzML: spectrum 9 has 'one' as its position y, which must be a whole number; the "
        f"file was damaged or written by faulty software. {AGAIN}",
        in_spectrum(9, Y, r"\g<1>one"),
    ),
    "15 a position that wrapped around at 2⁶⁴": Stop(
        "slide.imzML: spectrum 9 has the impossible number 18446744073709551600 as its position y; "
        f"the file was damaged or written by faulty software. {AGAIN}",
        in_spectrum(9, Y, rf"\g<1>{2**64 - 16}"),
    ),
    "15 a position between pixels": Stop(
        "slide.imzML: spectrum 9 has '1.5' as its position y, which must be a whole number; the "
        f"file was damaged or written by faulty software. {AGAIN}",
        in_spectrum(9, Y, r"\g<1>1.5"),
    ),
    "15 positions that are distances": Stop(
        "slide.imzML: the 2 positions are scattered over 1000000000 rows and 1000000000 columns in "
        "1 planes: one of them is wrong, or they are distances instead of pixel numbers. "
        f"{AGAIN}",
        pixels=SCATTERED,
    ),
}

STOPS = {**PAIR, **ARRAYS, **ENCODINGS, **XML, **POSITIONS}


@pytest.mark.parametrize("name", STOPS)
def test_a_fault_is_one_whole_sentence(write_slide, processed_pixels, name: str) -> None:
    stop = STOPS[name]
    pixels = processed_pixels if stop.pixels is None else stop.pixels
    path = write_slide(pixels, **stop.quirks)
    stop.damage(path)
    asked = stop.ask_for(path)
    wanted = stop.message.replace("{folder}", str(path.parent))
    with pytest.raises(SlideError) as caught:
        open_imzml(asked)
    assert str(caught.value) == wanted
    # The check says the same, and does not raise.
    checked = run_inline(check_imzml(asked))
    assert checked.status == "unreadable"
    assert [finding.text for finding in checked.findings] == [wanted]
