"""A slide is looked for where the session says, and is known by its UUID."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import napari_ims_tumor as ims
from napari_ims_tumor.io.imzml import ImzmlDataset, open_imzml
from napari_ims_tumor.io.session_file import (
    SlideAddress,
    address_of,
    change_of,
    is_other_slide,
    not_found,
    places_of,
)
from napari_ims_tumor.job import run_inline


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("slides").resolve()
    first, second = ims.simulate(folder, rows=12, columns=12, channels=60, slides=2)
    return SimpleNamespace(folder=folder, first=first.imzml, second=second.imzml)


@pytest.fixture
def slide(made: SimpleNamespace) -> ImzmlDataset:
    return open_imzml(made.first)


def address(slide: ImzmlDataset, session_file: Path) -> SlideAddress:
    return run_inline(address_of(slide, session_file))


def test_below_the_session_the_path_is_relative_too(
    made: SimpleNamespace, slide: ImzmlDataset, tmp_path: Path
) -> None:
    above = address(slide, made.folder.parent / "a.imstumor")
    assert above.relative == f"{made.folder.name}/{made.first.name}"
    assert above.absolute == str(made.first)
    assert address(slide, tmp_path / "a.imstumor").relative == ""
    assert len(above.uuid) == 32
    assert len(above.sha256) == 64
    assert above.nbytes[1] == made.first.with_suffix(".ibd").stat().st_size


def moved(made: SimpleNamespace, folder: Path, name: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / (name or made.first.name)
    for suffix in (".imzML", ".ibd"):
        shutil.copy(made.first.with_suffix(suffix), place.with_suffix(suffix))
    return place.resolve()


def test_the_order_of_looking(made: SimpleNamespace, slide: ImzmlDataset, tmp_path: Path) -> None:
    session_file = tmp_path / "a.imstumor"
    known = replace(address(slide, session_file), relative=f"deep/{made.first.name}")
    assert places_of(known, session_file) == (made.first,)
    beside = moved(made, tmp_path)
    assert places_of(known, session_file) == (made.first, beside)
    below = moved(made, tmp_path / "deep")
    assert places_of(known, session_file) == (below, made.first, beside)
    renamed = moved(made, tmp_path / "other", "renamed.imzML")
    gone = replace(known, absolute="/nowhere/x.imzML", relative="")
    found = places_of(gone, tmp_path / "other" / "a.imstumor", (renamed, tmp_path))
    assert found == (renamed,)
    # A folder, and the neighbors of a file that was named for another slide, count as well.
    here = replace(known, absolute=f"/nowhere/{made.first.name}", relative="")
    away = tmp_path / "empty" / "a.imstumor"
    assert places_of(here, away, (tmp_path,)) == (beside,)
    assert places_of(here, away, (tmp_path / "another.imzML",)) == (beside,)


@pytest.mark.parametrize(
    "relative", ["../a.imzML", "/etc/a.imzML", "C:/a.imzML", "b\\..\\a.imzML", "x\x00y.imzML"]
)
def test_a_relative_path_does_not_lead_out(
    made: SimpleNamespace, tmp_path: Path, relative: str
) -> None:
    moved(made, tmp_path, "a.imzML")
    session_file = tmp_path / "deep" / "s.imstumor"
    session_file.parent.mkdir()
    assert places_of(SlideAddress("a", relative), session_file) == ()


@pytest.mark.parametrize("absolute", ["\\\\server\\share\\a.imzML", "//server/share/a.imzML"])
def test_no_server_is_asked(absolute: str, tmp_path: Path) -> None:
    assert places_of(SlideAddress("a", "", absolute), tmp_path / "s.imstumor") == ()


def test_another_uuid_is_another_slide(made: SimpleNamespace, slide: ImzmlDataset) -> None:
    known = address(slide, made.folder / "a.imstumor")
    assert is_other_slide(known, slide) is None
    other = open_imzml(made.second)
    reason = is_other_slide(known, other)
    assert reason is not None
    assert known.uuid in reason
    assert address(other, made.folder / "a.imstumor").uuid in reason
    assert is_other_slide(replace(known, uuid=""), other) is None


def test_changed_content_is_noticed(
    made: SimpleNamespace, slide: ImzmlDataset, tmp_path: Path
) -> None:
    known = address(slide, made.folder / "a.imstumor")
    assert run_inline(change_of(known, slide)) is None
    copy = moved(made, tmp_path)
    assert run_inline(change_of(known, open_imzml(copy))) is None
    content = copy.read_bytes()
    copy.write_bytes(content.replace(b"</mzML>", b"<!-- edited --></mzML>"))
    assert copy.read_bytes() != content
    words = run_inline(change_of(known, open_imzml(copy)))
    assert words is not None
    assert "was changed" in words


def test_a_missing_slide_is_named_with_its_last_place(tmp_path: Path) -> None:
    gone = SlideAddress("tissue", "", "/study/tissue.imzML")
    assert places_of(gone, tmp_path / "s.imstumor") == ()
    assert "tissue is not found. It was last at /study/tissue.imzML" in not_found(
        gone, tmp_path / "s.imstumor"
    )
