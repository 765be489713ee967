"""Numbers on the command line: each refusal says what would be right."""

from __future__ import annotations

import argparse
import math
from typing import Final

from napari_ims_tumor.errors import MemoryBudgetError
from napari_ims_tumor.msi.memory_budget import MemoryBudget

LARGEST_SEED: Final = 2**63 - 1


def at_least_one(text: str) -> int:
    """Read a whole number from 1 on."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give 1 or more")
    return number


def seed(text: str) -> int:
    """Read a seed: what random number generators take."""
    number = _whole(text)
    if not 0 <= number <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"give a whole number from 0 to {LARGEST_SEED}")
    return number


def seconds(text: str) -> float:
    """Read a time: above 0."""
    try:
        time = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 < time < math.inf:
        raise argparse.ArgumentTypeError("give seconds above 0, such as 60")
    return time


def share_right(text: str) -> float:
    """Read a share of right answers: more than one half, less than all."""
    try:
        share = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, such as 0.95") from None
    if not 0.5 < share < 1:
        raise argparse.ArgumentTypeError("give a share between 0.5 and 1, such as 0.95")
    return share


def add_memory_to(command: argparse.ArgumentParser) -> None:
    """Add ``--memory`` to a command that reads slides."""
    command.add_argument(
        "--memory",
        type=_memory,
        metavar="2GB",
        help="what slides may take in memory; default a quarter of what there is, at most 4GB",
    )


def _memory(text: str) -> MemoryBudget:
    try:
        return MemoryBudget.parse(text)
    except MemoryBudgetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
