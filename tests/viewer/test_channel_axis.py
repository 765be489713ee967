"""Which channel the slider stands at, wherever the user has put the stack."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_ims_tumor.viewer.channel_axis import ChannelAxis

PLACES = {
    "as it is": {},
    "scaled and moved": {"scale": (2.5, 7, 3), "translate": (-4, 11, 0)},
    "turned": {"rotate": (30, 10, 5), "translate": (1, 2, 3)},
    "sheared": {"shear": (0.3, 0.1, -0.2), "scale": (0.5, 1, 1)},
    "an affine on top": {"affine": np.diag([3.0, 1, 1, 1]) + np.eye(4, k=3) * 2},
}


@pytest.mark.parametrize("place", PLACES)
def test_the_channel_is_that_of_the_layers_own_transform(place: str) -> None:
    layer = Image(np.zeros((6, 4, 5), np.float32), **PLACES[place])
    axis = ChannelAxis.of(layer)
    for channel in range(6):
        world = layer.data_to_world((channel, 2, 3))
        assert axis.channel(tuple(world)) == channel
        # A viewer may have more axes than the stack: the last ones count.
        assert axis.channel((99.0, *world)) == channel
    assert axis.channel(tuple(layer.data_to_world((-3, 0, 0)))) == 0
    assert axis.channel(tuple(layer.data_to_world((9, 0, 0)))) == 5
