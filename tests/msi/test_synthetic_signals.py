"""Each kind of signal keeps its promise: what tells tumor does, and nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import rankdata

from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide


@cache
def slide(signal: str, channels: int = 1200, scene: str = "array") -> SimulatedSlide:
    patients = 8 if scene == "array" else 1
    recipe = SlideRecipe(64, 84, channels, patients=patients, signal=signal, scene=scene)
    return simulate_slide(recipe)


def labelled(s: SimulatedSlide) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Square roots of TIC-normalized spectra, whether they are tumor, and their patients."""
    pixels = s.dataset.pixels
    classes = pixels.as_vector(s.labels)
    used = np.flatnonzero(classes)
    spectra = s.dataset.content.intensity[used]
    scaled = np.sqrt(spectra / np.maximum(spectra.sum(axis=1, keepdims=True), 1e-9))
    return scaled, classes[used] == 2, pixels.as_vector(s.patients)[used]


def balanced(truth: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean([(found == truth)[truth == c].mean() for c in (False, True)]))


def group_score(s: SimulatedSlide, spectra: np.ndarray, group: str) -> np.ndarray:
    """Read the state of a gate group off the tops of its molecules' first two isotopes."""
    mz = s.dataset.mass_axis.mz
    score = np.zeros(len(spectra))
    for m in s.truth["molecules"]:
        if m["role"] == group:
            at = [int(np.argmin(np.abs(mz - i))) for i in m["isotopes"][:2]]
            score += m["gate_sign"] * np.log(spectra[:, at].sum(axis=1) + 1e-4)
    return score - np.quantile(score, [0.1, 0.9]).mean()


def held_out(spectra: np.ndarray, tumor: np.ndarray, patients: np.ndarray) -> float:
    """Score of a linear model on patients that it has not seen."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    folds = GroupKFold(3)
    return balanced(tumor, cross_val_predict(linear, spectra, tumor, groups=patients, cv=folds))


def auc_by_patient(spectra: np.ndarray, tumor: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Mean over patients of the area under the ROC curve of every bin alone."""
    areas = []
    for patient in np.unique(patients):
        own, is_tumor = spectra[patients == patient], tumor[patients == patient]
        ranks, n = rankdata(own, axis=0), int(is_tumor.sum())
        areas.append((ranks[is_tumor].sum(axis=0) - n * (n + 1) / 2) / (n * (is_tumor.size - n)))
    return np.mean(areas, axis=0)


def concentration(areas: np.ndarray) -> float:
    """Share of all that bins tell alone which the best twentieth of them tells."""
    told = np.sort(areas**2)[::-1]
    return float(told[: told.size // 20].sum() / told.sum())


@pytest.mark.parametrize(
    ("channels", "scene"), [(100, "array"), (600, "section"), (1200, "array"), (12000, "array")]
)
def test_who_knows_the_gate_is_right_everywhere_and_each_group_alone_three_times_in_four(
    channels, scene
):
    s = slide("distant-gate", channels, scene)
    spectra, tumor, _ = labelled(s)
    a, c, d = (group_score(s, spectra, f"gate {g}") > 0 for g in "ACD")
    assert balanced(tumor, np.where(c, a, d)) >= 0.98
    assert balanced(tumor, a) == pytest.approx(0.75, abs=0.01)
    assert balanced(tumor, d) == pytest.approx(0.75, abs=0.01)
    assert balanced(tumor, c) == pytest.approx(0.5, abs=0.01)


def test_no_weights_of_the_three_states_that_are_fitted_to_likelihood_know_the_gate():
    from sklearn.linear_model import LogisticRegression

    s = slide("distant-gate")
    spectra, tumor, patients = labelled(s)
    states = np.stack([group_score(s, spectra, f"gate {g}") for g in "ACD"], axis=1)
    first = patients <= 4
    fitted = LogisticRegression().fit(states[first], tumor[first])
    assert 0.7 < balanced(tumor[~first], fitted.predict(states[~first])) <= 0.8
    product = np.column_stack([states, states[:, 1:2] * states[:, [0, 2]]])
    knowing = LogisticRegression().fit(product[first], tumor[first])
    assert balanced(tumor[~first], knowing.predict(product[~first])) > 0.97


def test_a_linear_model_on_all_bins_stays_below_the_gate():
    assert 0.7 < held_out(*labelled(slide("distant-gate"))) <= 0.8


def test_nothing_but_a_and_d_knows_about_the_gate():
    s = slide("distant-gate")
    spectra, tumor, patients = labelled(s)
    mz = s.dataset.mass_axis.mz
    near = np.zeros(mz.size, bool)
    for m in s.truth["molecules"]:
        if m["role"] in ("gate A", "gate D"):
            near |= (np.abs(mz[:, None] - np.array(m["isotopes"])) < 0.6).any(axis=1)
    area = auc_by_patient(spectra, tumor, patients)
    assert (~near).mean() > 0.3
    assert np.abs(area[near] - 0.5).max() > 0.15
    assert np.abs(area[~near] - 0.5).max() < 0.1
    assert np.abs(area[~near] - 0.5).mean() < 0.02


def test_labels_without_signal_look_like_anatomy_and_cannot_be_learned():
    s = slide("none")
    spectra, tumor, patients = labelled(s)
    assert all(m["tumor_log_fold"] == 0 for m in s.truth["molecules"])
    assert held_out(spectra, tumor, patients) < 0.56
    assert np.abs(auc_by_patient(spectra, tumor, patients) - 0.5).max() < 0.1


def test_additive_signal_is_spread_and_local_signal_is_not():
    areas = {}
    for signal in ("additive", "local"):
        s = slide(signal)
        spectra, tumor, patients = labelled(s)
        # Unscaled: with TIC, what strong peaks gain all others lose.
        counted = s.dataset.content.intensity[s.dataset.pixels.as_vector(s.labels) > 0]
        areas[signal] = np.abs(auc_by_patient(counted, tumor, patients) - 0.5)
        assert held_out(spectra, tumor, patients) > 0.8
    shares = {signal: concentration(area) for signal, area in areas.items()}
    assert shares["additive"] < 0.6 < 0.65 < shares["local"]
    strong = [abs(m["tumor_log_fold"]) for m in slide("local").truth["molecules"]]
    assert np.count_nonzero(strong) <= 8
