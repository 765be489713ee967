"""Names and shapes of every array of a model, known from its settings without building it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from napari_ims_tumor.model.config import (
    ISOTOPENET_LOCAL,
    ISOTOPENET_STRIDES,
    Network,
    NetworkConfig,
)
from napari_ims_tumor.model.fitted_model import (
    CENTER,
    CNN_PREFIX,
    LINEAR_BIAS,
    LINEAR_WEIGHT,
    SCALE,
    CardValue,
)

Shapes: TypeAlias = dict[str, tuple[int, ...]]
LINEAR_PREFIX: Final = "linear."
VARIANCE: Final = ".running_var"
RUNNING: Final = (".running_mean", VARIANCE)
"""Endings of what batch normalization measures: stored, but not learned."""


def weight_shapes(network: NetworkConfig) -> Shapes:
    """Name → shape of the arrays that a model with this network consists of."""
    shapes: Shapes = {
        CENTER: (network.bins,),
        SCALE: (network.bins,),
        LINEAR_WEIGHT: (network.classes, network.bins),
        LINEAR_BIAS: (network.classes,),
    }
    if network.network != "linear":
        cnn = _CNNS[network.network](network)
        shapes |= {CNN_PREFIX + name: shape for name, shape in cnn.items()}
    return shapes


def parameter_count(network: NetworkConfig) -> int:
    """Numbers that a fit of the network learns (of ``linear``: of the linear model)."""
    of = LINEAR_PREFIX if network.network == "linear" else CNN_PREFIX
    return sum(
        math.prod(shape)
        for name, shape in weight_shapes(network).items()
        if name.startswith(of) and not name.endswith(RUNNING)
    )


def network_facts(network: NetworkConfig) -> dict[str, CardValue]:
    """What a model's card says of its network."""
    stride = math.prod(ISOTOPENET_STRIDES) if network.network == "isotopenet" else None
    return {
        "network": network.network,
        "network parameters": parameter_count(network),
        "network stride in bins": stride or network.stem_stride,
        "network receptive field in bins": network.receptive_field,
    }


def _default(network: NetworkConfig) -> Shapes:
    return {**_trunk(network), **_head(network)}


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


def _isotopenet(network: NetworkConfig) -> Shapes:
    c, k = network.channels, network.kernel
    shapes: Shapes = {}
    for i, (before, after, has_skip) in enumerate(((1, c, 1), (c, c, 1), (c, c, 0), (c, 1, 1))):
        block = f"blocks.{i}."
        shapes[block + "conv1.weight"] = (after, before, k)
        shapes[block + "conv2.weight"] = (after, after, k)
        shapes |= {**_batch_norm(block + "norm1", after), **_batch_norm(block + "norm2", after)}
        if has_skip:
            shapes[block + "skip.weight"] = (after, before, 1)
    return {
        **shapes,
        "local.weight": (network.positions, ISOTOPENET_LOCAL),
        **_batch_norm("norm", 1),
        "output.weight": (network.classes, network.positions),
        "output.bias": (network.classes,),
    }


def _batch_norm(name: str, channels: int) -> Shapes:
    return {name + end: (channels,) for end in (".weight", ".bias", *RUNNING)}


def _faithful(network: NetworkConfig) -> Shapes:
    c, k = network.channels, network.kernel
    shapes: Shapes = {"stem.weight": (c, 1, network.stem_kernel)}
    for i in range(len(network.dilations)):
        block = f"blocks.{i}."
        shapes[block + "conv.weight"] = (c, c, k)
        shapes |= {block + "bias": (c, 1, 1), block + "gain": (1,)}
    return {
        **shapes,
        "norm.weight": (c,),
        "norm.bias": (c,),
        "squeeze.weight": (1, c, 1),
        "output.weight": (network.classes, network.bins),
        "output.bias": (network.classes,),
    }


_CNNS: Final[dict[Network, Callable[[NetworkConfig], Shapes]]] = {
    "default": _default,
    "isotopenet": _isotopenet,
    "faithful": _faithful,
}
