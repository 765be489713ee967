"""Names, numbers and colors of the classes an expert paints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["healthy", "tumor", "other"]

UNLABELLED: Final = 0
HEALTHY: Final = 1
TUMOR: Final = 2


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class.

    Attributes
    ----------
    value
        Its number in label images, 1 to 127; 0 always means unlabelled.
    name
        As shown to the user.
    color
        ``"#rrggbb"``.
    role
        What the class stands for, whatever its name.
    """

    value: int
    name: str
    color: str
    role: Role


@dataclass(frozen=True, slots=True)
class ClassScheme:
    """The classes of a study, in the order of a model's probability planes."""

    classes: tuple[LabelClass, ...]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, in plane order."""
        return tuple(c.name for c in self.classes)

    @property
    def values(self) -> tuple[int, ...]:
        """Label values, in plane order."""
        return tuple(c.value for c in self.classes)

    def by_value(self, value: int) -> LabelClass | None:
        """The class painted as ``value``; ``None`` for unlabelled or unknown."""
        return next((c for c in self.classes if c.value == value), None)


# Blue and vermillion of Okabe and Ito (2008): told apart with every common color blindness.
TUMOR_SCHEME: Final = ClassScheme(
    (
        LabelClass(HEALTHY, "healthy", "#0072b2", "healthy"),
        LabelClass(TUMOR, "tumor", "#d55e00", "tumor"),
    )
)
