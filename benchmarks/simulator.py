"""Simulated beside real: spectra and statistics of a simulated slide and of a slide of yours.

The simulated slide is made with the real one's number of channels where that is a sampled axis, so
that both cover about as much of the m/z axis. Statistics are of spectra on bins of 0.1 Da in the
m/z range that both have; only aggregates are drawn and printed.

    python benchmarks/simulator.py SLIDE.imzML
    python benchmarks/simulator.py SLIDE.imzML --scene section --rows 18 --columns 19 -o picture.png
"""

from __future__ import annotations

import argparse
import datetime as dt
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.binning import bin_spectra
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.synthetic.recipe import SCENES, SIGNAL_KINDS, SLIDE_LAYOUTS, make_recipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide

BIN_DA = 0.1
LAGS = (1, 2, 4, 8)
MOST_SPECTRA = 4000
STRONGEST = 50
COLORS = {"real": "#222222", "simulated": "#c2410c"}


@dataclass(frozen=True)
class Sample:
    """Spectra of a slide on bins of one width.

    Attributes
    ----------
    name
        ``"real"`` or ``"simulated"``.
    mz
        Of the bins.
    spectra
        Shape (spectra, bins), raw.
    rows, columns
        Where the spectra lie.
    """

    name: str
    mz: np.ndarray
    spectra: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean spectrum."""
        return self.spectra.mean(axis=0)

    @property
    def strongest(self) -> np.ndarray:
        """Bins of the strongest peaks of the mean spectrum."""
        mean = self.mean
        top = np.flatnonzero((mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:])) + 1
        return top[np.argsort(-mean[top])[:STRONGEST]]


def sample_of(name: str, slide: MsiDataset, low: float, high: float) -> Sample:
    """Bin the spectra of a window of the slide, 4,000 at most: whole rows from the top."""
    axis = MassAxis(np.arange(low, high, BIN_DA))
    pixels = slide.pixels
    spectra = run_inline(bin_spectra(slide, axis))[:MOST_SPECTRA]
    n = len(spectra)
    return Sample(name, axis.mz, spectra.astype(float), pixels.rows[:n], pixels.columns[:n])


def statistics(sample: Sample) -> dict[str, float]:
    """Describe a sample by numbers that do not depend on its units."""
    spectra, mean = sample.spectra, sample.mean
    total = spectra.sum(axis=1)
    seen = spectra[spectra > 0]
    tops = sample.strongest
    heights = mean[tops]
    per_total = spectra[total > 0] / total[total > 0, None]
    variation = per_total[:, tops].std(axis=0) / np.maximum(per_total[:, tops].mean(axis=0), 1e-12)
    numbers = {
        "share of zeros": float((spectra == 0).mean()),
        "peaks per 100 Da": peaks_per_100_da(sample),
        "strongest peak / mean bin": float(heights[0] / mean.mean()),
        "strongest / 50th peak": float(heights[0] / max(heights[-1], 1e-9)),
        "TIC, coefficient of variation": float(total.std() / total.mean()),
        "intensity, 99th / 50th percentile": float(np.quantile(seen, 0.99) / np.median(seen)),
        "peaks / TIC, median coefficient of variation": float(np.median(variation)),
        "slope of log variance on log mean": mean_variance_slope(sample),
        "height 1 Da above a strong peak / its own": isotope_ratio(sample),
    }
    for lag in LAGS:
        numbers[f"correlation of ion images at {lag} px"] = autocorrelation(sample, lag)
    return numbers


def peaks_per_100_da(sample: Sample) -> float:
    """Count maxima of the mean spectrum that rise above twice their surroundings."""
    mean = sample.mean
    around = np.array([np.median(mean[max(0, i - 15) : i + 16]) for i in range(mean.size)])
    top = (mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:]) & (mean[1:-1] > 2 * around[1:-1])
    return float(top.sum() / np.ptp(sample.mz) * 100)


def mean_variance_slope(sample: Sample) -> float:
    """Slope over the bins: 1 where only ions are counted, 2 where all variation is relative."""
    mean, variance = sample.mean, sample.spectra.var(axis=0)
    used = (mean > np.quantile(mean, 0.5)) & (variance > 0)
    return float(np.polyfit(np.log(mean[used]), np.log(variance[used]), 1)[0])


def isotope_ratio(sample: Sample) -> float:
    """Median over strong peaks of how high the spectrum is one Da further up."""
    mean = sample.mean
    step = round(1.003 / BIN_DA)
    tops = sample.strongest[sample.strongest + step + 1 < mean.size]
    next_one = np.array([mean[i + step - 1 : i + step + 2].max() for i in tops])
    return float(np.median(next_one / mean[tops]))


def autocorrelation(sample: Sample, lag: int) -> float:
    """Correlate ion images of the strongest peaks with themselves, shifted along a row."""
    total = sample.spectra.sum(axis=1, keepdims=True)
    scaled = np.sqrt(sample.spectra[:, sample.strongest] / np.maximum(total, 1e-9))
    place = {(r, c): i for i, (r, c) in enumerate(zip(sample.rows, sample.columns, strict=True))}
    pairs = [(i, place[r, c + lag]) for (r, c), i in place.items() if (r, c + lag) in place]
    if len(pairs) < 20:
        return float("nan")
    here, there = np.array(pairs).T
    centered = scaled - scaled.mean(axis=0)
    spread = np.maximum(centered.var(axis=0), 1e-12)
    return float(np.median((centered[here] * centered[there]).mean(axis=0) / spread))


def draw(real: Sample, simulated: Sample, path: Path, title: str) -> None:
    """Draw both side by side: spectra above, statistics below."""
    figure = Figure(figsize=(13, 11), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 2)
    for column, sample in enumerate((real, simulated)):
        _mean_spectrum(axes[0, column], sample)
        _envelope(axes[1, column], sample)
        _one_pixel(axes[2, column], sample)
    both = (real, simulated)
    _decay(axes[3, 0], both)
    _mean_variance(axes[3, 1], both)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=90)


def _mean_spectrum(ax, sample: Sample) -> None:
    ax.plot(sample.mz, sample.mean / sample.mean.max(), lw=0.6, color=COLORS[sample.name])
    ax.set_title(f"{sample.name}: mean spectrum", fontsize=10)
    ax.set_ylabel("relative intensity")


def _envelope(ax, sample: Sample) -> None:
    """Show the surroundings of the strongest peak that is not at an end of the range."""
    inner = [i for i in sample.strongest if 60 < i < sample.mz.size - 80]
    center = sample.mz[inner[0]]
    near = (sample.mz > center - 4) & (sample.mz < center + 7)
    mean = sample.mean[near] / sample.mean[near].max()
    ax.plot(sample.mz[near], mean, lw=1, color=COLORS[sample.name])
    ax.set_title(f"{sample.name}: one isotope envelope", fontsize=10)
    ax.set_ylabel("relative intensity")


def _one_pixel(ax, sample: Sample) -> None:
    """Show the spectrum whose total is the median of all."""
    total = sample.spectra.sum(axis=1)
    spectrum = sample.spectra[np.argsort(total)[total.size // 2]]
    ax.plot(sample.mz, spectrum / spectrum.max(), lw=0.6, color=COLORS[sample.name])
    ax.set_title(f"{sample.name}: a single pixel", fontsize=10)
    ax.set_xlabel("m/z")
    ax.set_ylabel("relative intensity")


def _decay(ax, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        values = [autocorrelation(sample, lag) for lag in LAGS]
        ax.plot(LAGS, values, "o-", label=sample.name, color=COLORS[sample.name])
    ax.set_xlabel("distance in pixels")
    ax.set_ylabel("correlation of ion images")
    ax.legend(frameon=False)


def _mean_variance(ax, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        mean, variance = sample.mean, sample.spectra.var(axis=0)
        used = (mean > 0) & (variance > 0)
        scale = mean[used].max()
        ax.loglog(
            mean[used] / scale, variance[used] / scale**2, ".", ms=2, alpha=0.4,
            label=sample.name, color=COLORS[sample.name],
        )  # fmt: skip
    ax.set_xlabel("mean of a bin")
    ax.set_ylabel("variance of a bin")
    ax.legend(frameon=False)


def print_table(real: Sample, simulated: Sample) -> None:
    """Print the statistics as a table in Markdown."""
    ours, theirs = statistics(simulated), statistics(real)
    print("\n| statistic | real | simulated |\n|---|---|---|")
    for name, value in theirs.items():
        print(f"| {name} | {value:.3g} | {ours[name]:.3g} |")


def main() -> None:
    """Read the arguments, print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("slide", type=Path, help="an imzML of yours")
    parser.add_argument("-o", "--output", type=Path, default=Path("simulated-and-real.png"))
    parser.add_argument("--scene", choices=SCENES, default="section")
    parser.add_argument("--signal", choices=SIGNAL_KINDS, default="mixed")
    parser.add_argument("--layout", choices=SLIDE_LAYOUTS)
    parser.add_argument("--channels", type=int, default=12000)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with open_imzml(given.slide) as slide:
        layout = given.layout or likely_layout(slide)
        recipe = make_recipe(
            scene=given.scene, signal=given.signal, layout=layout, channels=given.channels,
            rows=given.rows, columns=given.columns, seed=given.seed,
        )  # fmt: skip
        ours = simulate_slide(recipe).dataset
        low = max(slide.mass_range[0], ours.mass_range[0])
        high = min(slide.mass_range[1], ours.mass_range[1])
        real, simulated = (
            sample_of(n, s, low, high) for n, s in (("real", slide), ("simulated", ours))
        )
        print(
            f"{dt.date.today()}, {platform.system()} {platform.machine()}; {slide.name}: "
            f"{slide.n_spectra} spectra, {slide.layout} {slide.mode}; simulated: {ours.n_spectra} "
            f"spectra, {layout}, scene {given.scene}, seed {given.seed}; "
            f"m/z {low:.0f} to {high:.0f}"
        )
    print_table(real, simulated)
    draw(real, simulated, given.output, f"{given.slide.stem} and a simulated {given.scene}")
    print(f"\ndrawn to {given.output}")


def likely_layout(slide: MsiDataset) -> str:
    """Store the simulated slide as the real one is stored, where the simulator knows how."""
    wanted = f"{slide.layout}-{slide.mode}"
    return wanted if wanted in SLIDE_LAYOUTS else "processed-centroid"


if __name__ == "__main__":
    main()
