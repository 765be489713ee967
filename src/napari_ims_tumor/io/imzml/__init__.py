"""The imzML reader: safe XML, exact arrays, every fault named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.imzml.integrity import HashCheck, verify_job
from napari_ims_tumor.io.imzml.opening import open_imzml, open_imzml_job
from napari_ims_tumor.io.imzml.pair import pair_of

if TYPE_CHECKING:
    from napari_ims_tumor.io.imzml.check import Finding, SlideCheck, check_imzml

__all__ = [
    "Finding",
    "HashCheck",
    "ImzmlDataset",
    "SlideCheck",
    "check_imzml",
    "open_imzml",
    "open_imzml_job",
    "pair_of",
    "verify_job",
]


def __getattr__(name: str) -> Any:
    """Load the thorough check when it is first asked for: opening a slide does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from napari_ims_tumor.io.imzml import check

    return getattr(check, name)
