"""What is not installed is said in one sentence, before the work."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from tests.io.slide_export.conftest import continuous

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.slide_export import extras
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("b.zarr", "zarr", "zarr"),
        ("b.h5ad", "anndata", "anndata"),
        ("b.spatialdata.zarr", "spatialdata", "spatialdata"),
    ],
)
def test_a_missing_package_is_named_with_how_to_get_it(tmp_path, monkeypatch, name, package, extra):
    def missing(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(extras, "version", missing)
    job = export_job(continuous(), tmp_path / name, ExportRequest())
    with pytest.raises(ImsTumorError) as refused:
        next(job)
    assert str(refused.value) == (
        f"this kind of file needs pip install 'napari-ims-tumor[{extra}]': it is written with "
        f"{package}, which is not installed"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_old_zarr_is_refused(monkeypatch):
    monkeypatch.setattr(extras, "version", lambda _: "2.18.3")
    with pytest.raises(ImsTumorError, match=r"zarr 3 or newer, this is 2\.18\.3"):
        extras.refuse_missing("zarr")
