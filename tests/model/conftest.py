"""Small labelled data sets, made on the spot, and fits run to their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import EpochReport, fit
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.steady_threads import steady_threads
from napari_ims_tumor.msi.mass_axis import MassAxis


class Builders:
    """What the tests of this folder build on."""

    @staticmethod
    def axis(bins: int) -> MassAxis:
        return MassAxis(np.linspace(500.0, 1500.0, bins))

    @classmethod
    def spectra(
        cls, n: int = 60, bins: int = 50, n_groups: int = 6, seed: int = 0, signal: float = 30.0
    ) -> LabelledSpectra:
        """Poisson spectra; a peak is higher in class 1; groups hold both classes."""
        rng = np.random.default_rng(seed)
        classes = np.arange(n) % 2
        mean = np.full((n, bins), 20.0)
        mean[:, bins // 3] += signal * classes
        values = rng.poisson(mean).astype(np.float32)
        groups = np.arange(n) * n_groups // n
        return LabelledSpectra(values, classes, groups, cls.axis(bins), group_kind="group")

    @classmethod
    def distant_gate(cls, n: int, bins: int, seed: int) -> LabelledSpectra:
        """Peak C in the middle decides whether the distant peak A or D tells the class.

        No sum over peaks solves it: the best linear model is right in three of four spectra.
        """
        rng = np.random.default_rng(seed)
        a, c, d = (rng.integers(0, 2, n) for _ in range(3))
        mean = np.full((n, bins), 5.0)
        for place, high in ((0.1, a), (0.5, c), (0.9, d)):
            center = int(place * bins)
            mean[:, center - 1 : center + 2] += 20 + 180 * high[:, None]
        values = rng.poisson(mean).astype(np.float32)
        classes = np.where(c == 1, a, d)
        groups = np.arange(n) // 10
        return LabelledSpectra(values, classes, groups, cls.axis(bins), group_kind="group")

    @staticmethod
    def fitted(
        spectra: LabelledSpectra, base: FittedModel | None = None, **options: Any
    ) -> FittedModel:
        return run_inline(fit(spectra, FitConfig(**{"device": "cpu", **options}), base))

    @staticmethod
    def reports(
        spectra: LabelledSpectra, stop_after: int | None = None, **options: Any
    ) -> tuple[list[EpochReport], FittedModel]:
        seen: list[EpochReport] = []
        job = fit(spectra, FitConfig(**{"device": "cpu", **options}))
        stop = None if stop_after is None else lambda: len(seen) >= stop_after
        return seen, run_inline(job, seen.append, stop)

    @staticmethod
    def probed_receptive_field(network: Any, position: int) -> int:
        """Bins that move one unit of the last feature map: where its gradient is not zero.

        Group normalization couples all positions by its mean; replaced by an identity, what remains
        is the reach of the convolutions themselves. Weights of one sign cannot cancel.
        """
        for module in network.modules():
            for name, child in module.named_children():
                if isinstance(child, torch.nn.GroupNorm):
                    setattr(module, name, torch.nn.Identity())
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(parameter.abs() + 0.01)
        inputs = torch.ones(1, network.config.bins, requires_grad=True)
        network.eval().features(inputs)[0, :, position].sum().backward()
        assert inputs.grad is not None
        seen = np.flatnonzero(inputs.grad[0].numpy())
        return int(seen[-1] - seen[0] + 1)


@pytest.fixture(scope="session")
def build() -> type[Builders]:
    return Builders


@pytest.fixture(scope="session")
def gate_fit(build: type[Builders]) -> tuple[list[EpochReport], FittedModel]:
    """A network fitted to a distant gate, which takes seconds, and what it reported."""
    return build.reports(build.distant_gate(400, 200, 0))


@pytest.fixture(autouse=True)
def one_thread_per_step() -> Iterator[None]:
    """As in a real fit: all cores but one. Threads that outnumber the cores collapse."""
    with steady_threads():
        yield
