"""Slides get their index in the background, one after the other, and nobody waits for it."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.cache_folder import LIMIT_VARIABLE
from napari_ims_tumor.io.imzml import dataset
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.job import STOP, JobStopped, Progress
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow


@pytest.fixture
def path(tmp_path, slide, monkeypatch) -> Path:
    """A slide on disk that is large enough to need an index."""
    monkeypatch.setattr(dataset, "SMALL", 0)
    path = write_imzml(tmp_path / "slide.imzML", slide)
    for file in (path, path.with_suffix(".ibd")):
        os.utime(file, (1_600_000_000, 1_600_000_000))
    return path


def lanes(ear) -> list[str]:
    return [lane for (lane,) in ear["job_started"]]


def test_a_slide_is_indexed_once_it_was_surveyed(session, ear, path, slide, slide_cache) -> None:
    session.open(path)
    assert lanes(ear)[-3:] == ["survey", "index", "verify"]
    phases = [report.phase for lane, report in ear["job_reported"] if lane == "index"]
    assert phases[0] == "Preparing fast ion images"
    assert list(slide_cache.rglob("index/values.bin"))
    assert ear["failed"] == ear["noticed"] == []
    window = MassWindow(507, MassTolerance(0.5))
    session.show_ion(window)
    [(shown,)] = ear["ion_shown"]
    wanted = slide.ion_images([window])[0]
    assert np.array_equal(shown.image, wanted, equal_nan=True)


def test_a_slide_in_memory_needs_none(session, ear, slide) -> None:
    session.adopt(slide)
    assert "index" not in lanes(ear)


def test_one_note_says_that_nothing_can_be_kept(session, ear, path, monkeypatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.001kB")
    session.adopt(dataset_of(path))
    session.adopt(dataset_of(path))
    [(note,)] = ear["noticed"]
    assert "are more than its limit" in note
    assert ear["failed"] == []


def dataset_of(path: Path) -> dataset.ImzmlDataset:
    from napari_ims_tumor.io.imzml import open_imzml

    return open_imzml(path, memory_budget=0)


def fields_of(slide) -> dict:
    return {field.name: getattr(slide, field.name) for field in fields(slide)}


def test_a_slide_that_is_closed_meanwhile_is_no_failure(session, ear, slide) -> None:
    class Slow(type(slide)):  # type: ignore[misc]
        def index_job(self):
            yield Progress("Preparing fast ion images")
            session.close_slide(session.slides[0])
            yield Progress("Preparing fast ion images")
            raise SlideError("slide.ibd was closed; open the slide again")

    session.adopt(Slow(**fields_of(slide)))
    assert session.slides == ()
    assert ear["failed"] == []


def test_stop_ends_the_job_and_those_that_wait(session, ear, slide) -> None:
    sent = []

    class Endless(type(slide)):  # type: ignore[misc]
        def index_job(self):
            session.indexing._waiting.append(session.slides[0].key)
            session.indexing.stop()
            sent.append((yield Progress("Preparing fast ion images")))
            raise JobStopped("stopped")

    session.adopt(Endless(**fields_of(slide)))
    assert sent == [STOP]
    assert lanes(ear).count("index") == 1
    assert ear["failed"] == []
