"""``cache``: what is kept about slides that were opened before."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any

from napari_ims_tumor.cli.terminal import print_facts, say

if TYPE_CHECKING:
    from napari_ims_tumor.io.cache_folder import CacheFolder

Commands = Any
"""argparse keeps the type of its subparsers private."""


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    cache = commands.add_parser("cache", help="list what is kept about slides to open them faster")
    cache.add_argument("--clear", action="store_true", help="remove all of it; no slide is touched")
    cache.add_argument("--json", action="store_true", help="print JSON instead of a list")
    cache.set_defaults(run=_cache)


def _cache(given: argparse.Namespace) -> int:
    from napari_ims_tumor.io.cache_folder import CacheFolder

    folder = CacheFolder.of_user()
    if given.clear:
        say(f"removed {_size(folder.clear())} from {folder.root}")
        return 0
    facts = _facts(folder)
    if given.json:
        print_facts(facts, as_json=True)
        return 0
    slides = facts.pop("slides")
    facts["bytes"], facts["limit"] = _size(facts["bytes"]), _size(facts["limit"])
    print_facts(facts, as_json=False)
    for slide in slides:
        print(f"  {slide['used'][:16]}  {_size(slide['bytes']):>8}  {slide['slide']}")  # noqa: T201
    return 0


def _facts(folder: CacheFolder) -> dict[str, Any]:
    entries = folder.entries()
    return {
        "folder": str(folder.root),
        "bytes": sum(entry.nbytes for entry in entries),
        "limit": folder.limit,
        "slides": [
            {
                "slide": entry.slide,
                "bytes": entry.nbytes,
                "used": datetime.fromtimestamp(entry.used).astimezone().isoformat(" ", "seconds"),
            }
            for entry in entries
        ],
    }


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"
