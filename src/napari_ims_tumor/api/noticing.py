"""What the window shows and the command line prints beside a result, in Python: warnings."""

from __future__ import annotations

import warnings


def warn(notice: str) -> None:
    """Say what was done to make files fit; ``warnings.filterwarnings`` can hush it."""
    # Jobs lie between here and whoever called: no level of the stack is theirs for sure.
    warnings.warn(notice, UserWarning, stacklevel=2)
