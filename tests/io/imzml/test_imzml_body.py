"""The short way of reading XML finds what the XML parser finds, whatever is written and how."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import markup, template
from napari_ims_tumor.io.imzml.body import read_document
from napari_ims_tumor.io.imzml.stencil import NUMBER, make_stencil
from napari_ims_tumor.io.imzml.text import Text
from napari_ims_tumor.job import run_inline

from .conftest import is_same

NAMES = {
    "IMS:1000050": "position x",
    "IMS:1000051": "position y",
    "IMS:1000102": "external offset",
    "IMS:1000103": "external array length",
    "IMS:1000104": "external encoded length",
}
ODD_NUMBERS = (
    "+7",
    " 12 ",
    "3.0",
    "4.",
    "007",
    "-5",
    "123456789012345678",
    "0",
    "5e2",
    "",
    "x",
    "9" * 40,
)
BETWEEN = (
    "<!-- <spectrum> & -->",
    "<!-- {again} -->",
    "<?note </spectrum> ?>",
    "<![CDATA[</spectrum>]]>",
    "{again} {again}",
    "\n\n\t",
    "text",
    "<other/>",
    "<!-- {again}{again}{again} -->",
    "<spectrum/><!-- </spectrum>{again}{again} -->",
    "<!-- {again}",
    "&amp;",
)


@dataclass(frozen=True)
class Style:
    """How spectra are written."""

    quote: str = '"'
    order: int = 0
    space: str = "\n  "
    prefix: str = ""
    grouped: bool = True
    intensity_first: bool = False
    extra: int = 1
    name: str = "é"
    empty_binary: bool = False
    blank_in_tags: str = ""
    drop: str = ""


def tag(style: Style, name: str, attributes: dict[str, object], content: str | None = None) -> str:
    """One element, its attributes in the order of the style."""
    pairs = list(attributes.items())
    random.Random(style.order).shuffle(pairs)
    q, b = style.quote, style.blank_in_tags
    written = "".join(f" {key}{b}={b}{q}{value}{q}" for key, value in pairs)
    name = style.prefix + name
    if content is None:
        return f"<{name}{written}{b}/>{style.space}"
    return f"<{name}{written}{b}>{style.space}{content}</{name}{b}>{style.space}"


def term(style: Style, accession: str, value: object) -> str:
    if accession == style.drop:
        return ""
    name = NAMES.get(accession, style.name)
    return tag(style, "cvParam", {"accession": accession, "name": name, "value": value})


def array(style: Style, kind: str, numbers: list[object]) -> str:
    keys = ("IMS:1000102", "IMS:1000103", "IMS:1000104")
    terms = "".join(map(term, [style] * 3, keys, numbers))
    types = {"mz": ("MS:1000514", "MS:1000523"), "intensity": ("MS:1000515", "MS:1000521")}
    if style.grouped:
        head = tag(style, "referenceableParamGroupRef", {"ref": kind})
    else:
        head = "".join(term(style, accession, "") for accession in types[kind])
    binary = tag(style, "binary", {}, "" if style.empty_binary else None)
    return tag(style, "binaryDataArray", {"encodedLength": 0}, head + terms + binary)


@dataclass(frozen=True)
class Numbers:
    """What one spectrum says."""

    index: int
    x: object
    y: object
    arrays: tuple[tuple[object, ...], tuple[object, ...]]
    value: object = 1.5
    id: str = "Scan=1"


def spectrum(style: Style, numbers: Numbers) -> str:
    facts = "".join(
        term(style, f"MS:100028{i}", numbers.value)
        + tag(style, "userParam", {"name": "note", "value": f"{numbers.value} {i}"})
        for i in range(style.extra)
    )
    places = term(style, "IMS:1000050", numbers.x) + term(style, "IMS:1000051", numbers.y)
    arrays = [
        array(style, k, list(n)) for k, n in zip(("mz", "intensity"), numbers.arrays, strict=True)
    ]
    if style.intensity_first:
        arrays.reverse()
    scans = tag(style, "scanList", {"count": 1}, tag(style, "scan", {}, places))
    listed = tag(style, "binaryDataArrayList", {"count": 2}, "".join(arrays))
    own = {"id": numbers.id, "index": numbers.index, "defaultArrayLength": 0}
    return tag(style, "spectrum", own, facts + scans + listed)


def document(spectra: list[str], encoding: str = "UTF-8", end: str = "</run></mzML>") -> str:
    style = Style()
    groups = "".join(
        tag(
            style,
            "referenceableParamGroup",
            {"id": kind},
            "".join(term(style, a, "") for a in terms),
        )
        for kind, terms in (("mz", ("MS:1000514", "MS:1000523")), ("intensity", ("MS:1000515",)))
    )
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<mzML>{groups}<run>'
        f'<spectrumList count="{len(spectra)}">\n{"".join(spectra)}</spectrumList>{end}'
    )


@dataclass(frozen=True)
class Outcome:
    """What a reading led to."""

    found: object = field(compare=False, default=None)
    error: str = ""


def outcome(path: Path, use_templates: bool, piece: int) -> Outcome:
    try:
        return Outcome(run_inline(read_document(path, use_templates, piece)))
    except SlideError as error:
        return Outcome(error=str(error))


def assert_ways_agree(path: Path, raw: bytes, piece: int) -> None:
    path.write_bytes(raw)
    slow = outcome(path, use_templates=False, piece=1 << 22)
    for size in (piece, 1 << 22):
        fast = outcome(path, use_templates=True, piece=size)
        assert fast == slow
        assert slow.error or is_same(fast.found, slow.found)


styles = st.builds(
    Style,
    quote=st.sampled_from(["'", '"']),
    order=st.integers(0, 9),
    space=st.sampled_from(["", "\n", "\r\n\t", "  "]),
    prefix=st.sampled_from(["", "", "ms:"]),
    grouped=st.booleans(),
    intensity_first=st.booleans(),
    extra=st.integers(0, 3),
    name=st.sampled_from(["", "tic", "µ/z"]),
    empty_binary=st.booleans(),
    blank_in_tags=st.sampled_from(["", "", " "]),
    drop=st.sampled_from(["", "", "IMS:1000104", "IMS:1000051"]),
)
plain = st.integers(0, 15).flatmap(lambda n: st.integers(0, 10**n))
odd = st.sampled_from(ODD_NUMBERS[:8])
triples = st.tuples(plain, plain, plain)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Many spectra of one to three styles, with here and there something odd."""
    chosen = draw(st.lists(styles, min_size=1, max_size=3))
    rng = random.Random(draw(st.integers(0, 1 << 30)))
    strange, mixed = draw(st.sampled_from([0.0, 0.02, 0.2])), draw(st.booleans())
    spectra = []
    for i in range(draw(st.integers(1, 60))):
        style = rng.choice(chosen) if mixed else chosen[i * len(chosen) // 60]
        length = rng.choice([1, 3, 9, 15])
        numbers = [rng.randrange(10 ** rng.choice([1, length])) for _ in range(6)]
        own = Numbers(i, rng.randrange(1000), i, (tuple(numbers[:3]), tuple(numbers[3:])))
        own = replace(own, value=rng.random() * 10 ** rng.randrange(9), id=f"Scan={i}")
        if rng.random() < strange:
            own = replace(
                own, x=rng.choice(ODD_NUMBERS[:8]), id=rng.choice(["é", "a&lt;b", "\t", "<", "'"])
            )
        text = spectrum(style, own)
        if rng.random() < strange:
            text = rng.choice(BETWEEN).format(again=text) + text
        spectra.append(text)
    return document(spectra)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(text=documents(), piece=st.integers(1, 6000), data=st.data())
def test_the_short_way_finds_what_the_parser_finds(tmp_path_factory, text, piece, data) -> None:
    encoding = data.draw(
        st.sampled_from(["UTF-8", "ISO-8859-1", "UTF-16", "windows-1252", "UTF-8 BOM"])
    )
    codec, _, bom = encoding.partition(" ")
    text = text.replace('encoding="UTF-8"', f'encoding="{codec}"')
    raw = (b"\xef\xbb\xbf" if bom else b"") + text.encode(codec, "xmlcharrefreplace")
    assert_ways_agree(tmp_path_factory.mktemp("slide") / "slide.imzML", raw, piece)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(text=documents(), piece=st.integers(1, 6000), data=st.data())
def test_damage_is_told_alike(tmp_path_factory, text, piece, data) -> None:
    raw = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        if not raw:
            break
        place = data.draw(st.integers(0, len(raw) - 1))
        change = data.draw(st.sampled_from(["cut", "byte", "drop", "double"]))
        if change == "cut":
            del raw[place + 1 :]
        elif change == "byte":
            raw[place] = data.draw(st.sampled_from(list(b'<>"/& 0\x00\xff\n')))
        elif change == "drop":
            del raw[place : place + 30]
        else:
            raw[place:place] = raw[place : place + 200]
    assert_ways_agree(tmp_path_factory.mktemp("slide") / "slide.imzML", bytes(raw), piece)


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("piece", [3000, 1 << 22])
def test_what_stands_between_spectra_counts_as_for_the_parser(tmp_path, between, piece) -> None:
    spectra = [
        spectrum(Style(), Numbers(i, i + 1, 1, ((16, 2, 16), (32, 2, 8)))) for i in range(40)
    ]
    spectra[20] = between.format(again=spectra[20]) + spectra[20]
    assert_ways_agree(tmp_path / "slide.imzML", document(spectra).encode(), piece)


@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_odd_numbers_are_read_as_by_the_parser(tmp_path, number) -> None:
    plain_one = Numbers(0, 1, 1, ((16, 2, 16), (32, 2, 8)))
    spectra = [spectrum(Style(), replace(plain_one, x=number if i == 30 else i)) for i in range(40)]
    assert_ways_agree(tmp_path / "slide.imzML", document(spectra).encode(), 1 << 22)


def test_a_spectrum_inside_a_spectrum_is_refused(tmp_path) -> None:
    spectra = [
        spectrum(Style(), Numbers(i, i + 1, 1, ((16, 2, 16), (32, 2, 8)))) for i in range(40)
    ]
    spectra[20] = "<spectrum>" + spectra[20] + spectra[21] + "</spectrum>"
    path = tmp_path / "slide.imzML"
    path.write_text(document(spectra))
    for use_templates in (True, False):
        error = outcome(path, use_templates, 1 << 22).error
        assert "a spectrum inside another spectrum" in error


def test_plain_spectra_never_reach_the_parser(tmp_path, monkeypatch) -> None:
    fed, matched = [], []
    feed, match = markup.SafeParser.feed, template.Pattern.read_one
    monkeypatch.setattr(
        markup.SafeParser,
        "feed",
        lambda self, text, final=False: (fed.append(len(text)), feed(self, text, final)),
    )
    monkeypatch.setattr(
        template.Pattern,
        "read_one",
        lambda self, *where: (matched.append(1), match(self, *where))[1],
    )
    numbers = [
        Numbers(i, i % 70, i // 70, ((i * 977, i, 8 * i), (i * 988, i, 4 * i))) for i in range(4900)
    ]
    styles = (Style(), Style(order=3, grouped=False))
    spectra = [spectrum(styles[i % 7 == 3], own) for i, own in enumerate(numbers)]
    path = tmp_path / "slide.imzML"
    path.write_text(document(spectra))
    found = run_inline(read_document(path, piece=1 << 18))
    assert found.kinds.size == 4900
    assert sum(fed) < 0.01 * path.stat().st_size
    assert len(matched) < 60
    assert found.tables[0][1].tolist() == [i // 70 for i in range(4900) if i % 7 != 3]
    assert found.tables[1][2].tolist() == [i * 977 for i in range(4900) if i % 7 == 3]


def test_memory_does_not_grow_with_the_text(tmp_path) -> None:
    numbers = [Numbers(i, i % 70, i // 70, ((i, 1, 8), (i, 1, 4))) for i in range(6000)]
    path = tmp_path / "slide.imzML"
    path.write_text(document([spectrum(Style(extra=2), own) for own in numbers]))
    assert path.stat().st_size > 7e6
    tracemalloc.start()
    try:
        run_inline(read_document(path, piece=1 << 18))
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


@given(st.lists(st.tuples(st.integers(0, 10**15 - 1), st.integers(0, 6)), min_size=1, max_size=50))
def test_stencil_reads_digits(numbers: list[tuple[int, int]]) -> None:
    rows = [f'<a n="{"0" * zeros}{n}" v="{n}"/>' for n, zeros in numbers]
    stencil = make_stencil([(b'<a n="', NUMBER, 1), (b'" v="', ord('"'), 15), (b'"/>', None, 0)])
    assert stencil is not None
    text, starts, ends = laid_out(rows)
    read = stencil.read(text, starts, ends)
    fitting = [i for i, (n, zeros) in enumerate(numbers) if zeros + len(str(n)) <= 15]
    assert read.rows.tolist() == fitting
    assert read.numbers.tolist() == [[numbers[i][0] for i in fitting]]


@pytest.mark.parametrize("value", ["", "<", "&", "é", "\n", "\x7f", '"', "a" * 40])
def test_stencil_passes_over_what_a_value_may_not_hold(value) -> None:
    stencil = make_stencil([(b'<a v="', ord('"'), 4), (b'" n="', NUMBER, 1), (b'"/>', None, 0)])
    assert stencil is not None
    text, starts, ends = laid_out(
        ['<a v="1" n="2"/>', f'<a v="{value}" n="5"/>', '<a v="" n="3"/>']
    )
    read = stencil.read(text, starts, ends)
    assert read.numbers.tolist() == [[2, 5, 3] if value == "" else [2, 3]]


def laid_out(rows: list[str]) -> tuple[Text, np.ndarray, np.ndarray]:
    """Rows of text end to end, and where each begins and ends."""
    text = Text(1 << 12)
    raw = [row.encode() for row in rows]
    ends = np.cumsum([len(row) for row in raw])
    text.buffer[: ends[-1]] = b"".join(raw)
    text.size = int(ends[-1])
    return text, np.concatenate([[0], ends[:-1]]), ends
