from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.model.showing_order import ShowingOrder, next_batch


@given(n=st.integers(1, 200), least=st.integers(1, 50), batch=st.integers(1, 40))
def test_an_epoch_shows_each_spectrum_equally_often_in_as_many_steps_as_it_says(
    n: int, least: int, batch: int
) -> None:
    order = ShowingOrder(n, least, 0)
    drawn = order.draw(batch, None).numpy()
    times = np.bincount(drawn, minlength=n)
    assert times.min() == times.max()
    assert -(-len(drawn) // batch) == order.steps(batch) >= least
    assert times[0] == 1 or (times[0] - 1) * n < least * batch, "no more often than it must"


@given(length=st.integers(2, 300), batch=st.integers(3, 40))
def test_batches_are_the_order_and_none_is_a_spectrum_alone(length: int, batch: int) -> None:
    order = torch.randperm(length, generator=torch.Generator().manual_seed(0))
    shown: list[int] = []
    while len(shown) < length:
        chosen = next_batch(order, len(shown), batch)
        assert 1 < len(chosen) <= batch
        shown += chosen.tolist()
    assert shown == order.tolist()


def test_each_epoch_has_another_order_and_a_state_brings_it_back() -> None:
    order = ShowingOrder(20, 1, 3)
    first, state = order.draw(4, None), order.state()
    second = order.draw(4, 2)
    assert first.tolist() != second.tolist()
    other = ShowingOrder(20, 1, 4)
    other.restore(state)
    whole = other.draw(4, None)
    assert sorted(whole.tolist()) == list(range(20))
    assert whole[:8].tolist() == second.tolist(), "two steps of four are the first of all"
