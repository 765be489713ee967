"""Names and shapes of every array of a model, known from its settings without building it."""

from __future__ import annotations

from typing import TypeAlias

from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.fitted_model import (
    CENTER,
    CNN_PREFIX,
    LINEAR_BIAS,
    LINEAR_WEIGHT,
    SCALE,
)

Shapes: TypeAlias = dict[str, tuple[int, ...]]


def weight_shapes(network: NetworkConfig) -> Shapes:
    """Name → shape of the arrays that a model with this network consists of."""
    shapes: Shapes = {
        CENTER: (network.bins,),
        SCALE: (network.bins,),
        LINEAR_WEIGHT: (network.classes, network.bins),
        LINEAR_BIAS: (network.classes,),
    }
    if network.network != "linear":
        cnn = {**_trunk(network), **_head(network)}
        shapes |= {CNN_PREFIX + name: shape for name, shape in cnn.items()}
    return shapes


def _trunk(network: NetworkConfig) -> Shapes:
    c, k = network.channels, network.kernel
    shapes: Shapes = {
        "stem.weight": (c, 1, network.stem_kernel),
        "stem.bias": (c,),
        "position": (c, network.positions),
    }
    for i in range(len(network.dilations)):
        block = f"blocks.{i}."
        shapes[block + "gain"] = (1,)
        for half in ("1", "2"):
            shapes |= {f"{block}norm{half}.weight": (c,), f"{block}norm{half}.bias": (c,)}
            shapes |= {f"{block}conv{half}.weight": (c, c, k), f"{block}conv{half}.bias": (c,)}
    return shapes


def _head(network: NetworkConfig) -> Shapes:
    c, squeezed, hidden = network.channels, network.head_channels, network.hidden
    return {
        "norm.weight": (c,),
        "norm.bias": (c,),
        "squeeze.weight": (squeezed, c, 1),
        "squeeze.bias": (squeezed,),
        "hidden.weight": (hidden, squeezed * network.positions),
        "hidden.bias": (hidden,),
        "output.weight": (network.classes, hidden),
        "output.bias": (network.classes,),
    }
