"""What came of a file of annotations, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_ims_tumor.annotation.annotation import Annotation


@dataclass(frozen=True, eq=False)
class ImportedLabels:
    """What a file of annotations says about a slide.

    Attributes
    ----------
    name
        The file's name.
    annotation
        The labels; its scheme has the colors that the file gives the classes.
    n_features, n_imported
        Annotations in the file, and those that label at least one pixel.
    notices
        A sentence for everything that was adapted.
    skipped
        Why annotations were left out → how many.
    unknown
        Class names that mean nothing here → how many annotations have them.
    outside
        Why nothing lies on the slide, probably; empty where something does.
    """

    name: str
    annotation: Annotation
    n_features: int
    n_imported: int
    notices: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    outside: str = ""

    @property
    def problem(self) -> str | None:
        """Why nothing was imported, in one sentence; ``None`` where there is no such problem."""
        if self.n_imported or not self.n_features:
            return None
        if self.outside:
            return f"{self.name}: {self.outside} (--scale)"
        if self.unknown:
            return f"{self.name}: {self.advice}"
        reasons = "; ".join(f"{n} × {reason}" for reason, n in self.skipped.items())
        return f"{self.name}: none of its {self.n_features} annotations can be used ({reasons})"

    @property
    def advice(self) -> str:
        """Name the unknown classes, and say how to map them; empty where there are none."""
        if not self.unknown:
            return ""
        names = ", ".join(f'"{name}" ({n})' for name, n in self.unknown.items())
        known = ", ".join(c.name for c in self.annotation.scheme.classes)
        first = next(iter(self.unknown))
        return (
            f"no classes of this program: {names}. Say what each means with "
            f'--class "{first}=CLASS", where CLASS is one of {known}, ignore'
        )

    def summary(self) -> tuple[str, ...]:
        """Say everything about the import, a sentence each."""
        if not self.n_features:
            return (f"{self.name} holds no annotations",)
        left_out = tuple(f"left out {n}: {reason}" for reason, n in self.skipped.items())
        lines = (*self.notices, *left_out, *((self.advice,) if self.unknown else ()))
        return tuple(f"{self.name}: {line}" for line in lines)
