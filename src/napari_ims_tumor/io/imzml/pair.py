"""Finds the two files of a slide: the .imzML with the positions and the .ibd with the numbers."""

from __future__ import annotations

import os
from pathlib import Path

from napari_ims_tumor.errors import SlideError

IMZML_SUFFIX = ".imzml"
IBD_SUFFIX = ".ibd"


def pair_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Find both files of a slide from either of them.

    Parameters
    ----------
    path
        The .imzML or the .ibd file, in any spelling of the suffix.

    Returns
    -------
    tuple of Path
        (.imzML, .ibd), resolved: the same two paths whichever file was given.

    Raises
    ------
    SlideError
        Where a file is missing; the message names what was looked for.
    """
    given = Path(path).expanduser()
    try:
        return _pair(given)
    except OSError as error:
        raise SlideError(
            f"{given.name} cannot be read: {error.strerror}; is its drive connected, is its name "
            "complete, and are you allowed to read its folder?"
        ) from None


def _pair(given: Path) -> tuple[Path, Path]:
    suffix = given.suffix.lower()
    if suffix not in (IMZML_SUFFIX, IBD_SUFFIX):
        raise SlideError(f"{given.name}: not an imzML slide; choose a .imzML or an .ibd file")
    if given.is_dir():
        raise SlideError(f"{given.name} is a folder; choose the .imzML file inside it")
    if not given.is_file():
        raise SlideError(f"{given} does not exist; was it moved, renamed or unmounted?")
    partner = _partner(given, IBD_SUFFIX if suffix == IMZML_SUFFIX else IMZML_SUFFIX)
    pair = (given, partner) if suffix == IMZML_SUFFIX else (partner, given)
    return pair[0].resolve(), pair[1].resolve()


def _partner(given: Path, suffix: str) -> Path:
    """Find the other file beside ``given``; behind a link, also beside the file it points to."""
    for home in dict.fromkeys((given, given.resolve())):
        found = _spelled(home, suffix)
        if found is not None:
            return found
    spellings = ".ibd or .IBD" if suffix == IBD_SUFFIX else ".imzML, .imzml or .ImzML"
    holds = "the spectra" if suffix == IBD_SUFFIX else "the pixel positions"
    raise SlideError(
        f"{given.name}: its other half is missing. Looked for {given.stem} with {spellings} in "
        f"{given.parent.resolve()}; it holds {holds}: copy it into the same folder."
    )


def _spelled(given: Path, suffix: str) -> Path | None:
    """Look for the same name with ``suffix`` in any case; the usual spelling wins."""
    usual = given.with_suffix(".imzML" if suffix == IMZML_SUFFIX else suffix)
    if usual.is_file():
        return usual
    try:
        siblings = sorted(given.parent.iterdir())
    except OSError:
        return None
    for sibling in siblings:
        if sibling.stem == given.stem and sibling.suffix.lower() == suffix and sibling.is_file():
            return sibling
    return None
