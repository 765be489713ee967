"""Labels as QuPath's GeoJSON, and back: the round trip of any label image is exact.

Start reading at :mod:`.placement`, which says where a pixel lies; :mod:`.outlines` and
:mod:`.writing` lead from labels to a file, :mod:`.features`, :mod:`.shapes`, :mod:`.rasterizing`
and :mod:`.reading` from a file to labels.
"""

from napari_ims_tumor.io.geojson.class_names import IGNORE, ClassMapping
from napari_ims_tumor.io.geojson.imported import ImportedLabels
from napari_ims_tumor.io.geojson.placement import Placement
from napari_ims_tumor.io.geojson.reading import (
    LabelsImport,
    looks_like_annotations,
    read_geojson,
    read_geojson_job,
)
from napari_ims_tumor.io.geojson.writing import geojson_text, write_geojson

__all__ = [
    "IGNORE",
    "ClassMapping",
    "ImportedLabels",
    "LabelsImport",
    "Placement",
    "geojson_text",
    "looks_like_annotations",
    "read_geojson",
    "read_geojson_job",
    "write_geojson",
]
