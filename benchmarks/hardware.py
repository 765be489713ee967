"""What a computer needs: time and memory of each command, on simulated slides of several sizes.

    python benchmarks/hardware.py                      a small and a usual slide
    python benchmarks/hardware.py --sizes 48x64x2000 96x128x12000 256x256x12000
    python benchmarks/hardware.py --answers            9,797 spectra of 12,000 channels: from
                                                       strokes to an overlay, and spectra per second
    python benchmarks/hardware.py --answers --layouts continuous-profile --device cuda
                                                       also in float32 and bfloat16, and repeatable

Each command runs in a process of its own, as from a terminal. Memory is the most that the process
held at once. Prints the table of docs/faq.md, or with --answers those of docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("ims-tumor")
USUAL = ["48x64x2000", "96x128x12000"]
ANSWERED = "112x120x12000"
WAYS = {
    "float32": ("--precision", "float32"),
    "float32, deterministic": ("--precision", "float32", "--deterministic"),
    "bfloat16": ("--precision", "bfloat16"),
    "bfloat16, deterministic": ("--precision", "bfloat16", "--deterministic"),
}
TIMES = ("prepare_s", "kept_s", "processor_s", "read_s")


def measured(*arguments: str) -> tuple[float, float]:
    """Run ``ims-tumor``; returns seconds and the most memory held, in GB."""
    begun = time.monotonic()
    child = subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: {child.stderr.read().decode()}")
    return time.monotonic() - begun, used.ru_maxrss / 1024**2


def row(size: str, folder: Path) -> str:
    """Measure one size; a line of the table."""
    rows, columns, channels = size.split("x")
    place = ["--rows", rows, "--columns", columns, "--channels", channels]
    measured("simulate", "-o", str(folder), *place)
    slide, labels = str(folder / "simulated_1.imzML"), str(folder / "simulated_1_labels.npy")
    mz = "860" if int(channels) < 12000 else "1000"
    found = [measured("ion-image", slide, "--mz", mz, "-o", str(folder / "ion.npy"))]
    for network in ("linear", "default"):
        model = str(folder / f"{network}.safetensors")
        found.append(measured("fit", slide, labels, "--network", network, "-o", model))
        if network == "default":
            found.append(measured("predict", model, slide, "-o", str(folder / "tumor.npy")))
    file_gb = (folder / "simulated_1.ibd").stat().st_size / 1e9
    cells = [f"{seconds:.0f} s, {memory:.1f} GB" for seconds, memory in found]
    return (
        " | ".join([f"| {rows} × {columns} × {int(channels):,}, {file_gb:.2f} GB", *cells]) + " |"
    )


def answers(given: argparse.Namespace) -> None:
    """Print how long answers take: a table of overlays, and one of networks."""
    print(f"{machine()}; medians of {given.rounds} rounds\n")
    size = given.sizes[0] if given.sizes else ANSWERED
    overlays, speeds, ways = [], {}, ""
    for layout in given.layouts:
        with tempfile.TemporaryDirectory() as folder:
            slide, labels = simulated(size, layout, Path(folder))
            limits = ("--folder", folder, "--time-limit", str(given.time_limit))
            overlays.append((layout, worker("overlay", given, slide, labels, *limits)))
            if layout == given.layouts[0]:
                networks = ("--networks", *given.networks) if given.networks else ()
                speeds = worker("speeds", given, slide, *networks)
                ways = ways_table(given, slide, networks) if on_cuda(given.device) else ""
    print(overlay_table(size, overlays))
    print(f"\n{given.layouts[0]}, {size.split('x')[2]} channels:\n")
    print("| network | spectra/s |\n|---|---:|")
    for network, speed in speeds.items():
        print(f"| `{network}` | {speed:,.0f} |")
    if ways:
        print(f"\n{ways}")


def on_cuda(device: str) -> bool:
    """Whether it is measured on an NVIDIA GPU."""
    from napari_ims_tumor.model.device import resolve_device

    return resolve_device(device).type == "cuda"


def ways_table(given: argparse.Namespace, slide: str, networks: tuple[str, ...]) -> str:
    """Spectra per second in either precision, and what repeating itself costs."""
    lines = [
        "| network | computed in | answers, spectra/s | learns, spectra/s |",
        "|---|---|---:|---:|",
    ]
    for way, options in WAYS.items():
        answers = worker("speeds", given, slide, *networks, *options)
        learns = worker("speeds", given, slide, *networks, *options, "--learning")
        for network, speed in learns.items():
            lines.append(f"| `{network}` | {way} | {answers[network]:,.0f} | {speed:,.0f} |")
    return "\n".join(lines)


def simulated(size: str, layout: str, folder: Path) -> tuple[str, str]:
    """Write a slide; it and its labels."""
    rows, columns, channels = size.split("x")
    place = ["--rows", rows, "--columns", columns, "--channels", channels, "--layout", layout]
    measured("simulate", "-o", str(folder), *place)
    return str(folder / "simulated_1.imzML"), str(folder / "simulated_1_labels.npy")


def worker(name: str, given: argparse.Namespace, *arguments: str) -> dict[str, Any]:
    """Run a part of the benchmark in a process of its own."""
    script = Path(__file__).parent / "answering" / f"{name}.py"
    options = ("--rounds", str(given.rounds), "--device", given.device)
    done = subprocess.run(
        [sys.executable, str(script), *arguments, *options], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def overlay_table(size: str, overlays: list[tuple[str, dict[str, Any]]]) -> str:
    """From strokes to an overlay, a line per layout."""
    lines = [
        "| slide | labelled | prepared while painting | strokes to overlay | its processor time "
        "| unprepared | private memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for layout, found in overlays:
        cells = (
            f"{layout}, {found['spectra']:,} × {int(size.split('x')[2]):,}",
            f"{found['labelled']:,.0f}",
            *(f"{found[name]:.2f} s" for name in TIMES),
            f"{found['memory_mb']:,.0f} MB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    limited = [(layout, found["limited_s"]) for layout, found in overlays if "limited_s" in found]
    said = [f"\n`default` within its time limit, {name}: {took:.0f} s." for name, took in limited]
    return "\n".join([*lines, *said])


def machine() -> str:
    """What it is measured on."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    said = f"{platform.system()} {platform.machine()}, {cores} cores, torch {torch.__version__}"
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{said}, {time.strftime('%Y-%m-%d')}{load}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", help="ROWSxCOLUMNSxCHANNELS; --answers takes one")
    parser.add_argument("--answers", action="store_true", help="how long answers take")
    parser.add_argument("--layouts", nargs="+", default=["continuous-profile", "processed-profile"])
    parser.add_argument("--networks", nargs="+", help="whose speed; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--time-limit", type=float, default=0.0, help="also fit `default` in so many seconds"
    )
    given = parser.parse_args()
    if given.answers:
        answers(given)
    else:
        commands(given.sizes or USUAL)


def commands(sizes: list[str]) -> None:
    """Print what each command takes."""
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no window\n")
    print("| slide | ion image | fit, linear | fit, default | predict |")
    print("|---|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(row(size, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
