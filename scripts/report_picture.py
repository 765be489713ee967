"""Take the picture of a report for the documentation, on a simulated cohort.

python scripts/report_picture.py docs/images/report.png

A page is pictured by a browser: without Chromium or Chrome the old picture stays. About one
minute on 2 CPU cores.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (980, 5200)
SIMULATE = "--slides 2 --rows 48 --columns 64 --channels 1200 --seed 4 --strength 0.6"
EVALUATE = "--networks default,linear --epochs 2 --folds 3"


def main() -> int:
    """Simulate, evaluate, and picture the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    picture = parser.parse_args().picture.resolve()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"No browser was found ({', '.join(BROWSERS)}): {picture.name} is left as it is.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run(f"simulate -o slides {SIMULATE}", folder)
        run(f"evaluate --cohort slides/cohort.csv {EVALUATE} -o report", folder)
        page = Path(folder) / "report" / "report.html"
        take(browser, page, picture)
    print(f"wrote {picture}")
    return 0


def run(command: str, folder: str) -> None:
    """Run one command of the program."""
    program = "import sys; from napari_ims_tumor.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", program, *command.split()], cwd=folder, check=True)


def take(browser: str, page: Path, picture: Path) -> None:
    """Picture a page, cut where it ends, in few enough colors for a small file."""
    size = f"--window-size={SIZE[0]},{SIZE[1]}"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
    subprocess.run([browser, *options, f"--screenshot={picture}", page.as_uri()],
                   check=True, capture_output=True)  # fmt: skip
    with Image.open(picture) as taken:
        whole = taken.convert("RGB")
    below = Image.new("RGB", whole.size, whole.getpixel((0, whole.height - 1)))
    end = diff_box(whole, below)[3] + 30
    cut = whole.crop((0, 0, whole.width, min(end, whole.height)))
    cut.quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)


def diff_box(first: Image.Image, second: Image.Image) -> tuple[int, int, int, int]:
    """Smallest box that holds all that differs."""
    return ImageChops.difference(first, second).getbbox() or (0, 0, *first.size)


if __name__ == "__main__":
    sys.exit(main())
