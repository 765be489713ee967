"""Words that several messages share."""

from __future__ import annotations


def spectra(count: int) -> str:
    """Say how many: ``"1 spectrum"``, ``"12 spectra"``."""
    return f"{count:,} spectrum" if count == 1 else f"{count:,} spectra"
