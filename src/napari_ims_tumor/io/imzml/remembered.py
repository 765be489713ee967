"""Keeps what opening a slide finds out in the user's cache folder, and finds it there again.

A reopened slide is the same in everything: what is kept is the result of the checks, so that none
of them is made twice. Its arrays are mapped, and take no memory until they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.cache_folder import CacheEntry, CacheError, CacheFolder
from napari_ims_tumor.io.cache_part import Part
from napari_ims_tumor.io.imzml.arrays import Encoding, IbdFile
from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.grid import Placement
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.slide_facts import SlideParts
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid

PART: Final = "opening"
VERSION: Final = 1
"""Raised whenever opening may find something else in the same file than it did before."""

WORTH: Final = 1 << 20
"""Bytes of XML from which on reading it again takes longer than to notice."""

_WRONG: Final = (ImsTumorError, KeyError, ValueError, TypeError, IndexError, AttributeError)
"""What facts that are not what was kept can raise."""

Arrays = dict[str, NDArray[Any]]


def entry_of(imzml: Path, ibd: Path) -> CacheEntry | None:
    """Return where to keep what is found out about a slide; ``None`` where it is not worth it."""
    try:
        if imzml.stat().st_size < WORTH:
            return None
    except OSError:
        return None
    return CacheFolder.of_user().entry_of(imzml, ibd)


def remember(entry: CacheEntry, parts: SlideParts) -> None:
    """Keep what was found out; where that cannot be done, the slide is read again next time."""
    grid, axis = parts.pixels, parts.axis
    arrays: Arrays = {"rows": grid.rows, "columns": grid.columns}
    arrays["lengths"] = parts.index.mz.lengths
    if grid.n_planes > 1:
        arrays["planes"] = grid.planes
    if axis is not None:
        arrays["axis"] = axis.axis.mz
        if axis.order is not None:
            arrays["order"] = axis.order
    facts = {
        "ibd": [parts.ibd.size, parts.ibd.written],
        "mz": _kept_table("mz", parts.index.mz, arrays),
        "intensity": _kept_table("intensity", parts.index.intensity, arrays),
        "shape": grid.shape,
        "pixel_size_um": grid.pixel_size_um,
        "origin": grid.origin,
        "placement": [parts.placement.left, parts.placement.top, parts.placement.sections],
        "layout": parts.layout,
        "mode": parts.mode,
        "metadata": parts.metadata,
        "checksums": parts.checksums,
        "warnings": parts.warnings,
    }
    with suppress(CacheError):
        entry.write(PART, VERSION, facts, arrays)


def recall(entry: CacheEntry, ibd: IbdFile) -> SlideParts | None:
    """Return what was kept of a slide; ``None`` where it has to be read."""
    kept = entry.read(PART, VERSION, mapped=True)
    if kept is None:
        return None
    try:
        # The .ibd may have changed since the entry was looked up.
        same = kept.facts["ibd"] == [ibd.size, ibd.written]
        return _parts(kept, entry, ibd) if same else None
    except _WRONG:
        return None


def _parts(kept: Part, entry: CacheEntry, ibd: IbdFile) -> SlideParts:
    facts, arrays = kept.facts, kept.arrays
    size = facts["pixel_size_um"]
    return SlideParts(
        path=entry.files[0],
        ibd=ibd,
        index=SpectrumIndex(*(_table(name, facts[name], arrays) for name in ("mz", "intensity"))),
        pixels=PixelGrid(
            rows=arrays["rows"],
            columns=arrays["columns"],
            shape=(facts["shape"][0], facts["shape"][1]),
            pixel_size_um=None if size is None else (size[0], size[1]),
            origin=(facts["origin"][0], facts["origin"][1]),
            planes=arrays.get("planes", np.zeros(0, np.int64)),
        ),
        placement=_placement(*facts["placement"]),
        layout=facts["layout"],
        mode=facts["mode"],
        axis=SharedAxis(MassAxis(arrays["axis"]), arrays.get("order"))
        if "axis" in arrays
        else None,
        metadata=dict(facts["metadata"]),
        checksums=tuple((kind, digits) for kind, digits in facts["checksums"]),
        warnings=tuple(facts["warnings"]),
    )


def _placement(left: int, top: int, sections: list[int]) -> Placement:
    return Placement(left, top, tuple(sections))


def _kept_table(name: str, table: ArrayTable, arrays: Arrays) -> list[tuple[str, str]]:
    """Put a table's columns to the arrays, but for those that follow; return its encodings."""
    arrays[f"{name}-offsets"] = table.offsets
    if len(table.encodings) > 1:
        arrays[f"{name}-kinds"] = table.kinds
    if not _is_plain(table.encodings):
        arrays[f"{name}-nbytes"] = table.nbytes
    return [(encoding.dtype.str, encoding.compression) for encoding in table.encodings]


def _table(
    name: str, stated: list[tuple[str, Any]], arrays: Mapping[str, NDArray[Any]]
) -> ArrayTable:
    encodings = [Encoding(np.dtype(dtype), compression) for dtype, compression in stated]
    lengths = arrays["lengths"]
    return ArrayTable(
        offsets=arrays[f"{name}-offsets"],
        lengths=lengths,
        nbytes=lengths * encodings[0].dtype.itemsize
        if _is_plain(encodings)
        else arrays[f"{name}-nbytes"],
        kinds=arrays[f"{name}-kinds"] if len(encodings) > 1 else np.zeros(lengths.size, np.int64),
        encodings=encodings,
    )


def _is_plain(encodings: list[Encoding]) -> bool:
    """Whether the bytes of an array follow from its length."""
    return len(encodings) == 1 and encodings[0].compression == "none"
