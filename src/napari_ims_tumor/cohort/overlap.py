"""Whether a validation judges a model on what it was fitted on: slides, groups, pixels.

A model file carries marks, not names. A slide's mark is a hash of its UUID and checksum. Names of
patients are few enough to be guessed one by one, so their marks are salted and slow to compute.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import replace
from typing import Final

import numpy as np

from napari_ims_tumor.cohort.gathering import Gathered
from napari_ims_tumor.cohort.naming import listed
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.seen import Seen
from napari_ims_tumor.msi.arrays import BoolArray, IntArray

ROUNDS: Final = 20_000


def with_marks(
    model: FittedModel, gathered: Gathered, base: FittedModel | None = None
) -> FittedModel:
    """Let a model carry what it was fitted on, and what its base was fitted on."""
    before = Seen() if base is None or base.seen is None else base.seen
    slides = dict(before.slides)
    for number, record in enumerate(gathered.records):
        indices = spectra_of(gathered, number)
        earlier = _unpacked(slides.get(record.mark, ""), len(gathered.grids[number]))
        slides[record.mark] = _packed(np.union1d(np.flatnonzero(earlier), indices))
    salt = before.salt or hashlib.sha256("".join(sorted(slides)).encode()).hexdigest()[:16]
    own = (group_mark(identity, salt) for identity in gathered.group_ids if identity is not None)
    return replace(model, seen=Seen(slides, tuple(sorted({*before.groups, *own})), salt))


def with_warning(
    model: FittedModel, gathered: Gathered, base: FittedModel | None = None
) -> FittedModel:
    """Let a model say that its held-out groups were new to the fine-tuning, not to its base."""
    judged = model.card.get("held-out balanced accuracy") is not None
    if base is None or base.seen is None or not judged:
        return model
    numbers = [n for n, r in enumerate(gathered.records) if r.mark in base.seen.slides]
    pixels = sum(_pixels_in_fit(base.seen, gathered, number) for number in numbers)
    groups = _groups_in_fit(base.seen, gathered)
    found = []
    if pixels:
        found.append(f"{pixels} of these {len(gathered.spectra)} pixels")
    elif numbers:
        found.append(f"other pixels of {listed([gathered.slides[n] for n in numbers])}")
    if groups:
        found.append(f"groups of the same name ({listed(groups)})")
    if not found:
        return model
    # A name alone may be another patient's: cores are numbered from 1 on in many studies.
    perhaps = "" if numbers else "if they are the same patients, "
    said = (
        f"the model to start from was fitted on {' and '.join(found)}: {perhaps}held-out figures "
        "are too high, and probabilities too sure"
    )
    return replace(model, card={**model.card, "held-out warning": said})


def overlap_warnings(model: FittedModel, gathered: Gathered) -> tuple[str, ...]:
    """One sentence per way in which the judged pixels are not new to the model."""
    if model.seen is None:
        return (
            "This model does not say what it was fitted on, so it could not be checked whether "
            "the slides are new to it.",
        )
    numbers = [n for n, r in enumerate(gathered.records) if r.mark in model.seen.slides]
    names = [gathered.slides[n] for n in numbers]
    found = []
    pixels = sum(_pixels_in_fit(model.seen, gathered, number) for number in numbers)
    if pixels:
        found.append(
            f"{pixels} of the {len(gathered.spectra)} judged pixels were in the model's fit "
            f"({listed(names)}): these figures say nothing about new tissue."
        )
    elif names:
        found.append(
            f"The model was fitted on other pixels of {listed(names)}: neighboring tissue of one "
            "slide is alike, and the figures are too high."
        )
    groups = _groups_in_fit(model.seen, gathered)
    if groups:
        found.append(
            f"The model was fitted on groups of the same name ({listed(groups)}): if they are the "
            "same patients, the figures are too high."
        )
    return tuple(found)


def spectra_of(gathered: Gathered, slide: int) -> IntArray:
    """File numbers of the labelled spectra of a slide."""
    own = gathered.slide == slide
    pixels = gathered.grids[slide]
    lookup = pixels.lookup.reshape(pixels.n_planes, *pixels.shape)
    found: IntArray = lookup[gathered.plane[own], gathered.row[own], gathered.column[own]]
    return found


def group_mark(identity: str, salt: str) -> str:
    """Mark of a patient's name."""
    digest = hashlib.pbkdf2_hmac("sha256", identity.encode(), salt.encode(), ROUNDS, 12)
    return digest.hex()


def _groups_in_fit(seen: Seen, gathered: Gathered) -> list[str]:
    if not seen.groups:
        return []
    pairs = zip(gathered.group_names, gathered.group_ids, strict=True)
    return [
        name for name, identity in pairs
        if identity is not None and group_mark(identity, seen.salt) in seen.groups
    ]  # fmt: skip


def _pixels_in_fit(seen: Seen, gathered: Gathered, slide: int) -> int:
    indices = spectra_of(gathered, slide)
    text = seen.slides[gathered.records[slide].mark]
    fitted = _unpacked(text, len(gathered.grids[slide]))
    return int(fitted[indices].sum())


def _packed(indices: IntArray) -> str:
    """Numbers as compressed bits in text: a few kilobytes for a whole slide."""
    bits = np.zeros(int(indices.max(initial=-1)) + 1, np.bool_)
    bits[indices] = True
    return base64.b64encode(zlib.compress(np.packbits(bits).tobytes(), 9)).decode("ascii")


def _unpacked(text: str, n: int) -> BoolArray:
    """The first ``n`` bits; no more is unpacked than that, whatever the text holds."""
    bits = np.zeros(n, np.bool_)
    if not text or not n:
        return bits
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(text), (n + 7) // 8)
    except (ValueError, zlib.error):
        return bits
    found = np.unpackbits(np.frombuffer(content, np.uint8))[:n]
    bits[: found.size] = found
    return bits
