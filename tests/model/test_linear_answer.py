from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.model import epoch_choice
from napari_ims_tumor.model.linear_answer import LinearAnswer
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.msi.arrays import Float32Array, IntArray


def test_what_a_fit_learns_and_normalizes_it_does_once(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows are never normalized by the same fold's measure in two epochs."""
    monkeypatch.setattr(epoch_choice, "NOTHING_LEFT", 0.0)
    monkeypatch.setattr(epoch_choice, "LEAST_GAIN", -9.0)
    learned: list[IntArray | None] = []
    shown: Counter[tuple[int, bytes]] = Counter()
    learn, inputs = InputNormalization.learn, LinearAnswer.inputs

    def learning(roots: Float32Array, rows: IntArray | None = None, *more: Any) -> Any:
        learned.append(rows)
        return learn(roots, rows, *more)

    def showing(answer: LinearAnswer, known: InputNormalization, rows: IntArray) -> Any:
        if answer.score is not None:  # in the last phase
            shown[hash(known.center.tobytes()), np.asarray(rows).tobytes()] += 1
        return inputs(answer, known, rows)

    monkeypatch.setattr(InputNormalization, "learn", learning)
    monkeypatch.setattr(LinearAnswer, "inputs", showing)
    model = build.fitted(build.distant_gate(300, 60, 0), epochs=3)
    assert len(model.history) == 3
    assert len(learned) == 1 + 5, "from everything, and from each fold's training side"
    assert len({b"" if rows is None else rows.tobytes() for rows in learned}) == 6
    judged_and_fitted = [n for (_, rows), n in shown.items() if len(rows) < 8 * 100]
    assert judged_and_fitted
    assert max(judged_and_fitted) == 1 + 1, "in the search for what is familiar, and once after"
