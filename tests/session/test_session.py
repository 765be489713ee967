"""The story without a window: open, look, paint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.session.conftest import two_tissues

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow


def test_a_slide_is_opened_surveyed_and_active(session, ear, slide) -> None:
    session.adopt(slide)
    assert [s.name for (s,) in ear["slide_opened"]] == ["two tissues"]
    assert session.active is not None
    overview = session.active.overview
    assert overview is not None
    measured = slide.pixels.measured
    np.testing.assert_allclose(overview.tic[measured], slide.total_ion_current())
    assert np.isnan(overview.tic[~measured]).all()
    assert len(overview.channels) == 40
    assert ear["failed"] == []


def test_the_same_slide_twice_is_one_slide(session, slide) -> None:
    first = session.adopt(slide)
    assert session.adopt(slide).key == first.key
    assert len(session.slides) == 1


def test_a_file_that_cannot_be_read_is_one_message_and_no_slide(session, ear, tmp_path) -> None:
    (tmp_path / "broken.imzML").write_bytes(b"")
    session.open(tmp_path / "broken.imzML")
    assert session.slides == ()
    [(message,)] = ear["failed"]
    assert "broken" in message
    assert "\n" not in message


@pytest.mark.real_data
def test_an_open_file_is_not_opened_twice(session, ear, real_data) -> None:
    path = real_data / "bladder_tma1" / "TMA1.imzML"
    session.open(path)
    session.open(path.with_suffix(".ibd"))
    assert len(session.slides) == 1
    assert ear["failed"] == []


def test_a_click_shows_the_spectrum_of_that_pixel(session, ear, slide) -> None:
    session.adopt(slide)
    session.pick(5, 8)
    [(picked,)] = ear["spectrum_picked"]
    assert (picked.row, picked.column) == (5, 8)
    expected = slide.spectrum(slide.pixels.index_at(5, 8))
    np.testing.assert_array_equal(picked.spectrum.intensity, expected.intensity)


@pytest.mark.parametrize("pixel", [(3, 4), (-1, 0), (12, 0), (0, 10)])
def test_a_click_on_nothing_says_so(session, ear, slide, pixel) -> None:
    session.adopt(slide)
    session.pick(*pixel)
    assert ear["spectrum_picked"] == []
    assert f"Row {pixel[0]}, column {pixel[1]}" in ear["nothing_picked"][0][0]


def test_an_ion_image_is_the_sum_in_its_window(session, ear, slide) -> None:
    session.adopt(slide)
    session.show_ion(MassWindow(507.0, MassTolerance(1.0)))
    [(shown,)] = ear["ion_shown"]
    picked = np.asarray(slide.content.intensity)[:, 6:9].sum(axis=1)
    np.testing.assert_allclose(slide.pixels.as_vector(shown.image), picked, rtol=1e-6)


def test_painting_raises_the_revision_once_per_change(session, ear, slide, strokes) -> None:
    session.adopt(slide)
    session.annotate(strokes)
    session.annotate(strokes.copy())
    assert len(ear["annotation_changed"]) == 1
    assert session.active.annotation.revision == 1
    assert session.active.annotation.counts(slide.pixels) == {"healthy": 18, "tumor": 18}


def test_strokes_on_unmeasured_pixels_do_not_count(session, slide) -> None:
    session.adopt(slide)
    labels = np.zeros((12, 10), np.uint8)
    labels[3, 4] = 2
    session.annotate(labels)
    assert session.active.annotation.counts(slide.pixels) == {"healthy": 0, "tumor": 0}


def test_labels_of_another_shape_are_refused_with_both_shapes(session, slide) -> None:
    session.adopt(slide)
    with pytest.raises(LabelsError, match=r"\(10, 12\).*\(12, 10\)"):
        session.annotate(np.zeros((10, 12), np.uint8))
    assert session.active.annotation.revision == 0


def test_closing_a_slide_leaves_the_others(session, ear, slide) -> None:
    session.adopt(slide)
    second = session.adopt(replace(slide, name="second"))
    session.close_slide(second)
    assert [s.name for s in session.slides] == ["two tissues"]
    assert session.active.name == "two tissues"


def test_a_memory_budget_of_the_environment_that_is_nonsense_is_told(
    session, tmp_path, monkeypatch
):
    failed = []
    session.failed.connect(failed.append)
    monkeypatch.setenv("IMS_TUMOR_MEMORY", "much")
    session.open(tmp_path / "slide.imzML")
    assert len(failed) == 1
    assert "The variable IMS_TUMOR_MEMORY: 'much' is no amount of memory" in failed[0]


def test_a_changed_slide_is_reopened_and_its_strokes_offered_back(session, ear, tmp_path) -> None:
    path = write_imzml(tmp_path / "slide.imzML", two_tissues())
    session.open(path)
    slide = session.active
    labels = np.zeros(slide.dataset.pixels.image_shape, np.uint8)
    labels[2, 3] = 1
    session.annotate(labels)
    other = write_imzml(tmp_path / "other.imzML", two_tissues(seed=5))
    for file in (path, path.with_suffix(".ibd")):
        file.write_bytes(other.with_suffix(file.suffix).read_bytes())
    session.pick(0, 0)
    [(message,)] = ear["failed"]
    assert message == (
        "slide.ibd was changed by another program while it was open; reopen the slide to see what "
        "it holds now"
    )
    # The layer's slide stays until somebody asks.
    assert session.active.dataset is slide.dataset
    assert ear["strokes_found"] == []
    session.reopen(slide)
    assert len(ear["strokes_found"]) == 1
    assert [s.name for s in session.slides] == ["slide"]
    session.pick(0, 0)
    picked = ear["spectrum_picked"][-1][0].spectrum
    assert np.array_equal(picked.intensity, two_tissues(seed=5).spectrum(0).intensity)
    session.reopen(slide)
    assert len(session.slides) == 1
