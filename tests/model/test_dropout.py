from __future__ import annotations

import torch

from napari_ims_tumor.model.dropout import SeededDropout


def test_the_same_seed_hides_the_same_whatever_was_drawn_before() -> None:
    layer = SeededDropout(0.3)
    found = []
    for seed in (1, 1, 2):
        torch.rand(len(found) + 1)
        layer.seed = seed
        found.append(layer(torch.ones(1000)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert 0.2 < float((found[0] == 0).float().mean()) < 0.4
    assert abs(float(found[0].mean()) - 1) < 0.1


def test_nothing_is_hidden_in_predictions() -> None:
    assert torch.equal(SeededDropout(0.3).eval()(torch.ones(9)), torch.ones(9))
