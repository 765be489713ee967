"""A file is written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_ims_tumor.atomic import atomic_folder, atomic_write
from napari_ims_tumor.errors import ImsTumorError


def test_the_new_content_takes_the_name(tmp_path):
    target = tmp_path / "labels.npy"
    target.write_text("old")
    before = target.stat().st_ino
    with atomic_write(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npy"
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    # Another file under the same name, not the old one overwritten.
    assert target.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [target]


def write_half(target: Path, error: type[BaseException]) -> None:
    with atomic_write(target) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file_and_leaves_no_litter(tmp_path, error):
    target = tmp_path / "model.safetensors"
    target.write_text("old")
    with pytest.raises(error):
        write_half(target, error)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(ImsTumorError, match=r"the folder .*nowhere does not exist"),
        atomic_write(tmp_path / "nowhere" / "a.npy") as temporary,
    ):
        temporary.write_text("x")


def test_a_full_disk_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.npy"
    target.write_text("old")
    with pytest.raises(ImsTumorError, match=r"No space left.*free space"), atomic_write(target):
        raise OSError(28, "No space left on device")
    assert target.read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.npy", tmp_path / "link.npy"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_kill_9_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "labels.npy"
    target.write_text("old")
    code = (
        "import os, sys\n"
        "from napari_ims_tumor.atomic import atomic_write\n"
        "with atomic_write(sys.argv[1]) as t:\n"
        "    t.write_text('half')\n"
        f"    os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a umask")
def test_the_file_has_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x")
    with atomic_write(tmp_path / "ours") as temporary:
        temporary.write_text("x")
    assert Path(tmp_path / "ours").stat().st_mode == plain.stat().st_mode
    assert os.access(tmp_path / "ours", os.R_OK)


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    target = tmp_path / "a.zarr"
    target.mkdir()
    (target / "old").write_text("old")
    with atomic_folder(target) as temporary:
        assert temporary.parent == tmp_path
        (temporary / "new").write_text("new")
        assert [f.name for f in target.iterdir()] == ["old"]
    assert [f.name for f in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def write_half_a_folder(target: Path, error: BaseException) -> None:
    with atomic_folder(target) as temporary:
        (temporary / "half").write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(28, "No space")])
def test_a_failure_keeps_the_old_folder_and_leaves_no_litter(tmp_path, error):
    target = tmp_path / "a.zarr"
    target.mkdir()
    (target / "old").write_text("old")
    expected = ImsTumorError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        write_half_a_folder(target, error)
    assert (target / "old").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def lose_the_new_folder(target: Path) -> None:
    with atomic_folder(target) as temporary:
        temporary.rmdir()


def test_a_folder_that_cannot_take_the_name_leaves_the_old_one_there(tmp_path):
    target = tmp_path / "a.zarr"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(ImsTumorError, match="cannot be written"):
        lose_the_new_folder(target)
    assert (target / "old").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_a_pipe_or_a_device_is_never_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "model.safetensors"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link"):
        with pytest.raises(ImsTumorError, match="device or a pipe"), atomic_write(path):
            pytest.fail("nothing may be written")
    assert pipe.is_fifo()
