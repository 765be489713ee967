"""What the forms of a fit ask: what to begin with, which network, and the options under it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

NEW, FROM_FILE = "new", "model file"


@dataclass(frozen=True)
class StartForm:
    """What a fit begins with.

    Attributes
    ----------
    start_from
        A new model, or fine-tune one that was fitted earlier on other slides.
    model_file
        The .safetensors file of the earlier model.
    """

    start_from: Literal["new", "model file"] = "new"
    model_file: Annotated[Path, {"mode": "r", "filter": "Models (*.safetensors)"}] = Path()


NETWORK_TIP = "\n".join(
    (
        "default: a linear model at once, then a dilated CNN beside it where that helps.",
        "linear: the linear model alone, in a moment.",
        "isotopenet: the published CNN of Behrmann et al. 2018, alone; slow, to compare with.",
        "faithful: a dilated CNN that keeps every bin, alone; slowest, to compare with.",
    )
)
PRECISION_TIP = "\n".join(
    (
        "Of the network's numbers.",
        "auto: bfloat16 on NVIDIA GPUs made for it, else float32.",
        "float32: as on a CPU, slower on such GPUs.",
        "bfloat16: half the memory, where the device has it.",
    )
)
FIT_OPTIONS: dict[str, dict[str, Any]] = {
    "network": {"tooltip": NETWORK_TIP},
    "epochs": {"min": 0, "max": 1000, "none_text": "as usual"},
    "seed": {"min": 0, "max": 2**31 - 1},
    "device": {"choices": ["auto", "cpu", "cuda", "mps"], "widget_type": "ComboBox"},
    "precision": {"tooltip": PRECISION_TIP},
    "deterministic": {"label": "same result", "text": "each time, on a GPU too"},
    "doubt_labels": {"label": "suspect labels", "text": "leave them out"},
    "time_limit_s": {"label": "stop after (s)", "max": 86_400, "none_text": "no limit"},
}
MORE = (
    "epochs",
    "tune",
    "seed",
    "device",
    "precision",
    "deterministic",
    "doubt_labels",
    "time_limit_s",
)
