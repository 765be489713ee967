"""What a simulated slide shall be like: its size, its tissue, its signal, and how hard it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

from napari_ims_tumor.errors import ImsTumorError

SlideLayout = Literal["continuous-profile", "processed-centroid", "processed-profile"]
SLIDE_LAYOUTS: Final[tuple[SlideLayout, ...]] = get_args(SlideLayout)
Scene = Literal["array", "section"]
SCENES: Final[tuple[Scene, ...]] = get_args(Scene)
SignalKind = Literal["mixed", "additive", "local", "distant-gate", "none"]
SIGNAL_KINDS: Final[tuple[SignalKind, ...]] = get_args(SignalKind)

CENTER_MZ: Final = 800.0
STEP_DA: Final = 0.1
LEAST_SPAN_DA: Final = 60.0
LEAST_SIDE: Final = 12
MOST_SIDE: Final = 4096
LEAST_CHANNELS: Final = 50
MOST_CHANNELS: Final = 200_000
MOST_PATIENTS: Final = 12
PIXELS_PER_PATIENT: Final = 100


def refuse_outside(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside its range, in one sentence that names the range."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ImsTumorError(f"{name} {value:g} is not usable: give {low:g} to {high:g}")


def refuse_unknown(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a word that is none of those known."""
    if value not in known:
        raise ImsTumorError(f"{name} {value!r} is not known: use {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Variation:
    """How much one patient, one batch and one pixel differ from the next.

    Attributes
    ----------
    patient_effect
        Spread of log abundances between patients, and a third of it between slides; 0 to 2.
    clarity
        Tumors of patients show the same signs between 1 − clarity and 1 + clarity times as
        strongly; 0 to 1.
    batch_effect
        1 is usual: it scales gain, gain along the m/z axis, mass drift and baseline; 0 to 5.
    pixel_effect
        Spread of log abundances between neighboring pixels; 0 to 2.
    texture_pixels
        Smoothness of the finest pattern that molecules share, in pixels; coarser ones follow it.
        0.3 to 50.
    drift_ppm
        Mass drift from the first to the last spectrum of a slide, to either side; 0 to 500.
    """

    patient_effect: float = 0.2
    clarity: float = 0.4
    batch_effect: float = 1.0
    pixel_effect: float = 0.16
    texture_pixels: float = 2.0
    drift_ppm: float = 20.0

    def __post_init__(self) -> None:
        refuse_outside("patient effect", self.patient_effect, 0, 2)
        refuse_outside("clarity", self.clarity, 0, 1)
        refuse_outside("batch effect", self.batch_effect, 0, 5)
        refuse_outside("pixel effect", self.pixel_effect, 0, 2)
        refuse_outside("texture in pixels", self.texture_pixels, 0.3, 50)
        refuse_outside("drift in ppm", self.drift_ppm, 0, 500)


@dataclass(frozen=True, slots=True)
class Instrument:
    """How well the instrument sees.

    Attributes
    ----------
    ions
        Ions in the top sample of a usual peak, 1 to 100,000: the fewer, the more noise.
    peak_width_da
        Full width of a profile peak at half its height, 0.01 to 10 Da; coarse axes widen it.
    baseline
        Chemical noise under the peaks, 1 is usual; 0 to 1000.
    baseline_decay
        How fast it falls along the axis: to exp(−decay) of its height; 0 to 20.
    """

    ions: float = 40.0
    peak_width_da: float = 0.24
    baseline: float = 1.0
    baseline_decay: float = 2.0

    def __post_init__(self) -> None:
        refuse_outside("ions", self.ions, 1, 100_000)
        refuse_outside("peak width in Da", self.peak_width_da, 0.01, 10)
        refuse_outside("baseline", self.baseline, 0, 1000)
        refuse_outside("baseline decay", self.baseline_decay, 0, 20)


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong at the bench and at the microscope.

    Attributes
    ----------
    label_noise
        Share of the labelled pixels with the wrong label, in patches along borders; 0 to 0.5.
    hot_spots
        Share of the measured pixels on a crystal: 10 to 100 times the intensity, in all peaks or
        in a few; 0 to 0.2.
    dead_pixels
        Share of the measured pixels without any ion; 0 to 0.5.
    """

    label_noise: float = 0.0
    hot_spots: float = 0.001
    dead_pixels: float = 0.0

    def __post_init__(self) -> None:
        refuse_outside("label noise", self.label_noise, 0, 0.5)
        refuse_outside("hot spots", self.hot_spots, 0, 0.2)
        refuse_outside("dead pixels", self.dead_pixels, 0, 0.5)


PARTS: Final = {"variation": Variation, "instrument": Instrument, "faults": Faults}


@dataclass(frozen=True, slots=True)
class SlideRecipe:
    """All that a simulated slide depends on: the same recipe gives the same slide.

    Attributes
    ----------
    rows, columns
        Size of the scanned area, 12 to 4096 each.
    channels
        Samples of the m/z axis (profile), 50 to 200,000; it sets the m/z range of every layout.
    layout
        How the spectra are stored.
    seed
        Chooses chemistry, tissue and noise; 0 or more.
    patients
        Pieces of tissue on one array, each of another patient; by default as many as fit, at most
        12. A section is always of one patient.
    pixel_size_um
        Side of a pixel.
    scene
        ``"array"``: cores of a tissue array; ``"section"``: one whole section.
    infiltration
        How far the tumor creeps into its surroundings, as fingers and single nests: 0 (a smooth
        border) to 1.
    signal
        How the chemistry tells tumor from healthy; see :mod:`.chemistry`.
    strength
        Of that signal: 1 is usual; 0 to 10.
    variation
        Between patients, batches and pixels.
    instrument
        Ions, peak width, chemical noise.
    faults
        Wrong labels, hot spots, dead pixels.
    """

    rows: int = 96
    columns: int = 128
    channels: int = 12000
    layout: SlideLayout = "continuous-profile"
    seed: int = 0
    patients: int | None = None
    pixel_size_um: float = 50.0
    scene: Scene = "array"
    infiltration: float = 0.3
    signal: SignalKind = "mixed"
    strength: float = 1.0
    variation: Variation = field(default_factory=Variation)
    instrument: Instrument = field(default_factory=Instrument)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        refuse_unknown("layout", self.layout, SLIDE_LAYOUTS)
        refuse_unknown("scene", self.scene, SCENES)
        refuse_unknown("signal", self.signal, SIGNAL_KINDS)
        self._refuse_sizes()
        self._refuse_patients()
        if self.seed < 0:
            raise ImsTumorError(f"the seed {self.seed} is not usable: give 0 or more")
        refuse_outside("pixel size", self.pixel_size_um, 0.1, 10_000)
        refuse_outside("infiltration", self.infiltration, 0, 1)
        refuse_outside("strength", self.strength, 0, 10)

    def _refuse_sizes(self) -> None:
        if min(self.rows, self.columns) < LEAST_SIDE or self.channels < LEAST_CHANNELS:
            raise ImsTumorError(
                f"a slide of {self.rows} × {self.columns} pixels and {self.channels} channels is "
                f"too small to simulate: use at least {LEAST_SIDE} × {LEAST_SIDE} pixels and "
                f"{LEAST_CHANNELS} channels"
            )
        if max(self.rows, self.columns) > MOST_SIDE or self.channels > MOST_CHANNELS:
            raise ImsTumorError(
                f"a slide of {self.rows} × {self.columns} pixels and {self.channels} channels is "
                f"too large to simulate: use at most {MOST_SIDE} × {MOST_SIDE} pixels and "
                f"{MOST_CHANNELS} channels"
            )

    def _refuse_patients(self) -> None:
        if self.patients is None:
            return
        if self.scene == "section" and self.patients != 1:
            raise ImsTumorError(
                f"{self.patients} patients on one section: a section is of 1 patient; use the "
                "scene array for several"
            )
        most = self.rows * self.columns // PIXELS_PER_PATIENT
        if not 1 <= self.patients <= most:
            raise ImsTumorError(
                f"{self.patients} pieces of tissue do not fit on {self.rows} × {self.columns} "
                f"pixels: use 1 to {most} patients, 100 pixels for each"
            )

    @property
    def n_patients(self) -> int:
        """How many patients are on one slide."""
        if self.scene == "section":
            return 1
        fitting = self.rows * self.columns // PIXELS_PER_PATIENT
        return self.patients or max(1, min(MOST_PATIENTS, fitting))

    @property
    def step_da(self) -> float:
        """Distance of two channels in Da."""
        return max(self.channels * STEP_DA, LEAST_SPAN_DA) / self.channels

    @property
    def mz_low(self) -> float:
        """First m/z of the axis: lipids for short axes, peptides too for long ones."""
        return max(400.0, CENTER_MZ - self.step_da * self.channels / 2)

    @property
    def mz_high(self) -> float:
        """Last m/z of the axis."""
        return self.mz_low + self.step_da * (self.channels - 1)

    @property
    def peak_width_da(self) -> float:
        """Full width of a profile peak at half its height."""
        return max(self.instrument.peak_width_da, 2.2 * self.step_da)


def make_recipe(**options: Any) -> SlideRecipe:
    """Make a recipe from plain names; one that is ``None`` keeps its default.

    Parameters
    ----------
    **options
        Fields of :class:`SlideRecipe`, :class:`Variation`, :class:`Instrument` and
        :class:`Faults`, side by side: ``rows=48, label_noise=0.05``.
    """
    given = {name: value for name, value in options.items() if value is not None}
    parts = {
        part: kind(**{f.name: given.pop(f.name) for f in fields(kind) if f.name in given})
        for part, kind in PARTS.items()
        if any(f.name in given for f in fields(kind))
    }
    known = {f.name for f in fields(SlideRecipe)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ImsTumorError(
            f"a slide cannot be simulated with {', '.join(unknown)}: no such option"
        )
    return SlideRecipe(**{**given, **parts})
