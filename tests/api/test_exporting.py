"""The same export from Python."""

from __future__ import annotations

import numpy as np
import pytest
from tests.io.slide_export.conftest import labels, write

import napari_ims_tumor as ims
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.msi.centroiding import CentroidMethod


@pytest.mark.parametrize("as_path", [True, False])
def test_a_slide_or_its_path(tmp_path, as_path):
    source = write(tmp_path, "continuous")
    slide = source if as_path else ims.open_imzml(source)
    options = {"labels": labels(), "classes": "tumor", "mz_range": (501, 509)}
    done = ims.export(slide, tmp_path / "b.imzML", **options)
    assert (done.n_spectra, done.notices) == (4, ())
    assert [file.name for file in done.files] == ["b.imzML", "b_labels.npy"]
    with ims.open_imzml(done.files[0]) as part:
        assert part.mass_range == pytest.approx((501, 509))
    if not as_path:
        assert slide.spectrum(0).mz.size  # it is still open
        slide.close()


def test_a_plan_knows_the_size(tmp_path):
    source = write(tmp_path, "processed")
    plan = ims.plan_export(source, tmp_path / "b.imzML", rows=(0, 1))
    assert (plan.n_spectra, plan.shape) == (12, (2, 6))
    assert not (tmp_path / "b.imzML").exists()
    done = ims.export(source, tmp_path / "b.imzML", rows=(0, 1))
    size = sum(f.stat().st_size for f in (done.files[0], done.files[0].with_suffix(".ibd")))
    assert plan.size == pytest.approx(size, rel=0.3)


def test_centroids_by_a_word_or_a_method(tmp_path):
    source = write(tmp_path, "continuous")
    one = ims.export(source, tmp_path / "b.imzML", centroid=True).files[0]
    two = ims.export(source, tmp_path / "c.imzML", centroid=CentroidMethod()).files[0]
    assert one.with_suffix(".ibd").read_bytes() == two.with_suffix(".ibd").read_bytes()
    with ims.open_imzml(ims.export(source, tmp_path / "d.imzML", centroid=False).files[0]) as read:
        assert read.mode == "profile"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": 1}, "no option 'colour'"),
        ({"normalize": "max"}, "use none"),
        ({"by": "class"}, "for .csv"),
        ({"mz_range": (9, 3)}, "give the lower one first"),
        ({"labels": np.zeros((4, 6), int)}, "no measured pixel"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, options, said):
    source = write(tmp_path, "continuous")
    with pytest.raises(ImsTumorError, match=said):
        ims.export(source, tmp_path / "b.imzML", **options)
