"""What ``info`` says of a session file: its slides, their labels, its model; no slide is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_ims_tumor.cli.model_facts import model_facts
from napari_ims_tumor.cli.terminal import print_facts, say


def print_session(path: Path, as_json: bool) -> None:
    """Print what is inside a session file."""
    facts = session_facts(path)
    if as_json:
        print_facts(facts, as_json=True)
        return
    slides, model = facts["slides"], facts["model"]
    lines = {f"slide {n}": _words(slide) for n, slide in enumerate(slides, 1)}
    made = model["summary"][0] if model else "none"
    print_facts({"session": facts["session"], **lines, "model": made}, as_json=False)
    for line in model["summary"][1:] if model else ():
        say(line)


def session_facts(path: Path) -> dict[str, Any]:
    """Collect what ``info`` prints.

    Returns
    -------
    dict
        JSON-able: the slides with where they were and how many pixels of each class are labelled,
        and the model with its card.
    """
    from napari_ims_tumor.io.session_file import StoredSlide, read_session
    from napari_ims_tumor.model.checkpoint import model_from_bytes

    stored = read_session(path)

    def slide_facts(slide: StoredSlide) -> dict[str, Any]:
        address, annotation = slide.address, slide.annotation
        counts = {
            label.name: int((annotation.labels == label.value).sum())
            for label in annotation.scheme.classes
        }
        return {
            "name": address.name,
            "path": address.absolute or None,
            "relative_path": address.relative or None,
            "uuid": address.uuid or None,
            "simulated": address.recipe is not None,
            "shape": list(annotation.labels.shape),
            "labelled": counts,
            "labels_revision": annotation.revision,
            "predicted_by": None if slide.prediction is None else slide.prediction.model_id,
            "ion": None if slide.ion is None else str(slide.ion),
        }

    model = None
    if stored.model is not None:
        found = model_from_bytes(stored.model, f"the model in {path.name}")
        model = model_facts(found)
    slides = [slide_facts(slide) for slide in stored.slides]
    return {"session": path.name, "active": stored.active, "slides": slides, "model": model}


def _words(slide: dict[str, Any]) -> str:
    size = " × ".join(str(length) for length in slide["shape"])
    labelled = ", ".join(f"{n} {name}" for name, n in slide["labelled"].items())
    predicted = "predicted" if slide["predicted_by"] else "not predicted"
    place = slide["path"] or "simulated"
    return f"{slide['name']}, {size} pixels, labelled {labelled}, {predicted}; {place}"
