"""The imzML reader: safe XML, exact arrays, every fault named."""

from napari_ims_tumor.io.imzml.check import Finding, SlideCheck, check_imzml
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.imzml.integrity import HashCheck, verify_job
from napari_ims_tumor.io.imzml.opening import open_imzml, open_imzml_job
from napari_ims_tumor.io.imzml.pair import pair_of

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
