"""Positive and negative ions are other molecules at other m/z: no model knows both.

Only what files state is compared; many state nothing, and then nothing can be said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from napari_ims_tumor.errors import CohortError, ModelFileError
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.msi.dataset import MsiDataset

CARD_ENTRY: Final = "polarity"
_KNOWN: Final = ("positive", "negative")


def polarity_of(dataset: MsiDataset) -> str | None:
    """What a slide says of its ions; ``None`` where it says nothing, or both."""
    said = getattr(dataset, "metadata", {}).get("polarity")
    return said if said in _KNOWN else None


def polarity_of_model(model: FittedModel | None) -> str | None:
    """Of the slides that a model was fitted to, as far as that is known."""
    said = None if model is None else model.card.get(CARD_ENTRY)
    return str(said) if said in _KNOWN else None


def common_polarity(
    slides: Iterable[tuple[str, MsiDataset]], of_model: str | None = None
) -> str | None:
    """Find what slides have in common, and refuse what does not fit together.

    Parameters
    ----------
    slides
        Names and slides.
    of_model
        Of the model that they are meant for, where there is one already.

    Raises
    ------
    ModelFileError
        A slide says another polarity than the model's.
    CohortError
        Two slides say different ones.
    """
    first: tuple[str, str] | None = None
    for name, dataset in slides:
        said = polarity_of(dataset)
        if said is None:
            continue
        if of_model is not None and said != of_model:
            raise ModelFileError(
                f"the model was fitted to {of_model} ions and {name} is of {said} ones, which are "
                "other molecules: fit a model to such slides, or correct the polarity stated in "
                "the .imzML"
            )
        first = first or (name, said)
        if said != first[1]:
            raise CohortError(
                f"{first[0]} is of {first[1]} ions and {name} of {said} ones, which are other "
                "molecules: make a table for each, or correct the polarity stated in the .imzML"
            )
    return first[1] if first else of_model


def refuse_other_polarity(model: FittedModel, dataset: MsiDataset) -> None:
    """Stop before a model answers a slide of other ions."""
    common_polarity([(dataset.name, dataset)], polarity_of_model(model))


def why_other_ions(model: FittedModel, dataset: MsiDataset) -> str | None:
    """Say why a model cannot answer a slide for the ions it is of; ``None`` if it can."""
    try:
        refuse_other_polarity(model, dataset)
    except ModelFileError as error:
        return str(error)
    return None


def with_polarity(model: FittedModel, polarity: str | None) -> FittedModel:
    """Let a model say which ions it knows."""
    return replace(model, card={**model.card, CARD_ENTRY: polarity}) if polarity else model
