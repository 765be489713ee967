"""What is kept is right or not there; what cannot be kept is a note and no more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.io import cache_folder
from napari_ims_tumor.io.cache_folder import CacheEntry, CacheError, CacheFolder

NUMBERS = np.arange(1000, dtype=np.float32).reshape(10, 100)
OLD = 1_600_000_000


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two files that stand for a slide."""
    return write_files(tmp_path, "one")


def write_files(folder: Path, name: str, text: bytes = b"<mzML>") -> tuple[Path, Path]:
    pair = folder / f"{name}.imzML", folder / f"{name}.ibd"
    for path in pair:
        path.write_bytes(text + name.encode())
        os.utime(path, (OLD, OLD))
    return pair


def entry_of(files: tuple[Path, Path]) -> CacheEntry:
    entry = CacheFolder.of_user().entry_of(*files)
    assert entry is not None
    return entry


def big_file(cache: Path, name: str = "numbers.bin") -> Path:
    return next(cache.rglob(name))


@pytest.mark.parametrize("mapped", [False, True])
def test_what_was_written_is_read_back_and_cannot_be_changed(files, mapped) -> None:
    entry_of(files).write("seen", 3, {"a": [1, None]}, {"numbers": NUMBERS, "none": NUMBERS[:0]})
    part = entry_of(files).read("seen", 3, mapped)
    assert part is not None
    assert part.facts == {"a": [1, None]}
    assert np.array_equal(part.arrays["numbers"], NUMBERS)
    assert part.arrays["none"].shape == (0, 100)
    assert not part.arrays["numbers"].flags.writeable
    assert entry_of(files).read("seen", 4) is None
    assert entry_of(files).read("other", 3) is None


def test_pieces_come_back_end_to_end(files) -> None:
    with entry_of(files).writing("seen", 1, facts := {}) as writer:
        for start in range(0, 1000, 7):
            writer.append("numbers", NUMBERS.reshape(-1)[start : start + 7])
        facts["known"] = "late"
    part = entry_of(files).read("seen", 1, mapped=True)
    assert part is not None
    assert part.facts == {"known": "late"}
    assert np.array_equal(part.arrays["numbers"], NUMBERS.reshape(-1))


def test_a_copy_elsewhere_is_the_same_slide_and_a_changed_one_is_not(files, tmp_path) -> None:
    entry_of(files).write("seen", 1, {})
    (tmp_path / "copy").mkdir()
    copies = [tmp_path / "copy" / path.name for path in files]
    for path, copy in zip(files, copies, strict=True):
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (OLD, OLD))
    assert entry_of((copies[0], copies[1])).read("seen", 1) is not None
    for change in (lambda: os.utime(copies[1], (OLD, OLD + 1)), lambda: rewrite(copies[0])):
        change()
        assert entry_of((copies[0], copies[1])).read("seen", 1) is None


def rewrite(path: Path) -> None:
    """Other content of the same size and time, as after a restored backup."""
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, (OLD, OLD))


def test_a_slide_written_this_moment_is_not_remembered(files) -> None:
    os.utime(files[1])
    assert CacheFolder.of_user().entry_of(*files) is None
    assert CacheFolder.of_user().entry_of(files[0], files[1].with_name("no.ibd")) is None


def test_nothing_is_kept_of_a_slide_that_changed_meanwhile(files) -> None:
    entry = entry_of(files)
    os.utime(files[1], (OLD + 5, OLD + 5))
    entry.write("seen", 1, {})
    assert entry.read("seen", 1) is None


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"\0" * 8),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(flipped(path.read_bytes(), 100)),
        lambda path: path.write_bytes(flipped(path.read_bytes(), 3)),
    ],
    ids=["short", "long", "empty", "gone", "flipped", "flipped-at-start"],
)
@pytest.mark.parametrize("name", ["numbers.bin", "part.json"])
def test_damage_counts_as_nothing_and_is_written_anew(
    files, slide_cache, damage, name, mapped
) -> None:
    entry = entry_of(files)
    entry.write("seen", 1, {"long": "x" * 200}, {"numbers": NUMBERS})
    damage(big_file(slide_cache, name))
    assert entry.read("seen", 1, mapped) is None
    entry.write("seen", 1, {}, {"numbers": NUMBERS})
    assert entry.read("seen", 1, mapped) is not None


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "listing",
    ["{}", "[]", "3", '{"version": 1, "facts": 3, "arrays": {"numbers": {"dtype": "O"}}}'],
)
def test_a_listing_of_another_make_counts_as_nothing(files, slide_cache, listing) -> None:
    from napari_ims_tumor.io.cache_part import _sealed

    entry_of(files).write("seen", 1, {}, {"numbers": NUMBERS})
    big_file(slide_cache, "part.json").write_bytes(_sealed(listing))
    assert entry_of(files).read("seen", 1) is None


