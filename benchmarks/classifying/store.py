"""Answers on disk: one line and one small file per fit, written at once.

A run can be stopped and goes on where it was; several processes may share the folder, each with
lines of its own. Answers made by other code do not count unless they are accepted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

import napari_ims_tumor
from classifying.models import Answered, Treatment
from classifying.plain import AUGMENTED, PLAIN_MODELS
from classifying.problems import Problem
from napari_ims_tumor.atomic import atomic_write

HERE = Path(__file__).parent
MODEL = Path(napari_ims_tumor.__file__).parent / "model"
ARRAYS = ("probabilities", "uncalibrated", "smoothed", "smoothed uncalibrated")


@dataclass(frozen=True)
class Unit:
    """One fit: what it is called in the results."""

    suite: str
    data: str
    split: str
    fold: int
    model: str
    treatment: Treatment
    seed: int

    @property
    def key(self) -> str:
        """Name of its file."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:20]


@dataclass(frozen=True, eq=False)
class Kept:
    """One fit as it was kept: its line, and its arrays."""

    unit: Unit
    facts: dict[str, object]
    arrays: dict[str, np.ndarray]

    def answers(self, change: str = "") -> dict[str, np.ndarray]:
        """The four kinds of probabilities for spectra changed like this."""
        return {name: self.arrays[f"{name}|{change}"] for name in ARRAYS}

    @property
    def changes(self) -> list[str]:
        first = f"{ARRAYS[0]}|"
        return [name.removeprefix(first) for name in self.arrays if name.startswith(first)]


class Store:
    """A folder of answers."""

    def __init__(self, folder: Path, shard: str = "", accept_older: bool = False) -> None:
        self.folder, self.accept_older = folder, accept_older
        folder.mkdir(parents=True, exist_ok=True)
        self._known = self._read()
        self.lines = folder / f"answers{'-' if shard else ''}{shard.replace('/', '-of-')}.jsonl"

    def has(self, unit: Unit, data_mark: str) -> bool:
        """Whether this fit was made already, of the same spectra and by the same code."""
        facts = self._known.get(unit.key)
        return facts is not None and facts["data_mark"] == data_mark and self._counts(unit, facts)

    def keep(self, unit: Unit, problem: Problem, found: Answered) -> dict[str, object]:
        """Write a fit's answers, then its line."""
        cohort = problem.cohort
        groups = cohort.spectra.groups[problem.held_out]
        arrays: dict[str, np.ndarray] = {
            "classes": cohort.truth[problem.held_out],
            "groups": groups,
            "group names": np.array([cohort.gathered.group_names[g] for g in groups]),
            "to border": cohort.to_border[problem.held_out],
            "index": problem.held_out,
        }
        for change in problem.changes:
            plain, raw = found.probabilities[change], found.uncalibrated[change]
            for name, made in zip(
                ARRAYS, (plain, raw, problem.smoothed(plain), problem.smoothed(raw)), strict=True
            ):
                arrays[f"{name}|{change}"] = made.astype(np.float32)
        with atomic_write(self.folder / f"{unit.key}.npz") as temporary, temporary.open("wb") as f:
            np.savez_compressed(f, **arrays)  # type: ignore[arg-type]
        facts: dict[str, object] = {
            **asdict(unit), "key": unit.key, "data_mark": cohort.mark, "code": code_of(unit.model),
            "folds": problem.of, "n_training": len(problem.training),
            "n_held_out": len(problem.held_out),
            "fit_seconds": round(found.fit_seconds, 4), "spectra_per_s": found.spectra_per_s,
            "setting": found.setting,
        }  # fmt: skip
        self._known[unit.key] = facts
        line = json.dumps(facts) + "\n"
        with self.lines.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return facts

    def all(self, suites: Iterable[str] | None = None) -> Iterator[Kept]:
        """Every fit that counts, of some suites."""
        fields = Unit.__dataclass_fields__
        for key, facts in self._read().items():
            unit = Unit(**{name: facts[name] for name in fields})  # type: ignore[arg-type]
            if (suites is None or unit.suite in suites) and self._counts(unit, facts):
                with np.load(self.folder / f"{key}.npz") as file:
                    yield Kept(unit, facts, dict(file))

    def _read(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for path in sorted(self.folder.glob("answers*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    facts = json.loads(line)
                except ValueError:
                    continue  # cut off when the process was stopped
                if (self.folder / f"{facts['key']}.npz").exists():
                    found[facts["key"]] = facts
        return found

    def _counts(self, unit: Unit, facts: dict[str, object]) -> bool:
        return self.accept_older or facts["code"] == code_of(unit.model)


@cache
def code_of(model: str) -> str:
    """Mark of the code that a model's answers depend on."""
    parts: tuple[str, ...]
    files = [HERE / "problems.py", HERE / "neighbors.py", HERE / "changes.py"]
    bare = model.removesuffix(AUGMENTED)
    if bare in PLAIN_MODELS:
        parts = ("isotopenet.py", "faithful.py", "bin_conv.py", "network.py", "normalization.py")
        parts += ("augmentation.py",) if bare != model else ()
        files += [HERE / "plain.py", *(MODEL / part for part in parts)]
    elif bare in ("linear", "default"):
        parts = ("cohort/neighbors.py", "msi/neighbors.py")
        files += sorted(MODEL.glob("*.py"))
        files += [MODEL.parent / part for part in parts]
    else:
        parts = ("normalization.py", "preparation.py", "mass_alignment.py")
        files += [HERE / "rivals.py", *(MODEL / part for part in parts)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
