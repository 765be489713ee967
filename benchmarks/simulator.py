"""Simulated beside real: spectra and statistics of a simulated slide and of a slide of yours.

Statistics are of spectra on bins of 0.1 Da in the m/z range that both have: of all spectra of the
real slide, and of those on tissue of the simulated one. Only aggregates are drawn and printed;
with --single-pixel also one spectrum.

    python benchmarks/simulator.py SLIDE.imzML
    python benchmarks/simulator.py SLIDE.imzML --scene section --rows 18 --columns 19 -o picture.png
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
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
from napari_ims_tumor.msi.synthetic.recipe import SCENES, SLIDE_LAYOUTS, make_recipe
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


def sample_of(
    name: str, slide: MsiDataset, between: tuple[float, float], used: np.ndarray | None = None
) -> Sample:
    """Bin the spectra of a slide, 4,000 at most: whole rows from the top.

    ``used`` marks the pixels to take, in the slide's shape; by default all that were measured.
    """
    axis = MassAxis(np.arange(*between, BIN_DA))
    pixels = slide.pixels
    spectra = run_inline(bin_spectra(slide, axis))
    taken = np.ones(len(pixels), bool) if used is None else pixels.as_vector(used)
    chosen = np.flatnonzero(taken)[:MOST_SPECTRA]
    values = spectra[chosen].astype(float)
    return Sample(name, axis.mz, values, pixels.rows[chosen], pixels.columns[chosen])


def statistics(sample: Sample) -> dict[str, float]:
    """Describe a sample by numbers that do not depend on its units."""
    spectra, mean = sample.spectra, sample.mean
    total = spectra.sum(axis=1)
    seen = spectra[spectra > 0]
    heights = mean[sample.strongest]
    numbers = {
        "share of zeros": float((spectra == 0).mean()),
        "peaks per 100 Da": peaks_per_100_da(sample),
        "strongest peak / mean bin": float(heights[0] / mean.mean()),
        "strongest / 50th peak": float(heights[0] / max(heights[-1], 1e-9)),
        "TIC, coefficient of variation": float(total.std() / total.mean()),
        "intensity, 99th / 50th percentile": float(np.quantile(seen, 0.99) / np.median(seen)),
        "peaks / TIC, median coefficient of variation": float(np.median(variations(sample))),
        "slope of log variance on log mean": mean_variance_slope(sample),
        "height 1 Da above a strong peak / its own": isotope_ratio(sample),
    }
    for lag in LAGS:
        numbers[f"correlation of ion images at {lag} px"] = autocorrelation(sample, lag)
    return numbers


def variations(sample: Sample) -> np.ndarray:
    """Spread over mean of each of the strongest peaks, as shares of the TIC."""
    total = sample.spectra.sum(axis=1)
    shares = sample.spectra[total > 0][:, sample.strongest] / total[total > 0, None]
    return shares.std(axis=0) / np.maximum(shares.mean(axis=0), 1e-12)


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


def draw(real: Sample, simulated: Sample, path: Path, single_pixel: bool) -> None:
    """Draw both side by side: spectra above, statistics below."""
    rows = (_mean_spectrum, _envelope, _one_pixel) if single_pixel else (_mean_spectrum, _envelope)
    figure = Figure(figsize=(13, 2.9 * (len(rows) + 2)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows) + 2, 2)
    both = (real, simulated)
    for row, drawing in enumerate(rows):
        for column, sample in enumerate(both):
            drawing(axes[row, column], sample)
    for ax, drawing in zip(axes[-2:].flat, (_intensities, _variation, _decay, _noise), strict=True):
        drawing(ax, both)
        ax.legend(frameon=False)
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


def _intensities(ax, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        seen = np.log10(sample.spectra[sample.spectra > 0])
        share = f"{sample.name}, {(sample.spectra == 0).mean():.0%} of all are 0"
        bins = np.linspace(-1.5, 3.5, 80)
        ax.hist(
            seen - np.median(seen), bins, density=True, histtype="step", label=share,
            color=COLORS[sample.name],
        )  # fmt: skip
    ax.set_xlabel("log10 of intensity over its median, zeros left out")
    ax.set_ylabel("density")


def _variation(ax, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        ax.plot(np.sort(variations(sample)), label=sample.name, color=COLORS[sample.name])
    ax.set_xlabel(f"the {STRONGEST} strongest peaks, sorted")
    ax.set_ylabel("coefficient of variation")
    ax.set_ylim(0, None)


def _decay(ax, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        values = [autocorrelation(sample, lag) for lag in LAGS]
        ax.plot(LAGS, values, "o-", label=sample.name, color=COLORS[sample.name])
    ax.set_xlabel("distance in pixels")
    ax.set_ylabel("correlation of ion images")


def _noise(ax, samples: tuple[Sample, ...]) -> None:
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


def print_table(real: Sample, simulated: Sample) -> None:
    """Print the statistics as a table in Markdown."""
    ours, theirs = statistics(simulated), statistics(real)
    print("\n| statistic | real | simulated |\n|---|---|---|")
    for name, value in theirs.items():
        print(f"| {name} | {value:.3g} | {ours[name]:.3g} |")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("slide", type=Path, help="an imzML of yours")
    parser.add_argument("-o", "--output", type=Path, default=Path("simulated-and-real.png"))
    parser.add_argument("--scene", choices=SCENES, default="section")
    parser.add_argument("--layout", choices=SLIDE_LAYOUTS, help="by default as in your file")
    parser.add_argument("--channels", type=int, default=12000)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--hot-spots", type=float, default=0.0)
    parser.add_argument("--peak-width-da", type=float)
    parser.add_argument("--ions", type=float)
    parser.add_argument("--single-pixel", action="store_true", help="draw one spectrum, too")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def likely_layout(slide: MsiDataset) -> str:
    """Store the simulated slide as the real one is stored, where the simulator knows how."""
    wanted = f"{slide.layout}-{slide.mode}"
    return wanted if wanted in SLIDE_LAYOUTS else "processed-centroid"


def main() -> None:
    """Print the table and draw the picture."""
    given = arguments()
    options = {
        k: v
        for k, v in vars(given).items()
        if k not in ("slide", "output", "layout", "single_pixel")
    }
    with open_imzml(given.slide) as slide:
        layout = given.layout or likely_layout(slide)
        made = simulate_slide(make_recipe(layout=layout, **options))
        between = (
            max(slide.mass_range[0], made.dataset.mass_range[0]),
            min(slide.mass_range[1], made.dataset.mass_range[1]),
        )
        real = sample_of("real", slide, between)
        simulated = sample_of("simulated", made.dataset, between, made.patients > 0)
        print(
            f"{dt.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPU "
            f"cores; {slide.name}: {slide.layout} {slide.mode}, {len(real.spectra)} spectra; "
            f"simulated: scene {given.scene}, {layout}, seed {given.seed}, "
            f"{len(simulated.spectra)} spectra on tissue; "
            f"m/z {between[0]:.0f} to {between[1]:.0f}"
        )
    print_table(real, simulated)
    draw(real, simulated, given.output, given.single_pixel)
    print(f"\ndrawn to {given.output}")


if __name__ == "__main__":
    main()