def test_what_fails_while_it_is_written_leaves_nothing(files, slide_cache) -> None:
    entry = entry_of(files)
    with pytest.raises(TypeError, match="numbers holds <f4, not <f8"):
        write_two_types(entry)
    assert entry.read("seen", 1) is None
    assert not [path for path in slide_cache.rglob("*") if path.is_file()]


def write_two_types(entry: CacheEntry) -> None:
    with entry.writing("seen", 1, {}) as writer:
        writer.append("numbers", NUMBERS)
        writer.append("numbers", NUMBERS.astype(float))


def test_a_map_outlives_the_clearing_of_the_folder(files, slide_cache) -> None:
    entry = entry_of(files)
    entry.write("seen", 1, {}, {"numbers": NUMBERS})
    part = entry.read("seen", 1, mapped=True)
    assert part is not None
    code = "from napari_ims_tumor.cli import main; main(['cache', '--clear'])"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert not list(slide_cache.rglob("*.bin"))
    assert np.array_equal(part.arrays["numbers"], NUMBERS)
    assert entry.read("seen", 1) is None


def test_what_was_used_longest_ago_goes_first(tmp_path, slide_cache) -> None:
    folder = CacheFolder(slide_cache, limit=3 * NUMBERS.nbytes)
    entries = [folder.entry_of(*write_files(tmp_path, name)) for name in "abcd"]
    for at, entry in enumerate(entries):
        assert entry is not None
        entry.write("seen", 1, {}, {"numbers": NUMBERS})
        os.utime(entry._folder, (OLD + at, OLD + at))
        if at == 1:
            assert entries[0].read("seen", 1) is not None
    # Room is for two, with their listings: the first was looked at after the second was written.
    assert [facts.slide for facts in folder.entries()] == ["a", "d"]
    assert sum(facts.nbytes for facts in folder.entries()) <= folder.limit


def test_parts_left_by_a_program_that_ended_are_removed(files, slide_cache) -> None:
    entry = entry_of(files)
    entry.write("seen", 1, {})
    for name, age in ((".new-ended", 7200), (".new-running", 10)):
        (entry._folder / name).mkdir()
        data = entry._folder / name / "numbers.bin"
        data.write_bytes(b"x" * 50)
        os.utime(data, (time.time() - age,) * 2)
    CacheFolder.of_user().trim()
    assert sorted(p.name for p in entry._folder.glob(".new-*")) == [".new-running"]


def test_where_nothing_can_be_written_a_note_says_where(files, tmp_path, monkeypatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv(cache_folder.FOLDER_VARIABLE, str(blocked))
    entry = entry_of(files)
    with pytest.raises(CacheError, match=f"Nothing is kept in {blocked} .*IMS_TUMOR_CACHE"):
        entry.write("seen", 1, {})
    assert entry.read("seen", 1) is None
    assert CacheFolder.of_user().entries() == []
    assert CacheFolder.of_user().clear() == 0


def test_a_disk_that_fills_up_is_a_note(files, slide_cache) -> None:
    resource = pytest.importorskip("resource")
    entry = entry_of(files)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (NUMBERS.nbytes - 1, hard))
    try:
        with pytest.raises(CacheError, match=r"Nothing is kept in .* .File too large"):
            entry.write("seen", 1, {}, {"numbers": NUMBERS})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert entry.read("seen", 1) is None
    assert not list(slide_cache.rglob("*.bin"))


def test_what_is_larger_than_the_limit_is_refused_before_it_is_written(files, slide_cache) -> None:
    with pytest.raises(CacheError, match=r"0[.]0 GB are more than its limit"):
        CacheFolder(slide_cache, limit=100).refuse_too_large(1000)
    with pytest.raises(CacheError, match="GB are free on its disk"):
        CacheFolder(slide_cache, limit=10**19).refuse_too_large(10**18)
    assert not slide_cache.exists()


@pytest.mark.parametrize(
    ("text", "limit"),
    [("50GB", 50 * 10**9), (" 1.5 tb", 1_500_000_000_000), ("", 20 * 10**9), ("many", 20 * 10**9)],
)
def test_the_limit_is_what_the_environment_says(monkeypatch, text, limit) -> None:
    monkeypatch.setenv(cache_folder.LIMIT_VARIABLE, text)
    assert CacheFolder.of_user().limit == limit


def test_without_a_variable_it_is_the_users_own_cache_folder(monkeypatch) -> None:
    monkeypatch.delenv(cache_folder.FOLDER_VARIABLE)
    assert CacheFolder.of_user().root.name == "napari-ims-tumor"
    assert not CacheFolder.of_user().root.exists()
