"""What a simulated slide shall be like: its size, its layout, and how hard it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from napari_ims_tumor.errors import ImsTumorError

SlideLayout = Literal["continuous-profile", "processed-centroid", "processed-profile"]
SLIDE_LAYOUTS: Final[tuple[SlideLayout, ...]] = get_args(SlideLayout)

CENTER_MZ: Final = 800.0
STEP_DA: Final = 0.1
LEAST_SPAN_DA: Final = 60.0


@dataclass(frozen=True, slots=True)
class SlideRecipe:
    """All that a simulated slide depends on: the same recipe gives the same slide.

    Attributes
    ----------
    rows, columns
        Size of the scanned area, at least 12 each.
    channels
        Samples of the m/z axis (profile); it sets the m/z range of every layout.
    layout
        How the spectra are stored.
    seed
        Chooses chemistry, tissue and noise.
    patients
        Pieces of tissue on one slide, each of another patient.
    pixel_size_um
        Side of a pixel.
    local_signal
        How strongly single isotope envelopes tell tumor from healthy; 0 for no signal at all.
    distant_signal
        How strongly *pairs* of far peaks do: each peak alone says nothing, their agreement does.
    patient_effect
        Spread of log abundances between patients, and a third of it between slides.
    """

    rows: int = 96
    columns: int = 128
    channels: int = 2000
    layout: SlideLayout = "continuous-profile"
    seed: int = 0
    patients: int = 12
    pixel_size_um: float = 50.0
    local_signal: float = 2.0
    distant_signal: float = 1.0
    patient_effect: float = 0.2

    def __post_init__(self) -> None:
        if self.layout not in SLIDE_LAYOUTS:
            raise ImsTumorError(f"layout {self.layout!r}: use {', '.join(SLIDE_LAYOUTS)}")
        if min(self.rows, self.columns) < 12 or self.channels < 50:
            raise ImsTumorError(
                f"a slide of {self.rows} × {self.columns} pixels and {self.channels} channels is "
                "too small to simulate: use at least 12 × 12 pixels and 50 channels"
            )
        if not 1 <= self.patients <= self.rows * self.columns // 100:
            raise ImsTumorError(
                f"{self.patients} pieces of tissue do not fit on {self.rows} × {self.columns} "
                "pixels: use at least 1, and 100 pixels for each"
            )

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
        return max(0.24, 2.2 * self.step_da)
