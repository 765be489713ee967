"""Blocks of spectra answered, in order: each by a core of the CPU, or by all cores and a GPU.

Without a GPU each core looks at a block and asks the network. With one the cores look at blocks,
which takes longer than the network does, and one thread, whichever listens, gives what they found
to the GPU, joined into batches of its size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from napari_ims_tumor.model.normalization import has_intensity
from napari_ims_tumor.model.predictor import Answer, Predictor, Seen
from napari_ims_tumor.model.repeatable import repeatable
from napari_ims_tumor.model.together import in_order
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, FloatArray, IntArray
from napari_ims_tumor.msi.turns import cpu_cores

Blocks: TypeAlias = Iterable[tuple[IntArray, FloatArray]]
"""Which spectra they are, and their raw intensities (k, bins)."""

AHEAD: Final = 2
"""Blocks per core that are under way beside a GPU: one in work, and one to go on with."""
_NOTHING: Final = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A block that was answered.

    Attributes
    ----------
    indices
        Which spectra they are, shape (k,).
    full
        Which of them hold anything, shape (k,).
    answer
        To each of them.
    """

    indices: IntArray
    full: BoolArray
    answer: Answer


def computes_apart(device: torch.device) -> bool:
    """Whether a network there computes while the cores of the CPU do something else."""
    return device.type != "cpu"


def answered(
    predictor: Predictor, blocks: Blocks, n: int
) -> Generator[Answered | None, None, None]:
    """Answer to blocks of at most n spectra, in their order; ends early where it is closed.

    ``None`` comes at least every 50 ms or after each batch, so that whoever listens may stop it.
    """
    if computes_apart(predictor.device):
        return beside_a_gpu(predictor, blocks, n)
    return in_order((_answer(predictor, *block) for block in blocks), cpu_cores())


def beside_a_gpu(
    predictor: Predictor, blocks: Blocks, n: int
) -> Generator[Answered | None, None, None]:
    """Have all cores look at blocks, and a GPU answer in its own batches."""
    with closing(_beside_a_gpu(predictor, blocks, n)) as steps:
        while True:
            # The cores are busy with a block each: products that ask for more would wait.
            with _thread_pools().limit(limits=1, user_api="blas"):
                try:
                    one = next(steps)
                except StopIteration:
                    return
            yield one


def _beside_a_gpu(
    predictor: Predictor, blocks: Blocks, n: int
) -> Generator[Answered | None, None, None]:
    joined, waiting = predictor.joined(n), _Waiting(predictor)
    jobs = (_look(predictor, *block) for block in blocks)
    cores = cpu_cores()
    # While one thread copies and waits, none of the cores shall have nothing to do.
    with closing(in_order(jobs, cores, AHEAD * cores)) as found:
        for looked in found:
            if looked is None:
                yield None
                continue
            waiting.add(looked)
            for _ in joined.put(looked.seen.inputs):
                yield None
                if joined.is_due:
                    yield from waiting.settled(joined.fetched())
    for _ in joined.ask():
        yield None
    yield from waiting.settled(joined.fetched())


def _answer(
    predictor: Predictor, indices: IntArray, values: FloatArray
) -> Generator[None, None, Answered]:
    # The thread that computes goes on while the job waits at a report, where its own hold ends.
    with repeatable(predictor.how.deterministic):
        answer = yield from predictor.steps(values)
    return Answered(indices, has_intensity(values), answer)


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """A block of which all is known but what the network says."""

    indices: IntArray
    full: BoolArray
    seen: Seen


def _look(
    predictor: Predictor, indices: IntArray, values: FloatArray
) -> Generator[None, None, _Looked]:
    seen = predictor.look(values)
    yield
    return _Looked(indices, has_intensity(values), seen)


class _Waiting:
    """Blocks that wait for what the network says."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._looked: deque[_Looked] = deque()
        self._logits = np.zeros((0, len(predictor.model.class_names)), np.float32)

    def add(self, looked: _Looked) -> None:
        """Have one more; what the network was shown of it is let go of."""
        self._looked.append(replace(looked, seen=replace(looked.seen, inputs=_NOTHING)))

    def settled(self, logits: Float32Array) -> Iterator[Answered]:
        """Answer to all blocks of which the network has said everything."""
        self._logits = np.concatenate([self._logits, logits])
        at = 0
        while self._looked and at + len(self._looked[0].indices) <= len(self._logits):
            one = self._looked.popleft()
            own = self._logits[at : at + len(one.indices)]
            at += len(own)
            yield Answered(one.indices, one.full, self._predictor.answer(one.seen, own))
        self._logits = self._logits[at:]


@cache
def _thread_pools() -> ThreadpoolController:
    """The loaded BLAS libraries; looking for them takes milliseconds, so it is done once."""
    return ThreadpoolController()
