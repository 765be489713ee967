"""How a simulated slide was made: enough to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.msi.synthetic.recipe import PARTS, SlideRecipe

MOST_VALUES: Final = 2**29
"""A recipe out of a file is not followed beyond this many intensities (2 GB)."""


@dataclass(frozen=True, slots=True)
class SlideOrigin:
    """The arguments of :func:`~napari_ims_tumor.msi.synthetic.slide.simulate_slide`."""

    recipe: SlideRecipe
    number: int = 0
    batch: int = 0
    name: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Write it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> SlideOrigin:
        """Read what :meth:`as_dict` wrote; one that no slide can be made with is refused."""
        try:
            options = dict(said["recipe"])
            parts = {name: kind(**options.pop(name)) for name, kind in PARTS.items()}
            recipe = SlideRecipe(**options, **parts)
            origin = cls(recipe, int(said["number"]), int(said["batch"]), str(said["name"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ImsTumorError(
                "a simulated slide's recipe is damaged or of another version of this program"
            ) from error
        if recipe.rows * recipe.columns * recipe.channels > MOST_VALUES:
            raise ImsTumorError("a simulated slide is too large to be held in memory")
        return origin
