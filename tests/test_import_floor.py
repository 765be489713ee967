"""A server without a window: everything but the window works with neither napari nor Qt there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BLOCKED = (
    "napari", "PyQt5", "PyQt6", "PySide2", "PySide6", "qtpy", "magicgui", "superqt", "pyqtgraph",
    "vispy", "app_model",
)  # fmt: skip

STORY = """
import sys
from pathlib import Path

BLOCKED = {blocked!r}


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{{name}} is blocked")
        return None


sys.meta_path.insert(0, Blocker())
folder = Path(sys.argv[1])

import numpy as np

import napari_ims_tumor as ims

(first, second) = ims.simulate(folder, rows=32, columns=40, channels=400, slides=2, seed=0)
slide = ims.open_imzml(first.imzml)
model = ims.fit(slide, first.labels, network="linear", seed=0)
prediction = ims.predict(model, slide)
assert prediction.probabilities.shape == (2, *slide.pixels.image_shape)
measured = slide.pixels.measured
assert np.isnan(prediction.probabilities[:, ~measured]).all()
assert np.allclose(prediction.probabilities[:, measured].sum(axis=0), 1, atol=1e-5)

report = ims.evaluate(folder / "cohort.csv", networks=("linear",), folds=2)
score = report.as_dict()["networks"]["linear"]["balanced_accuracy"]
assert 0 <= score <= 1
assert not BLOCKED & {{name.partition(".")[0] for name in sys.modules}}
print(f"balanced accuracy {{score:.3f}}")
"""


def test_fit_predict_and_evaluate_need_neither_napari_nor_qt(tmp_path: Path) -> None:
    story = STORY.format(blocked=set(BLOCKED))
    done = subprocess.run(
        [sys.executable, "-c", story, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy" in done.stdout
