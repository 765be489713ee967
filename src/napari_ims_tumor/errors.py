"""Every failure a user can meet, as one clear message: what, where, likely cause, what to do.

Code above this floor raises these and nothing else on purpose. The window and the command line
show ``str(error)`` verbatim, so each message is written for a pathologist, not for a developer.
"""

from __future__ import annotations


class ImsTumorError(Exception):
    """A failure with a message made for the person in front of the screen.

    Not a ``RuntimeError``: napari's generator workers swallow those without a word.
    """


class SlideError(ImsTumorError):
    """A mass spectrometry image cannot be read; nothing of it is shown."""


class LabelsError(ImsTumorError):
    """A label image does not fit the slide, or cannot be read."""


class CohortError(ImsTumorError):
    """A cohort table is wrong: a missing column, a missing file, a group image of another shape."""


class FitRefused(ImsTumorError):
    """There is too little to fit: one class only, too few pixels, no finite spectrum."""


class FitFailed(ImsTumorError):
    """A fit broke while running (out of memory, a loss that is not a number)."""


class ModelFileError(ImsTumorError):
    """A model file is damaged, not ours, from a newer version, or for another m/z axis."""


class SessionFileError(ImsTumorError):
    """A session file is damaged, not ours or from a newer version, or its slide is not found."""


class QueryError(ImsTumorError):
    """A question that has no answer: an m/z that is not a number, a tolerance below zero."""


class MemoryBudgetError(ImsTumorError):
    """A memory budget that is not understood or too small, or nowhere to put what exceeds it."""
