"""What a computer needs: time and memory of each command, on simulated slides of several sizes.

    python benchmarks/hardware.py                      a small and a usual slide
    python benchmarks/hardware.py --sizes 48x64x2000 96x128x12000 256x256x12000

Each command runs in a process of its own, as from a terminal. Memory is the most that the process
held at once. Prints the table of docs/faq.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("ims-tumor")


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["48x64x2000", "96x128x12000"])
    given = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no window\n")
    print("| slide | ion image | fit, linear | fit, default | predict |")
    print("|---|---|---|---|---|")
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(row(size, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
