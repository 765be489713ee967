"""What a model looks at: its relevance summed over peaks, beside what each peak says alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray, frozen
from napari_ims_tumor.msi.axis_peaks import AxisPeaks
from napari_ims_tumor.msi.mass_axis import MassWindow

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.univariate import Univariate

TOP: Final = 20
CAVEATS: Final = (
    "Relevance says what the model used, not what causes or marks the tumor.",
    "Peaks that go together (isotopes, adducts, one tissue type) share it in any proportion; "
    "isotopes are folded into their first peak.",
)


@dataclass(frozen=True, slots=True)
class RelevantPeak:
    """One row of the table.

    Attributes
    ----------
    mz
        First (monoisotopic) peak of the envelope.
    isotopes, charge
        Peaks folded together, and the charge that their spacing tells.
    relevance
        How far it moved the answer, in logits; above 0 toward the class.
    share
        Of what all peaks moved, without regard to direction, 0 to 1.
    auc, p, adjusted
        The peak by itself; ``None`` where that is not known.
    window
        M/z window of its ion image.
    """

    mz: float
    isotopes: int
    charge: int
    relevance: float
    share: float
    auc: float | None
    p: float | None
    adjusted: float | None
    window: MassWindow

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for JSON."""
        names = ("mz", "isotopes", "charge", "relevance", "share", "auc", "p", "adjusted")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class Explanation:
    """What moved the answer to one pixel, or on average to many.

    Attributes
    ----------
    target
        The class that relevance points to.
    others
        What it points away to, in words.
    about
        Of which pixels, in words.
    method
        How it was made, in words.
    peaks
        Peaks of the model's axis.
    bins
        Shape (bins,): how far each bin moved the answer, in logits.
    moved
        The answer minus the answer to the mean of the fitted spectra, in logits.
    univariate
        What each envelope says alone; ``None`` without labels.
    """

    target: str
    others: str
    about: str
    method: str
    peaks: AxisPeaks
    bins: Float32Array
    moved: float
    univariate: Univariate | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", frozen(self.bins, np.float32))

    @property
    def size(self) -> int:
        """How many envelopes there are."""
        return len(self.peaks.envelopes)

    @cached_property
    def relevance(self) -> Float64Array:
        """Shape (envelopes,): summed over each envelope's bins."""
        found: Float64Array = self.peaks.sums(self.bins[None])[0]
        return found

    @cached_property
    def shares(self) -> Float64Array:
        """Shape (envelopes,): of what all peaks moved, 0 to 1; adds up to 1."""
        size = abs(self.relevance)
        total = float(size.sum())
        return np.asarray(size / total if total else size, np.float64)

    @property
    def between(self) -> float:
        """Share of all movement that lies in bins between the peaks, 0 to 1."""
        outside = float(abs(self.bins[self.peaks.owner < 0]).sum())
        total = float(abs(self.relevance).sum()) + outside
        return outside / total if total else 0.0

    @property
    def left_over(self) -> float:
        """Share of the movement that the bins do not account for: error of the method."""
        gap = abs(self.moved - float(self.bins.sum(dtype=np.float64)))
        return gap / max(abs(self.moved), 1e-9)

    @property
    def order(self) -> IntArray:
        """Envelopes by relevance, the largest first."""
        return np.argsort(-abs(self.relevance), kind="stable").astype(np.int64)

    def top(self, n: int = TOP) -> tuple[RelevantPeak, ...]:
        """The most relevant peaks, the largest share first; all where there are fewer.

        Raises
        ------
        QueryError
            A number below 0.
        """
        if n < 0:
            raise QueryError(f"the {n} most relevant peaks: give 0 or more")
        return tuple(self.row(envelope) for envelope in self.order[:n].tolist())

    def beside(self, univariate: Univariate) -> Explanation:
        """Return the same with what each envelope says alone."""
        return replace(self, univariate=univariate)

    def notes(self) -> tuple[str, ...]:
        """What has to be said beside the table."""
        which = self.about[0].upper() + self.about[1:]
        said = [f"{which}: toward {self.target}, away from {self.others}. {self.method}"]
        if self.between > 0:
            said.append(f"{self.between:.0%} of the movement lies in bins between peaks.")
        if self.univariate is not None:
            higher = f"AUC: each peak alone; above 0.5 it is higher in {self.target}, below lower."
            said += [higher, self.univariate.words]
        return (*said, *CAVEATS)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write all peaks as a .csv with its notes at the head."""
        from napari_ims_tumor.io.table_file import Table, write_table

        rows = self.top(self.size)
        columns = {name: _column(rows, name) for name in COLUMNS}
        about = {"explained": self.about, "toward": self.target, **dict(self._said())}
        write_table(path, Table(columns, about))

    def _said(self) -> list[tuple[str, str]]:
        units = "relevance in logits; share of what all peaks moved, 0 to 1"
        return [("units", units), *((f"note {i}", s) for i, s in enumerate(self.notes(), 1))]

    def row(self, envelope: int) -> RelevantPeak:
        """Return one envelope as a row of the table."""
        folded, found = self.peaks.envelopes, self.univariate
        first = int(folded.first[envelope])
        auc, p, adjusted = (
            (None, None, None)
            if found is None
            else (_known(v[envelope]) for v in (found.auc, found.p, found.adjusted))
        )
        return RelevantPeak(
            mz=float(self.peaks.mz[first]),
            isotopes=int(folded.size[envelope]),
            charge=int(folded.charge[envelope]),
            relevance=float(self.relevance[envelope]),
            share=float(self.shares[envelope]),
            auc=auc,
            p=p,
            adjusted=adjusted,
            window=self.peaks.window(first),
        )


COLUMNS: Final = ("mz", "isotopes", "charge", "relevance", "share", "auc", "p", "adjusted")


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _column(rows: Sequence[RelevantPeak], name: str) -> Any:
    values = [getattr(row, name) for row in rows]
    if name in ("isotopes", "charge"):
        return np.array(values, np.int64)
    return np.array([np.nan if value is None else value for value in values], np.float64)
