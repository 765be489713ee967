"""Where a slide may lie: odd names and links open, what may not be read is one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from napari_ims_tumor.io.imzml import open_imzml, pair_of

NOBODY = 65534
LONG = "/".join(["tissue and more tissue " * 8 + "x"] * 12)

AS_NOBODY = """
    import os, sys
    from napari_ims_tumor.errors import SlideError
    from napari_ims_tumor.io.imzml import open_imzml
    from napari_ims_tumor.io.imzml import dataset, reading
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
    assert os.geteuid() != 0
    try:
        with open_imzml({path!r}) as slide:
            print("opened", slide.n_spectra)
    except SlideError as error:
        print(error)
"""


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that every user of the machine may enter; pytest's own are closed to others."""
    with TemporaryDirectory(prefix="ims-tumor-places-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def said_to_nobody(path: Path) -> str:
    """What somebody who is not root is told: root may read everything."""
    code = textwrap.dedent(AS_NOBODY).format(path=str(path), nobody=NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_may_not_be_read_is_said(write_slide_in, processed_pixels, anybodys: Path) -> None:
    path = write_slide_in(anybodys, processed_pixels)
    ibd = path.with_suffix(".ibd")
    path.chmod(0o444)
    ibd.chmod(0o444)
    assert said_to_nobody(path) == "opened 12"
    path.chmod(0)
    assert said_to_nobody(path) == (
        "slide.imzML cannot be read: Permission denied; is its drive connected, and are you "
        "allowed to read it?"
    )
    path.chmod(0o444)
    ibd.chmod(0)
    assert said_to_nobody(path) == (
        "slide.ibd cannot be opened: Permission denied; is its drive connected, and are you "
        "allowed to read it?"
    )
    ibd.chmod(0o444)
    anybodys.chmod(0)
    assert said_to_nobody(path) == (
        "slide.imzML cannot be read: Permission denied; is its drive connected, is its name "
        "complete, and are you allowed to read its folder?"
    )
    anybodys.chmod(0o755)


def test_a_read_only_folder_is_no_fault(write_slide_in, processed_pixels, anybodys: Path) -> None:
    path = write_slide_in(anybodys, processed_pixels)
    anybodys.chmod(0o555)
    before = {file.name: file.read_bytes() for file in anybodys.iterdir()}
    assert said_to_nobody(path) == "opened 12"
    assert {file.name: file.read_bytes() for file in anybodys.iterdir()} == before
    anybodys.chmod(0o755)


@pytest.mark.parametrize("folder", [".", "Gewebe ü 組織 ’1’", "a b  c", LONG], ids=range(4))
def test_spaces_unicode_and_long_paths(
    write_slide_in, processed_pixels, tmp_path: Path, folder: str
) -> None:
    home = tmp_path / folder
    home.mkdir(parents=True, exist_ok=True)
    path = write_slide_in(home, processed_pixels, name="Gewebe ü 組織 1.final")
    if folder == LONG:
        assert len(str(path)) > 2000
    for given in (path, str(path), path.with_suffix(".ibd")):
        with open_imzml(given) as slide:
            assert slide.name == "Gewebe ü 組織 1.final"
            assert np.array_equal(slide.spectrum(3).mz, processed_pixels[3].mz)


def test_links_lead_to_both_files(write_slide, processed_pixels, tmp_path: Path) -> None:
    path = write_slide(processed_pixels)
    elsewhere = tmp_path / "links"
    elsewhere.mkdir()
    link = elsewhere / "patient 7.imzML"
    link.symlink_to(path)
    assert pair_of(link) == pair_of(path)
    with open_imzml(link) as slide:
        assert np.array_equal(slide.spectrum(3).mz, processed_pixels[3].mz)
    (elsewhere / "gone.imzML").symlink_to(tmp_path / "nowhere.imzML")
    with pytest.raises(Exception, match="does not exist; was it moved, renamed or unmounted"):
        open_imzml(elsewhere / "gone.imzML")


def test_a_relative_path_is_remembered_whole(write_slide, processed_pixels, monkeypatch) -> None:
    path = write_slide(processed_pixels)
    monkeypatch.chdir(path.parent)
    with open_imzml("slide.imzML") as slide:
        os.chdir("/")
        assert slide.source == path.resolve()
        assert np.array_equal(slide.spectrum(3).mz, processed_pixels[3].mz)
