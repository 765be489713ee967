"""Damaged slides open right, or stop with one sentence: the short form of benchmarks/fuzz.py."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from fuzzing import run
from fuzzing.reference import NotLegal, meaning_of
from fuzzing.run import case_of, fuzz
from fuzzing.slides import changed, made_up_slides, real_slides
from fuzzing.verdict import AS_SAID, HANG, SAME, STOPPED, WRONG, Wrong, judge, whole
from napari_ims_tumor.io.imzml import ImzmlDataset, arrays

CASES = 300


def test_no_damage_gives_a_wrong_number_a_crash_or_a_hang(real_data: Path) -> None:
    slides = [*made_up_slides(1), *real_slides(real_data if real_data.is_dir() else None)]
    result = fuzz(slides, range(CASES), seed=1)
    assert sum(result.outcomes.values()) == CASES
    assert result.bad == []
    assert result.hashes > 20
    ends = {
        outcome: sum(n for (_, o), n in result.outcomes.items() if o == outcome)
        for outcome in (SAME, AS_SAID, STOPPED)
    }
    assert min(ends.values()) > 20


def test_every_whole_slide_is_what_the_standard_says(tmp_path: Path) -> None:
    slides = list(made_up_slides(2))
    assert all(whole(pair, tmp_path) is not None for pair in slides)
    assert {len(meaning_of(pair).spectra) for pair in slides} == {1, 12, 60}
    assert any(not mz.size for mz, _ in meaning_of(slides[0]).spectra)


def test_a_case_is_made_the_same_again() -> None:
    slides = list(made_up_slides(1))
    for case in (3, 77):
        assert case_of(slides, 1, case) == case_of(list(made_up_slides(1)), 1, case)
    assert case_of(slides, 1, 3) != case_of(slides, 2, 3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<run ", b"<run <", "line"),
        (b'"IMS:1000103"', b'"IMS:9"', "IMS:1000103"),
        (b'"MS:1000521"', b'"MS:9"', "'MS:1000521'"),
        (b'offset" value="16"', b'offset" value="18"', "overlap"),
        (b'position x" value="1"', b'position x" value="one"', "no whole number"),
    ],
)
def test_the_reference_refuses_what_is_not_legal(old: bytes, new: bytes, reason: str) -> None:
    pair = next(made_up_slides(1))
    assert old in pair.xml
    with pytest.raises(NotLegal, match=reason):
        meaning_of(changed(pair, xml=pair.xml.replace(old, new)))


def test_a_reader_that_lies_is_caught(tmp_path: Path, monkeypatch) -> None:
    pair = next(made_up_slides(1))
    before = whole(pair, tmp_path)
    assert before is not None
    assert judge(pair, before, tmp_path).outcome == SAME
    moved = changed(pair, xml=pair.xml.replace(b'position x" value="4"', b'position x" value="5"'))
    assert judge(moved, before, tmp_path).outcome == AS_SAID
    decode = arrays.decode
    for module in ("single", "runs"):
        monkeypatch.setattr(f"napari_ims_tumor.io.imzml.{module}.decode", lambda *a: decode(*a) + 1)
    packed = list(made_up_slides(1))[2]
    with pytest.raises(Wrong, match="otherwise than the standard says"):
        whole(packed, tmp_path)


def test_ways_of_reading_that_disagree_are_caught(tmp_path: Path, monkeypatch) -> None:
    pair = next(made_up_slides(1))
    before = whole(pair, tmp_path)
    images = ImzmlDataset.ion_images
    monkeypatch.setattr(ImzmlDataset, "ion_images", lambda self, w: images(self, w) * 1.01)
    verdict = judge(pair, before, tmp_path)
    assert verdict.outcome == WRONG
    assert "ion image" in verdict.detail


def test_what_takes_too_long_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(run, "MOST_SECONDS", 0.05)
    before = signal.signal(signal.SIGPROF, run._took_too_long)
    try:
        assert run._judged(lambda: [np.ones(9).sum() for _ in iter(int, 1)]).outcome == HANG
    finally:
        signal.signal(signal.SIGPROF, before)
