"""A slide twice as large as the memory it may use, in a process whose memory the system limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "memory.py"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_a_slide_larger_than_its_limit_opens_scrolls_fits_and_predicts() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--gigabytes", "1.0", "--memory", "300MB", "--json",
         "--layouts", "continuous"],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    # Nothing was killed, nothing ran into the limit of 500 MB beyond what torch alone takes.
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["continuous"]
    assert found["file_mb"] > 2 * (found["budget_mb"] + 200) * 0.99
    for step, peak in found["peaks"].items():
        assert peak["mb"] - found["base_mb"] < found["budget_mb"], step
    assert found["right"] > 0.99
    assert len(found["peaks"]) == 8
    # The matrices of the fit were too large for their half of the budget, and counted as such.
    assert found["scratch_mb"] > found["budget_mb"] / 2
