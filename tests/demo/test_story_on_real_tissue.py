"""The whole job in a real window on a real tissue array, with real mouse and key events."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from napari_ims_tumor.demo.expert import Stroke, choose_strokes, painted
from napari_ims_tumor.session.autosave import FOLDER_VARIABLE

pytestmark = [pytest.mark.real_data, pytest.mark.window, pytest.mark.timeout(420)]

CORNERS = ((0, 0), (0, 98), (102, 0), (102, 98))

PAINT_AND_WAIT = """
import sys, time
from pathlib import Path
import napari, numpy as np
from napari_ims_tumor.demo.expert import choose_strokes
from napari_ims_tumor.demo.hands import wait_until
from napari_ims_tumor.demo.story import Story
folder = Path(sys.argv[1])
viewer = napari.Viewer(show=True)
story = Story(viewer)
story.open(folder / "TMA1.imzML")
truth, cores = (np.load(folder / f"TMA1_{kind}.npy") for kind in ("labels", "cores"))
story.paint(choose_strokes(truth, cores, 2, 5, seed=1))
kept = Path(sys.argv[2])

def n_kept():
    return max((int((np.load(p)["labels"] > 0).sum()) for p in kept.glob("*.npz")), default=0)

wait_until(lambda: n_kept() == 20, "the autosave", 30)
print("painted", flush=True)
time.sleep(120)
"""


@pytest.fixture(scope="module")
def array(real_data: Path) -> Path:
    return real_data / "bladder_tma1"


@pytest.fixture(scope="module")
def truth(array: Path) -> np.ndarray:
    return np.load(array / "TMA1_labels.npy")


@pytest.fixture(scope="module")
def cores(array: Path) -> np.ndarray:
    return np.load(array / "TMA1_cores.npy")


@pytest.fixture(scope="module")
def strokes(truth: np.ndarray, cores: np.ndarray) -> tuple[Stroke, ...]:
    chosen = choose_strokes(truth, cores, n_per_class=6, length=5, seed=3)
    assert sum(len(stroke.path) for stroke in chosen) <= 60
    assert len({stroke.group for stroke in chosen}) >= 6
    return chosen


@pytest.fixture
def autosave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "autosave"))
    return tmp_path / "autosave"


@pytest.fixture
def story(autosave: Path, qtbot: object) -> Iterator[object]:
    import napari

    from napari_ims_tumor.demo.hands import settle
    from napari_ims_tumor.demo.story import Story

    viewer = napari.Viewer(show=True)
    yield Story(viewer)
    viewer.close()
    settle(0.3)


def test_open_look_paint_fit_stop_save(story, array, truth, cores, strokes, tmp_path) -> None:
    story.open(array / "TMA1.imzML")
    dataset = story.slide.dataset

    # Look: the plotted curve is the spectrum under the click, the image is its peak's.
    row, column = strokes[0].path[0]
    mz, intensity = story.click_pixel((row, column))
    spectrum = dataset.spectrum(dataset.pixels.index_at(row, column))
    np.testing.assert_array_equal(mz, spectrum.mz)
    np.testing.assert_array_equal(intensity, spectrum.intensity)
    highest = int(np.argmax(intensity))
    layer = story.click_peak(float(mz[highest]), 0.9 * float(intensity[highest]))
    _assert_is_ion_image(layer, dataset, float(mz[highest]))

    # Paint: corners land on the corner pixels and are erased again, then the strokes.
    story.paint([Stroke(2, (corner,), 0) for corner in CORNERS])
    assert sorted(map(tuple, np.argwhere(story.layer("labels").data))) == sorted(CORNERS)
    story.hands.press_key("e")
    for corner in CORNERS:
        story.hands.click_pixel(story.layer("labels"), corner)
    story.paint(strokes)
    np.testing.assert_array_equal(story.slide.annotation.labels, painted(strokes, truth.shape))

    # Fit: judged on the cores nobody painted on.
    story.fit()
    assert _score(story, truth, cores, strokes) >= 0.90

    # Stop: there is a model, and it predicts.
    story.fit_and_stop()
    assert np.isfinite(story.slide.prediction.probabilities[:, dataset.pixels.measured]).all()

    # Save and load: the files hold what was shown.
    files = story.save(tmp_path)
    np.testing.assert_array_equal(np.load(files["save_labels"]), painted(strokes, truth.shape))
    shown = story.slide.prediction.probabilities
    story.open_model(files["save_model"])
    np.testing.assert_array_equal(story.slide.prediction.probabilities, shown)


def test_a_killed_window_offers_its_strokes_back(story, autosave, array, truth, cores) -> None:
    command = [sys.executable, "-c", PAINT_AND_WAIT, str(array), str(autosave)]
    environment = {**os.environ, FOLDER_VARIABLE: str(autosave)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        lines = iter(window.stdout.readline, "")
        assert "painted\n" in lines
        window.kill()
    story.open(array / "TMA1.imzML")
    assert not story.slide.annotation.labels.any()
    story.restore()
    expected = painted(choose_strokes(truth, cores, 2, 5, seed=1), truth.shape)
    np.testing.assert_array_equal(story.slide.annotation.labels, expected)
    np.testing.assert_array_equal(story.layer("labels").data, expected)


def _assert_is_ion_image(layer, dataset, mz: float) -> None:
    """Compare the layer with a brute-force sum over the window it is named after."""
    shown = float(layer.name.split("±")[1].split()[0])
    assert f"{mz:.4f}" in layer.name
    sums = []
    for i in range(dataset.n_spectra):
        spectrum = dataset.spectrum(i)
        inside = np.abs(spectrum.mz - mz) <= shown
        sums.append(float(spectrum.intensity[inside].sum(dtype=np.float64)))
    np.testing.assert_allclose(dataset.pixels.as_vector(layer.data), sums, rtol=1e-6)


def _score(story, truth, cores, strokes) -> float:
    unseen = (truth > 0) & ~np.isin(cores, [stroke.group for stroke in strokes])
    tumor = story.slide.prediction.probabilities[1]
    return float(balanced_accuracy_score(truth[unseen] == 2, tumor[unseen] > 0.5))
