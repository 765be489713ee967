"""The front door of the command line: arguments in, an exit code out."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_ims_tumor.cli import (
    cache_command,
    check_command,
    cohort_commands,
    explain_command,
    export_command,
    label_commands,
    model_commands,
    simulate_command,
    slide_commands,
)
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import JobStopped

ABOUT = "Find tumor in mass spectrometry images: look, fit, predict and evaluate without a window."
OK, CANNOT = 0, 2
INTERRUPTED = 130
TRACEBACK = "IMS_TUMOR_TRACEBACK"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)  # noqa: T201
        raise SystemExit(CANNOT)


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    root = _Parser(prog="ims-tumor", description=ABOUT)
    root.add_argument("--version", action="store_true", help="print the version and end")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    slide_commands.add_to(commands)
    check_command.add_to(commands)
    label_commands.add_to(commands)
    export_command.add_to(commands)
    model_commands.add_to(commands)
    explain_command.add_to(commands)
    cohort_commands.add_to(commands)
    simulate_command.add_to(commands)
    cache_command.add_to(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        0 done, 1 done with warnings (``check``), 2 refused with one line on stderr.
    """
    _say_what_the_terminal_can()
    try:
        given = parser().parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    if given.version:
        return _print_version()
    if not hasattr(given, "run"):
        parser().print_help()
        return OK
    try:
        return _run(given)
    except BrokenPipeError:
        return _end_quietly()
    except (JobStopped, KeyboardInterrupt):
        return _complain("stopped; nothing was written", INTERRUPTED)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        return _complain(_reason(error))


def _reason(error: Exception) -> str:
    """Say in one line what went wrong, also where it is a fault of the program."""
    if isinstance(error, ImsTumorError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, OSError):
        return f"a file could not be used: {error}"
    return (
        f"the program failed ({type(error).__name__}: {error}). Please report this; with "
        f"{TRACEBACK}=1 in the environment it says where"
    )


def _run(given: argparse.Namespace) -> int:
    code = int(given.run(given))
    # Here and not at the end of the interpreter, where a closed pipe could not be caught.
    sys.stdout.flush()
    return code


def _say_what_the_terminal_can() -> None:
    """Write names that the terminal's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_quietly() -> int:
    """Whoever read our output has had enough (``| head``): that is not an error."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def _complain(message: str, code: int = CANNOT) -> int:
    line = " ".join(message.split())
    print(f"ims-tumor: {line}", file=sys.stderr)  # noqa: T201
    return code


def _print_version() -> int:
    from importlib.metadata import version

    print(version("napari-ims-tumor"))  # noqa: T201
    return OK
