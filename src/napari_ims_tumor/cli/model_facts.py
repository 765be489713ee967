"""What ``info`` says of a model: what it was fitted on, how it was judged, what it must be told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.cli.terminal import print_facts, say

if TYPE_CHECKING:
    from napari_ims_tumor.model.fitted_model import FittedModel

SENTENCES: Final = ("held-out warning", "note")
"""Entries of a card that are read below the list, not in it."""


def print_model(path: Path, as_json: bool) -> None:
    """Print what is inside a model file."""
    from napari_ims_tumor.model.checkpoint import read_model

    model = read_model(path)
    facts = model_facts(model)
    if as_json:
        print_facts({"model": path.name, **facts}, as_json=True)
        return
    shown = ("network", "classes", "n_bins", "mz_range", "calibrated")
    told = {name: facts[name] for name in shown}
    told["classes"] = ", ".join(facts["classes"])
    card = {name: value for name, value in facts["card"].items() if name not in SENTENCES}
    print_facts({"model": model.model_id, **told, **card}, as_json=False)
    for name in SENTENCES:
        if facts["card"].get(name):
            say(facts["card"][name])


def model_facts(model: FittedModel) -> dict[str, Any]:
    """Collect what is known of a model, JSON-able."""
    return {
        "model_id": model.model_id,
        "network": model.network.network,
        "classes": list(model.class_names),
        "n_bins": len(model.axis),
        "mz_range": [model.axis.low, model.axis.high],
        "calibrated": model.calibrated,
        "summary": list(model.summary()),
        "card": dict(model.card),
    }
