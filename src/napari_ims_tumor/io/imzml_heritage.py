"""What an export keeps of its slide's own head: sample, instrument, scan, software and history.

Terms are passed on as they are, parameter groups put in their places. Where files lay and who could
be reached is left out: paths and contacts name people.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from lxml import etree

_HEAD_AT_MOST: Final = 1 << 24
_BEFORE_SPECTRA: Final = re.compile(rb"<(?:[\w.\-]+:)?(?:run|spectrumList)[\s>]")
_NO_INSTRUMENT: Final = """\
  <instrumentConfigurationList count="1">
    <instrumentConfiguration id="IC1">
      <cvParam cvRef="MS" accession="MS:1000031" name="instrument model"/>
    </instrumentConfiguration>
  </instrumentConfigurationList>
"""
_OURS: Final = "napari_ims_tumor"
_REPLACED: Final = frozenset(f"IMS:10000{n}" for n in range(42, 48))
"""Counts, extents and sizes of pixels: an export states its own."""


@dataclass(frozen=True, slots=True)
class Heritage:
    """Passages of an .imzML head, ready to be written; empty where there is nothing to pass on.

    Attributes
    ----------
    source_files, samples, instruments
        Whole lists.
    software, history
        One passage per entry, of earlier programs and what they did.
    scan_terms
        Terms of the scan settings.
    instrument
        The instrument that the run names.
    """

    source_files: str = ""
    samples: str = ""
    software: tuple[str, ...] = ()
    scan_terms: str = ""
    instruments: str = _NO_INSTRUMENT
    instrument: str = "IC1"
    history: tuple[str, ...] = ()


def heritage_of(path: Path, identity: str) -> Heritage:
    """Read what an export of a slide passes on.

    Parameters
    ----------
    path
        The .imzML file, which was opened before: it is known to be sound.
    identity
        Its UUID, for the list of source files.
    """
    root = _read_head(path)
    if root is None:
        return Heritage(source_files=_source_files(path, identity))
    _put_groups_in_place(root)
    instruments = _children(root, "instrumentConfiguration")
    for element in instruments:
        _prepare_instrument(element)
    software = [e for e in _children(root, "software") if e.get("id") != _OURS]
    known = {e.get("id") for e in software} | {_OURS}
    return Heritage(
        source_files=_source_files(path, identity),
        samples=_list("sampleList", _children(root, "sample")),
        software=tuple(_text(element) for element in software),
        scan_terms=_scan_terms(root),
        instruments=_list("instrumentConfigurationList", instruments) or _NO_INSTRUMENT,
        instrument=instruments[0].get("id", "IC1") if instruments else "IC1",
        history=_history(root, known),
    )


def _read_head(path: Path) -> etree._Element | None:
    """Parse the text before the spectra, leniently; ``None`` where that gives no mzML."""
    with path.open("rb") as file:
        text = file.read(_HEAD_AT_MOST)
    found = _BEFORE_SPECTRA.search(text)
    if found is None:
        return None
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True,
        remove_pis=True, remove_blank_text=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text[: found.start()], parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root is None:
        return None
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)
    return root


def _put_groups_in_place(root: etree._Element) -> None:
    groups = {e.get("id"): e for e in root.iter("referenceableParamGroup")}
    for _ in range(len(groups) + 1):
        references = [
            e for e in root.iter("referenceableParamGroupRef")
            if not any(True for _ in e.iterancestors("referenceableParamGroup"))
        ]  # fmt: skip
        if not references:
            return
        for reference in references:
            parent = reference.getparent()
            if parent is None:
                continue
            place = parent.index(reference)
            parent.remove(reference)
            group = groups.get(reference.get("ref"))
            for offset, term in enumerate(() if group is None else group):
                parent.insert(place + offset, deepcopy(term))


def _children(root: etree._Element, tag: str) -> list[etree._Element]:
    return [e for e in root.iter(tag) if e.get("id")]


def _prepare_instrument(element: etree._Element) -> None:
    """Take out references to what an export has another of."""
    if "scanSettingsRef" in element.attrib:
        del element.attrib["scanSettingsRef"]
    for reference in list(element.iter("softwareRef")):
        if reference.get("ref") == _OURS:
            element.remove(reference)


def _scan_terms(root: etree._Element) -> str:
    """Terms of all scan settings, each once, without the numbers that an export states anew."""
    terms = [
        term
        for settings in root.iter("scanSettings")
        for term in settings.iterchildren("cvParam", "userParam")
        if term.get("accession", "").strip() not in _REPLACED
    ]
    lines = dict.fromkeys(_text(term, 6) for term in terms)
    in_order = sorted(lines, key=lambda line: line.lstrip().startswith("<userParam"))
    return "".join(in_order)


def _history(root: etree._Element, known: set[str | None]) -> tuple[str, ...]:
    """What was done before; our own earlier entries get numbers, so that ids stay unique."""
    entries: list[str] = []
    taken: set[str] = set()
    for element in _children(root, "dataProcessing"):
        name = element.get("id", "")
        if name.startswith(_OURS):
            name = f"{_OURS}_export_{len(entries) + 1}_before"
        if name in taken or any(
            method.get("softwareRef") not in known for method in element.iter("processingMethod")
        ):
            continue
        taken.add(name)
        element.set("id", name)
        entries.append(_text(element))
    return tuple(entries)


def _source_files(path: Path, identity: str) -> str:
    known = (
        f'        <userParam name="universally unique identifier" value={quoteattr(identity)}/>\n'
        if identity
        else ""
    )
    return (
        '    <sourceFileList count="1">\n'
        f'      <sourceFile id="source" name={quoteattr(path.name)} location="">\n{known}'
        "      </sourceFile>\n    </sourceFileList>\n"
    )  # fmt: skip


def _list(tag: str, elements: list[etree._Element]) -> str:
    if not elements:
        return ""
    inside = "".join(_text(element) for element in elements)
    return f'  <{tag} count="{len(elements)}">\n{inside}  </{tag}>\n'


def _text(element: etree._Element, indent: int = 4) -> str:
    """Write an element, indented, with nothing but ASCII and its own line end."""
    copy = deepcopy(element)
    copy.tail = None
    etree.indent(copy, space="  ", level=indent // 2)
    text = etree.tostring(copy, encoding="ascii").decode("ascii")
    return " " * indent + text.strip() + "\n"
