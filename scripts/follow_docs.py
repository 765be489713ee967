"""Follow the documentation: run every command and every line of Python that its pages show.

    python scripts/follow_docs.py                      all pages
    python scripts/follow_docs.py docs/cli.md          some
    python scripts/follow_docs.py --install            also "pip install", into new environments
    python scripts/follow_docs.py --make               also "make …", in a fresh clone

Each page is followed from its top to its end in a folder of its own, which begins with what its
reader would bring: a slide, labels, a cohort. A block is left out where a comment in the page says
why, ``<!-- not followed: … -->``, and where it holds a placeholder in capitals. Lines that open a
window are given a virtual display, and must still run after a while.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
BLOCK: Final = re.compile(
    r"(?:<!-- not followed: (?P<why>[^>]+) -->\n+)?^(?P<indent> *)```(?P<language>sh|python)\n"
    r"(?P<code>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
PLACEHOLDER: Final = re.compile(r"(?<![\w.$-])[A-Z]{4,}(?:\.\w+)?(?![\w=])")
WINDOW: Final = re.compile(r"^((?:\S+/)?napari)(?= |$)", re.MULTILINE)
PROLOGUE: Final = """\
set -eo pipefail
window() {
    code=0
    timeout --signal=INT --kill-after=10 40 xvfb-run -a -s "-screen 0 1400x900x24" "$@" || code=$?
    [ $code = 124 ] || { echo "the window ended by itself with $code"; return 1; }
}
"""
SAVE_A_SESSION: Final = """\
from pathlib import Path
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
session = Session(InlineRunner())
session.open(Path("slide.imzML"))
session.files.save_session(Path("study.imstumor"))
"""
SECONDS_AT_MOST: Final = 1800


@dataclass(frozen=True)
class Step:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    code: str
    why_not: str | None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def steps_of(page: Path, allowed: frozenset[str]) -> Iterator[Step]:
    """Read the blocks of a page, each with the reason where it is not to be followed."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        code = re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
        line = text.count("\n", 0, found.start("code"))
        why = found["why"] or _why_not(found["language"], code, allowed)
        yield Step(page, line, found["language"], code, why)


def _why_not(language: str, code: str, allowed: frozenset[str]) -> str | None:
    commands = "\n".join(line.split("#")[0] for line in code.splitlines())
    for word, tells in (("install", "pip install"), ("make", "make ")):
        if language == "sh" and tells in commands and word not in allowed:
            return f"needs --{word}"
    placeholder = PLACEHOLDER.search(commands) if language == "sh" else None
    return f"{placeholder[0]} stands for something of yours" if placeholder else None


def prepare(folder: Path) -> None:
    """Make what a reader would bring."""
    # Small: the pages are followed to see that they work, networks of 100 epochs among them.
    simulate = ["ims-tumor", "simulate", "-o", "made", "--slides", "4", "--rows", "24"]
    _run([*simulate, "--columns", "36", "--channels", "200", "--patients", "6"], folder)
    made = folder / "made"
    names = {"slide": 1, "other": 2}
    for name, number in names.items():
        for ending in (".imzML", ".ibd"):
            shutil.copy(made / f"simulated_{number}{ending}", folder / f"{name}{ending}")
    for name, number in {"labels": 1, "other_labels": 2}.items():
        shutil.copy(made / f"simulated_{number}_labels.npy", folder / f"{name}.npy")
    shutil.copy(made / "simulated_1_patients.npy", folder / "patients.npy")
    for name, numbers in {"cohort": (1, 2), "others": (3, 4)}.items():
        stems = [f"made/simulated_{number}" for number in numbers]
        rows = [f"{stem}.imzML,{stem}_labels.npy,{stem}_patients.npy" for stem in stems]
        (folder / f"{name}.csv").write_text("\n".join(["slide,labels,groups", *rows]) + "\n")
    draw = ["ims-tumor", "labels", "slide.imzML", "labels.npy", "-o"]
    _run([*draw, "drawn.geojson"], folder)
    _run([*draw, "histology.geojson", "--scale", "100"], folder)
    model = ["--network", "linear", "-o", "tumor.safetensors"]
    _run(["ims-tumor", "fit", "slide.imzML", "labels.npy", *model], folder)
    _run([sys.executable, "-c", SAVE_A_SESSION], folder)


def follow(step: Step, folder: Path) -> None:
    """Do what a block says."""
    if step.language == "python":
        _run([sys.executable, "-c", step.code], folder)
        return
    script = PROLOGUE + WINDOW.sub(r"window \1", step.code)
    place = folder
    if re.search(r"^make ", step.code, re.MULTILINE):
        place = folder / "clone"
        if not place.exists():
            _run(["git", "clone", "--quiet", str(ROOT), str(place)], folder)
    _run(["bash", "-c", script], place)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_AT_MOST,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}\n{done.stdout[-3000:]}")


def _environment(folder: Path) -> dict[str, str]:
    """The reader's: commands of this environment first, the wheel where pip looks for it.

    The cache is the page's own: one of the commands empties it.
    """
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    found["IMS_TUMOR_CACHE"] = str(folder / ".cache")
    found |= {"PIP_FIND_LINKS": str(ROOT / "dist"), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    return found


def follow_page(page: Path, folder: Path, allowed: frozenset[str]) -> int:
    """Follow one page; returns how many of its blocks failed."""
    steps = list(steps_of(page, allowed))
    if any(step.why_not is None for step in steps):
        folder.mkdir(parents=True)
        prepare(folder)
    failed, python = 0, []
    for step in steps:
        if step.why_not is not None:
            print(f"left out  {step.place}  {step.why_not}", flush=True)
        elif step.language == "python":
            python.append(step)
        else:
            failed += not _worked(step, folder)
    # A page's Python is one text, its later blocks use the names of the earlier ones; it comes
    # after the commands, whose files it may read.
    if python:
        code = "\n".join(step.code for step in python)
        failed += not _worked(replace(python[0], code=code), folder)
    return failed


def _worked(step: Step, folder: Path) -> bool:
    begun = time.monotonic()
    try:
        follow(step, folder)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"FAILED    {step.place}  {error}", flush=True)
        return False
    print(f"followed  {step.place}  {time.monotonic() - begun:.0f} s", flush=True)
    return True


def main() -> int:
    """Follow the pages; 0 when all that was followed worked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pages", nargs="*", type=Path, default=list(PAGES))
    parser.add_argument("--install", action="store_true", help="also follow pip install")
    parser.add_argument("--make", action="store_true", help="also follow make, in a fresh clone")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "followed")
    given = parser.parse_args()
    allowed = frozenset(word for word in ("install", "make") if getattr(given, word))
    shutil.rmtree(given.output, ignore_errors=True)
    failed = 0
    for page in given.pages:
        place = page.resolve().relative_to(ROOT).with_suffix("")
        failed += follow_page(page.resolve(), given.output.resolve() / place, allowed)
    print(f"{failed} failed" if failed else "every block that was followed worked")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
