"""The same nouns in Python: open a slide, fit, predict, evaluate, simulate.

``import napari_ims_tumor as ims`` exports these lazily. They block until done; the jobs behind them
(:mod:`napari_ims_tumor.job`) are for whoever wants progress and a stop.
"""

from napari_ims_tumor.api.explaining import explain, explain_job
from napari_ims_tumor.api.exporting import export, export_job, plan_export
from napari_ims_tumor.api.models import (
    evaluate,
    fit,
    fit_cohort,
    fit_config,
    predict,
    read_model,
    validate,
    write_model,
)
from napari_ims_tumor.api.slides import (
    ion_images,
    read_labels,
    simulate,
    simulate_job,
    write_labels,
)
from napari_ims_tumor.io.imzml import open_imzml

__all__ = [
    "evaluate",
    "explain",
    "explain_job",
    "export",
    "export_job",
    "fit",
    "fit_cohort",
    "fit_config",
    "ion_images",
    "open_imzml",
    "plan_export",
    "predict",
    "read_labels",
    "read_model",
    "simulate",
    "simulate_job",
    "validate",
    "write_labels",
    "write_model",
]
