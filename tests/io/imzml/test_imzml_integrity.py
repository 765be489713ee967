"""The .ibd file against the hash that is stated: once, unless the file changes."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from napari_ims_tumor.io.imzml import HashCheck, check_imzml, integrity, open_imzml, verify_job
from napari_ims_tumor.job import STOP, JobStopped, run_inline


@pytest.fixture
def kept(monkeypatch, tmp_path) -> None:
    """Also what is found out about small files is kept, in a folder of its own."""
    monkeypatch.setattr(integrity, "WORTH", 0)
    monkeypatch.setenv("IMS_TUMOR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """Which hashes were begun."""
    begun: list[str] = []
    new = hashlib.new

    def count(kind: str, *data: bytes, **how: object):
        begun.append(kind)
        return new(kind, *data, **how)

    monkeypatch.setattr(hashlib, "new", count)
    return begun


def settle(path: Path, ago_s: int = 3600) -> None:
    """Let both files be written a while ago: what changed just now may change again."""
    then = time.time_ns() - ago_s * 10**9
    for file in (path, path.with_suffix(".ibd")):
        os.utime(file, ns=(then, then))


def flip(path: Path, byte: int) -> None:
    ibd = path.with_suffix(".ibd")
    data = bytearray(ibd.read_bytes())
    data[byte] ^= 1
    ibd.write_bytes(data)


@pytest.mark.parametrize(("kind", "name"), [("sha1", "SHA-1"), ("md5", "MD5")])
def test_a_changed_byte_is_one_warning(write_slide, processed_pixels, kind, name) -> None:
    path = write_slide(processed_pixels, hash_kind=kind)
    whole = hashlib.new(kind, path.with_suffix(".ibd").read_bytes()).hexdigest()
    with open_imzml(path) as slide:
        assert slide.verify() == (HashCheck(kind, whole, whole),)
        sound = slide.warnings
    flip(path, 400)
    now = hashlib.new(kind, path.with_suffix(".ibd").read_bytes()).hexdigest()
    with open_imzml(path) as slide:
        assert slide.warnings == sound
        for _ in range(2):
            assert slide.verify() == (HashCheck(kind, whole, now),)
        assert slide.warnings == (
            *sound,
            f"slide.imzML: the .ibd file is not the one whose {name} is stated ({whole[:8]}… is "
            f"stated, {now[:8]}… found): a byte was changed, or it belongs to another slide. Copy "
            "both files again from the same export.",
        )


def test_a_hash_that_is_none_is_told(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels)
    stated = hashlib.sha1(path.with_suffix(".ibd").read_bytes()).hexdigest().upper()
    path.write_text(path.read_text("latin-1").replace(stated, stated[:39]), "latin-1")
    with open_imzml(path) as slide:
        slide.verify()
        assert slide.warnings[-1] == (
            "slide.imzML: the SHA-1 that is stated for the .ibd file has 39 digits instead of 40, "
            "so whether a byte was changed cannot be told. Tell the maker of the exporting "
            "software."
        )


def test_without_a_hash_there_is_nothing_to_verify(write_slide, processed_pixels, hashed) -> None:
    with open_imzml(write_slide(processed_pixels, hash_kind="")) as slide:
        assert slide.verify() == ()
    assert hashed == []


def test_the_answer_is_kept_until_the_file_changes(
    write_slide, processed_pixels, kept, hashed
) -> None:
    path = write_slide(processed_pixels)
    settle(path)
    hashed.clear()
    for _ in range(3):
        with open_imzml(path) as slide:
            assert slide.verify()[0].holds
    assert hashed == ["sha1"]
    flip(path, 200)
    settle(path, 1800)
    for _ in range(3):
        with open_imzml(path) as slide:
            assert not slide.verify()[0].holds
            assert "not the one whose SHA-1" in slide.warnings[-1]
    assert hashed == ["sha1", "sha1"]


def test_a_check_reads_the_file_again(write_slide, processed_pixels, kept, hashed) -> None:
    """A disk that goes bad changes bytes, but neither size nor date."""
    path = write_slide(processed_pixels)
    settle(path)
    before = path.with_suffix(".ibd").stat()
    with open_imzml(path) as slide:
        assert slide.verify()[0].holds
    flip(path, 200)
    os.utime(path.with_suffix(".ibd"), ns=(before.st_atime_ns, before.st_mtime_ns))
    result = run_inline(check_imzml(path))
    assert result.status == "warnings"
    assert result.files["SHA-1 stated"] != result.files["SHA-1 found"]
    # The newer answer is kept.
    with open_imzml(path) as slide:
        assert not slide.verify()[0].holds


def test_an_answer_that_is_damaged_or_not_whole_is_found_again(
    write_slide, processed_pixels, kept, hashed, tmp_path
) -> None:
    path = write_slide(processed_pixels)
    settle(path)
    hashed.clear()
    with open_imzml(path) as slide:
        slide.verify()
        (listing,) = (tmp_path / "cache").rglob("integrity/part.json")
        for damage in (b"", b"00000000\n{}", listing.read_bytes().replace(b"sha1", b"md50")):
            listing.write_bytes(damage)
            assert slide.verify()[0].holds
    assert hashed == ["sha1"] * 4


def test_verifying_can_be_stopped(write_slide, processed_pixels, monkeypatch) -> None:
    monkeypatch.setattr(integrity, "_PIECE", 100)
    with open_imzml(write_slide(processed_pixels)) as slide:
        job = verify_job(slide)
        report = next(job)
        assert (report.phase, report.done) == ("Verifying the SHA-1", 100)
        with pytest.raises(JobStopped):
            job.send(STOP)
        assert slide.warnings == slide.warnings[:1]


def test_a_check_tells_of_files_and_first_examples(write_slide, make_pixel) -> None:
    import numpy as np

    mz = np.array([100.0, 200.0])
    values = [np.array([np.nan, -1.0]) if i in (2, 4, 5) else np.ones(2) for i in range(8)]
    pixels = [make_pixel(i + 1, 1, mz, value) for i, value in enumerate(values)]
    for layout in ("processed", "continuous"):
        path = write_slide(pixels, layout=layout, edit_ibd=lambda data: data + bytes(7))
        result = run_inline(check_imzml(path))
        size = path.with_suffix(".ibd").stat().st_size
        said = [(f.severity, f.text, f.count, f.examples) for f in result.findings[1:]]
        assert said == [
            ("warning", "3 spectra with NaN intensities, which count as 0 (numbers 2, 4, 5)", 3,
             (2, 4, 5)),
            ("warning", "3 spectra with negative intensities, which are summed as they are: was a "
             "baseline subtracted? (numbers 2, 4, 5)", 3, (2, 4, 5)),
            ("note", "7 bytes of the .ibd file belong to no m/z or intensity array of a spectrum, "
             f"the first is byte {size - 7}: arrays of another kind, or spectra are missing", 0,
             ()),
        ]  # fmt: skip
        assert result.files[".imzML file"] == "slide.imzML"
        assert result.files[".ibd bytes"] == size
        assert result.files["UUID stated"] == result.files["UUID in the .ibd"]
        assert result.files["SHA-1 stated"] == result.files["SHA-1 found"]
        assert result.files["software"] == "müller 1"


def test_a_check_of_an_unreadable_slide_tells_what_it_can(write_slide, processed_pixels) -> None:
    path = write_slide(processed_pixels)
    os.truncate(path.with_suffix(".ibd"), 100)
    files = run_inline(check_imzml(path)).files
    assert files[".ibd bytes"] == 100
    assert files["software"] == "müller 1"
    assert files["UUID stated"] == files["UUID in the .ibd"]
    path.unlink()
    assert run_inline(check_imzml(path.with_suffix(".ibd"))).files[".ibd file"] == "slide.ibd"
    assert run_inline(check_imzml(path)).files == {}
