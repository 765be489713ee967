"""What a network is computed on, in how many bits, and whether always the same way: no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from napari_ims_tumor.errors import FitRefused

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


@dataclass(frozen=True, slots=True)
class Computing:
    """How a network is computed; the linear model is always computed on the CPU in full.

    Attributes
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"`` (Apple).
    precision
        Of products and convolutions: ``"auto"`` is ``"bfloat16"`` on NVIDIA GPUs that compute in
        it, and ``"float32"`` everywhere else. Weights, the optimizer, the last layer, losses and
        all that is judged and explained are ``"float32"`` whatever is asked for.
    deterministic
        Whether a GPU shall give the same numbers every time, and refuse where it cannot. A CPU
        always does.

    Raises
    ------
    FitRefused
        There is no such precision.
    """

    device: str = "auto"
    precision: Precision = "auto"
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            known = " or ".join(PRECISIONS)
            raise FitRefused(f"there is no precision {self.precision!r}: use {known}")

    @classmethod
    def of(cls, given: GivenComputing) -> Computing:
        """A device's name stands for that device, and the usual way of it."""
        return given if isinstance(given, Computing) else cls(given)


GivenComputing: TypeAlias = "str | Computing"


def in_full(computing: Computing) -> Computing:
    """The same in float32: for a CPU that takes over, which would only emulate fewer bits."""
    return replace(computing, precision="float32")
