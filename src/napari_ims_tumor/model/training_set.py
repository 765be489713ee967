"""What a network is shown while it is fitted, and what each spectrum of that is said to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.model.at_hand import AtHand
from napari_ims_tumor.model.linear_path import weighted_shares
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.presets import Built
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What the network is shown of each spectrum (n, bins), and the classes (n,).

    Or (n, K): how much of each spectrum is of each class. With ``rows`` only these rows of the
    inputs are shown; ``before_head``: they are not spectra but what lies before the head, see
    :meth:`.DilatedNetwork.in_rows`. ``normalization`` is what centered them, ``None`` where nothing
    did.
    """

    inputs: Float32Array
    classes: IntArray | FloatArray
    n_classes: int
    rows: IntArray | None = None
    before_head: bool = False
    normalization: InputNormalization | None = None

    def at_hand(self) -> AtHand:
        """Inputs and weighted classes as tensors, which a device may be given."""
        targets = weighted_shares(self.classes, self.n_classes)
        return AtHand(
            torch.from_numpy(np.ascontiguousarray(self.inputs)),
            torch.from_numpy(targets.astype(np.float32)),
            None if self.rows is None else torch.from_numpy(np.array(self.rows)),
        )

    def asked(self, network: Built) -> Callable[[Tensor], Tensor]:
        """The network, or its head alone where that is what is fitted."""
        if self.before_head and isinstance(network, DilatedNetwork):
            return network.of_rows
        return network
