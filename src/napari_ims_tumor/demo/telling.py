"""The whole story on a simulated slide, in the order of work, with pictures and a report."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.demo.expert import Stroke, choose_pairs
from napari_ims_tumor.demo.hands import settle
from napari_ims_tumor.demo.story import Story
from napari_ims_tumor.io.session_file import ENDING
from napari_ims_tumor.io.simulated_files import SimulatedFiles, write_cohort
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.session.autosave import FOLDER_VARIABLE, Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.sample_data import SAMPLE

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport
    from napari_ims_tumor.model.fitted_model import FittedModel

PATIENTS_PAINTED, STROKE_LENGTH, SEED = 6, 8, 0

LEAVE_STROKES = """
import sys, time
from pathlib import Path
from napari_ims_tumor.demo.telling import leave_unsaved_strokes
leave_unsaved_strokes(Path(sys.argv[1]), Path(sys.argv[2]))
print("painted", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class Told:
    """What the story left behind."""

    pictures: tuple[Path, ...]
    report: Path
    summary: tuple[str, ...]


def tell(folder: Path) -> Told:
    """Tell the story of a simulated slide in a window of its own.

    Parameters
    ----------
    folder
        Gets ``slides/``, ``pictures/``, ``saved/`` and ``report/``.

    Returns
    -------
    Told
        Pictures, and how well the painted strokes did on the patients nobody painted on.
    """
    # The story's unsaved strokes are none of the user's.
    os.environ[FOLDER_VARIABLE] = str(folder / "autosave")
    [files] = write_cohort(folder / "slides", SAMPLE, 1)
    truth, patients = np.load(files.labels), np.load(files.patients)
    strokes = choose_pairs(truth, patients, PATIENTS_PAINTED, STROKE_LENGTH, SEED)
    (folder / "saved").mkdir(parents=True, exist_ok=True)
    story, model = _in_a_window(files, strokes, folder)
    report = judge(model, files, strokes)
    return Told(tuple(story.taken), report.write(folder / "report"), tuple(report.summary()))


def judge(
    model: FittedModel, files: SimulatedFiles, strokes: tuple[Stroke, ...]
) -> EvaluationReport:
    """Score a model on the patients without a stroke: the others have been seen."""
    truth, patients = np.load(files.labels), np.load(files.patients)
    seen = [stroke.group for stroke in strokes]
    unseen = Annotation(np.where(np.isin(patients, seen), 0, truth).astype(np.uint8))
    return run_inline(validate(model, (CohortSlide(files.imzml, unseen, files.patients),)))


def leave_unsaved_strokes(slide: Path, folder: Path) -> None:
    """Paint on a slide and autosave, as a window does that is about to be killed."""
    session = Session(InlineRunner(), Autosave(folder))
    session.open(slide)
    opened = session.active
    assert opened is not None  # noqa: S101 - the story has just written this slide
    labels = opened.annotation.labels.copy()
    labels[tuple(size // 2 for size in labels.shape[:-1])] = 2
    session.annotate(labels)
    session.files.autosave_now()


def kill_a_window(slide: Path, folder: Path) -> None:
    """Start a process that paints, and kill it before it can say goodbye."""
    command = [sys.executable, "-c", LEAVE_STROKES, str(slide), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101 - asked for a line above
        process.stdout.readline()
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))


def _in_a_window(
    files: SimulatedFiles, strokes: tuple[Stroke, ...], folder: Path
) -> tuple[Story, FittedModel]:
    import napari

    viewer = napari.Viewer(show=True)
    try:
        story = Story(viewer, folder / "pictures")
        story.open(files.imzml)
        mz, intensity = story.click_pixel(strokes[-1].path[0])
        highest = int(np.argmax(intensity))
        story.click_peak(float(mz[highest]), 0.9 * float(intensity[highest]))
        story.pick_peaks()
        story.paint(strokes)
        story.compare_spectra()
        story.fit()
        story.overview(folder / "pictures" / "overview.png")
        model = story.session.classifier.model
        assert model is not None  # noqa: S101 - the chapter has waited for it
        story.ask_why()
        story.look_at_uncertainty()
        story.fit_and_stop()
        story.save(folder / "saved")
        story.save_and_reopen(folder / "saved" / f"study{ENDING}")
        _crash_and_recover(story, files, folder)
        return story, model
    finally:
        viewer.close()
        settle(0.5)


def _crash_and_recover(story: Story, files: SimulatedFiles, folder: Path) -> None:
    story.session.close_slide(story.slide)
    kill_a_window(files.imzml, folder / "autosave")
    story.open(files.imzml, picture=None)
    story.restore()
