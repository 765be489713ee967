"""Eight threads read one slide: the short form of benchmarks/threads.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from fuzzing.slides import made_up
from napari_ims_tumor.io.imzml import dataset, remembered
from threads import KINDS, read_together


@pytest.fixture(autouse=True)
def as_large_ones(monkeypatch) -> None:
    """Small slides are indexed and remembered like large ones."""
    monkeypatch.setattr(dataset, "SMALL", 0)
    monkeypatch.setattr(remembered, "WORTH", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_eight_threads_read_nothing_wrong(tmp_path: Path, kind: str) -> None:
    tally = read_together(made_up(KINDS[kind], 1), tmp_path, threads=8, reads=250)
    assert sum(tally.wrong.values()) == 0, tally.wrong
    assert tally.reads["spectra"] > 1800
    assert min(tally.reads["images"], tally.reads["means"]) > 5
    assert tally.reads["indexes"] == 1


def test_a_reader_with_one_position_for_all_is_caught(tmp_path: Path, monkeypatch) -> None:
    """The fault of readers that seek and read: another thread moves the file in between."""
    import time

    from napari_ims_tumor.io.imzml.arrays import IbdFile

    state = {"place": 0}

    def read(self: IbdFile, offset: int, nbytes: int) -> bytes:
        state["place"] = offset
        time.sleep(0)
        with self.path.open("rb") as file:
            file.seek(state["place"])
            return file.read(nbytes)

    monkeypatch.setattr(IbdFile, "read", read)
    tally = read_together(made_up(KINDS["processed"], 1), tmp_path, threads=8, reads=200)
    assert tally.wrong["spectra"] > 0
