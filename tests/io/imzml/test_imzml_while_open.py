"""What happens to a slide while it is open: one sentence, and the process lives on."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io import cache_part
from napari_ims_tumor.io.imzml import ImzmlDataset, arrays, dataset, open_imzml, remembered
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow

WINDOW = MassWindow(120, MassTolerance(400))
CHANGED = (
    "slide.ibd was changed by another program while it was open; reopen the slide to see what it "
    "holds now"
)
LOST = (
    "slide.ibd cannot be read any more (Input/output error): was its drive disconnected? Reconnect "
    "it and reopen the slide."
)
WAYS: dict[str, Callable[[ImzmlDataset], object]] = {
    "spectrum": lambda slide: slide.spectrum(3),
    "blocks": lambda slide: list(slide.blocks()),
    "images": lambda slide: slide.ion_images([WINDOW]),
    "mean": lambda slide: slide.mean_spectrum(),
    "verify": lambda slide: slide.verify(),
}


@pytest.fixture(params=["processed", "continuous"])
def path(request, write_slide, processed_pixels, continuous_pixels, monkeypatch) -> Path:
    """A slide that is treated as a large one, written a while ago."""
    monkeypatch.setattr(dataset, "SMALL", 0)
    monkeypatch.setattr(remembered, "WORTH", 0)
    pixels = {"processed": processed_pixels, "continuous": continuous_pixels}[request.param]
    path = write_slide(pixels, layout=request.param)
    for file in (path, path.with_suffix(".ibd")):
        os.utime(file, (1_600_000_000, 1_600_000_000))
    return path


def said(act: Callable[[], object]) -> str:
    with pytest.raises(SlideError) as caught:
        act()
    return str(caught.value)


# ---- 22 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("nbytes", [0, 30])
def test_a_file_that_shrinks_is_one_sentence(path: Path, way: str, nbytes: int) -> None:
    with open_imzml(path) as slide:
        os.truncate(path.with_suffix(".ibd"), nbytes)
        assert said(lambda: WAYS[way](slide)) == CHANGED


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_written_to_is_one_sentence(path: Path, way: str) -> None:
    with open_imzml(path) as slide:
        with path.with_suffix(".ibd").open("r+b") as file:
            file.seek(50)
            file.write(b"\x00\x01")
        assert said(lambda: WAYS[way](slide)) == CHANGED


@pytest.mark.parametrize("way", WAYS)
def test_a_drive_that_goes_away_is_one_sentence(path: Path, way: str, monkeypatch) -> None:
    def gone(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with open_imzml(path) as slide:
        for call in ("pread", "preadv", "fstat"):
            monkeypatch.setattr(arrays.os, call, gone)
        text = said(lambda: WAYS[way](slide))
        monkeypatch.undo()
        assert text == LOST


@pytest.mark.parametrize("way", WAYS)
def test_a_deleted_file_reads_on_while_the_slide_is_open(path: Path, way: str) -> None:
    with open_imzml(path) as slide:
        path.with_suffix(".ibd").unlink()
        WAYS[way](slide)
    assert said(lambda: open_imzml(path)) == (
        "slide.imzML: its other half is missing. Looked for slide with .ibd or .IBD in "
        f"{path.parent}; it holds the spectra: copy it into the same folder."
    )


def test_an_image_of_an_index_is_never_that_of_another_file(path: Path) -> None:
    with open_imzml(path) as slide:
        job = slide.index_job()
        assert job is not None
        assert run_inline(job) == ""
        os.truncate(path.with_suffix(".ibd"), 30)
        assert said(lambda: slide.ion_images([WINDOW])) == CHANGED


@pytest.mark.parametrize("indexed", [False, True])
def test_no_truncation_kills_the_process(path: Path, indexed: bool) -> None:
    code = f"""
        import os
        from napari_ims_tumor.errors import SlideError
        from napari_ims_tumor.io.imzml import dataset, open_imzml, remembered
        from napari_ims_tumor.job import run_inline
        from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
        dataset.SMALL = remembered.WORTH = 0
        open_imzml({str(path)!r}).close()
        slide = open_imzml({str(path)!r})
        if {indexed}:
            run_inline(slide.index_job())
        window = MassWindow(120, MassTolerance(400))
        for size in (40, 0):
            os.truncate({str(path.with_suffix(".ibd"))!r}, size)
            for read in (
                lambda: slide.spectrum(3), lambda: list(slide.blocks()),
                lambda: slide.ion_images([window]), slide.verify,
            ):
                try:
                    read()
                except SlideError as error:
                    print(error)
        print("alive")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *sentences, last = done.stdout.strip().splitlines()
    assert last == "alive"
    assert set(sentences) == {CHANGED}
    assert len(sentences) >= 6


def test_a_slide_that_changed_on_disk_is_not_what_was_kept(path: Path) -> None:
    with open_imzml(path) as slide:
        run_inline(slide.index_job())  # type: ignore[arg-type]
        before = slide.spectrum(3).intensity.copy()
    ibd = path.with_suffix(".ibd")
    data = bytearray(ibd.read_bytes())
    # All intensities of the slide become zeros: the file has the same length as before.
    with open_imzml(path) as slide:
        table = slide._parts.index.intensity
        for start, nbytes in zip(table.offsets.tolist(), table.nbytes.tolist(), strict=True):
            data[start : start + nbytes] = bytes(nbytes)
    ibd.write_bytes(data)
    os.utime(ibd, (1_600_000_100, 1_600_000_100))
    with open_imzml(path) as slide:
        run_inline(slide.index_job())  # type: ignore[arg-type]
        assert before.any()
        assert not slide.spectrum(3).intensity.any()
        assert np.nansum(slide.ion_images([WINDOW])) == 0
        assert not slide.total_ion_current().any()


# ---- 21, 24 ----------------------------------------------------------------------------------


def test_a_disk_that_fills_up_while_something_is_kept_is_one_note(
    path: Path, slide_cache: Path, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_part, "_write_all", full)
    # Where memory allows it, the index is made there, and there is nothing to say.
    with open_imzml(path) as slide:
        assert run_inline(slide.index_job()) == ""  # type: ignore[arg-type]
        wanted = slide.ion_images([WINDOW])
    with open_imzml(path, memory_budget=0) as slide:
        assert run_inline(slide.index_job()) == (  # type: ignore[arg-type]
            f"Nothing is kept in {slide_cache} (No space left on device): slides open as usual, "
            "but what is worked out about them is worked out again next time. Make room there, or "
            "name another folder in IMS_TUMOR_CACHE."
        )
        assert np.array_equal(slide.ion_images([WINDOW]), wanted, equal_nan=True)
    # No part is left that could be taken for a whole one.
    assert [file for file in slide_cache.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("damage", ["empty", "cut", "flip"])
def test_whatever_is_damaged_in_the_cache_is_made_anew(
    path: Path, slide_cache: Path, damage: str
) -> None:
    def images() -> np.ndarray:
        with open_imzml(path) as slide:
            run_inline(slide.index_job())  # type: ignore[arg-type]
            return slide.ion_images([WINDOW])

    before = images()
    files = sorted(file for file in slide_cache.rglob("*") if file.is_file())
    assert len(files) > 4
    for file in files:
        if not file.exists() or not file.stat().st_size:
            continue
        data = bytearray(file.read_bytes())
        if damage == "flip":
            data[len(data) // 2] ^= 4
        # Another file in its place: what is mapped elsewhere stays as it was.
        file.unlink()
        file.write_bytes({"empty": b"", "cut": data[:-1], "flip": data}[damage])
        assert np.array_equal(images(), before, equal_nan=True), file.name
