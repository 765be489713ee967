"""Batches, wrong labels, hot spots and dead pixels: as much as asked, and known afterwards."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label

from napari_ims_tumor.msi.synthetic.recipe import Faults, SlideRecipe, Variation, make_recipe
from napari_ims_tumor.msi.synthetic.slide import (
    TRUTH_PLANES,
    CohortPlan,
    SimulatedSlide,
    plan_slide,
    simulate_slide,
)

# Nothing but the batch differs between slides of this recipe.
STILL = SlideRecipe(
    rows=32,
    columns=40,
    channels=4000,
    patients=4,
    faults=Faults(hot_spots=0.0),
    variation=Variation(batch_effect=2.0, drift_ppm=0.0),
)


@cache
def batch(number: int) -> SimulatedSlide:
    return simulate_slide(STILL, batch=number)


def gain_at(s: SimulatedSlide, mz: np.ndarray) -> np.ndarray:
    return np.interp(mz, s.truth["batch"]["gain_mz"], s.truth["batch"]["gain"])


def mean_of(s: SimulatedSlide, mz: float) -> float:
    """Summed mean intensity around one peak."""
    axis, mean = s.dataset.mean_spectrum().mz, s.dataset.mean_spectrum().intensity
    return float(mean[np.abs(axis - mz) < 0.6].sum())


def test_batches_of_neighboring_slides():
    plan = CohortPlan(SlideRecipe(), slides=8, batches=2)
    assert [plan.batch_of(n) for n in range(8)] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_batch_changes_the_spectra_and_neither_tissue_nor_labels():
    one, two = batch(0), batch(1)
    assert np.array_equal(one.labels, two.labels)
    assert one.truth["molecules"] == two.truth["molecules"]
    assert not np.array_equal(one.dataset.content.intensity, two.dataset.content.intensity)


def test_the_gain_of_a_batch_can_be_undone_by_who_knows_the_truth():
    one, two = batch(0), batch(1)
    # Where no drift moves peaks out of a window, a ratio of peaks is a ratio of gains.
    peaks = [m["mz"] for m in one.truth["molecules"] if m["log_level"] > 1.0]
    measured = np.array([mean_of(two, mz) / mean_of(one, mz) for mz in peaks])
    known = gain_at(two, np.array(peaks)) / gain_at(one, np.array(peaks))
    assert np.ptp(np.log(known)) > 0.2
    assert np.abs(np.log(measured)).mean() > 0.1
    assert np.abs(np.log(measured / known)).mean() < 0.05


def test_the_drift_of_a_batch_can_be_undone_by_who_knows_the_truth():
    still = replace(STILL.variation, batch_effect=0.5)
    wide = replace(STILL, rows=20, columns=24, channels=12000, layout="processed-centroid")
    s = simulate_slide(replace(wide, variation=still), batch=1)
    facts = s.truth["batch"]
    low, high = facts["gain_mz"][0], facts["gain_mz"][-1]
    content = s.dataset.content
    errors, expected = [], []
    others = np.array([i for m in s.truth["molecules"] for i in m["isotopes"]])
    for m in s.truth["molecules"]:
        alone = np.sort(np.abs(others - m["mz"]))[1] > 0.12
        near = np.abs(content.mz - m["mz"]) < 0.06
        if alone and near.sum() > 100:
            errors.append((np.median(content.mz[near]) / m["mz"] - 1) * 1e6)
            from_middle = (2 * m["mz"] - low - high) / (high - low)
            expected.append(facts["drift_ppm"] + facts["stretch_ppm"] * from_middle)
    assert len(errors) > 10
    assert np.abs(expected).max() > 10
    assert np.abs(np.array(errors) - expected).mean() < 5


def test_without_batch_effect_all_batches_are_the_same():
    calm = replace(STILL, channels=200, variation=Variation(batch_effect=0.0))
    one, two = (simulate_slide(calm, batch=n) for n in (0, 5))
    assert np.array_equal(one.dataset.content.intensity, two.dataset.content.intensity)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.2])
@pytest.mark.parametrize("scene", ["array", "section"])
def test_label_noise_is_as_much_as_asked_in_patches_along_borders(share, scene):
    plan = plan_slide(make_recipe(channels=100, label_noise=share, scene=scene))
    clean = plan.truth_planes[TRUTH_PLANES.index("clean labels")]
    clean = np.nan_to_num(clean).astype(int)
    wrong = plan.labels != clean
    assert wrong.sum() == round(share * (clean > 0).sum())
    assert np.array_equal(plan.labels > 0, clean > 0)
    if share:
        border = np.minimum(*(distance_transform_edt(clean != c) for c in (1, 2)))
        far = np.maximum(*(distance_transform_edt(clean != c) for c in (1, 2)))
        assert far[wrong].mean() < far[clean > 0].mean()
        assert (border >= 0).all()
        # In patches: far fewer than pixels.
        assert label(wrong, np.ones((3, 3)))[1] < 0.6 * wrong.sum()


def test_hot_spots_shine_in_small_clusters_and_are_written_down():
    recipe = make_recipe(rows=40, columns=50, channels=300, patients=4, hot_spots=0.02)
    calm = replace(recipe, faults=Faults(hot_spots=0.0))
    hot, cold = simulate_slide(recipe), simulate_slide(calm)
    factor = np.nan_to_num(hot.truth_planes[TRUTH_PLANES.index("hot spots")])
    spots = factor > 0
    assert spots.sum() == round(0.02 * hot.dataset.n_spectra)
    assert ((factor[spots] >= 10) & (factor[spots] <= 100)).all()
    assert np.bincount(label(spots)[0].ravel())[1:].max() <= 12
    strongest = [
        s.dataset.pixels.as_image(s.dataset.content.intensity.max(axis=1)) for s in (hot, cold)
    ]
    assert np.median((strongest[0] / strongest[1])[spots]) > 5
    assert np.nanmedian((strongest[0] / strongest[1])[~spots]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("layout", ["continuous-profile", "processed-centroid"])
def test_dead_pixels_have_no_ion_and_everything_else_goes_on(layout):
    recipe = make_recipe(rows=20, columns=30, channels=100, dead_pixels=0.1, layout=layout)
    s = simulate_slide(recipe)
    dead = s.dataset.pixels.as_vector(s.truth_planes[TRUTH_PLANES.index("dead pixels")]) > 0
    assert dead.sum() == round(0.1 * s.dataset.n_spectra)
    total = s.dataset.total_ion_current()
    assert (total[dead] == 0).all()
    assert (total[~dead] > 0).all()


def test_more_ions_mean_less_noise_and_more_baseline_raises_the_valleys():
    base = {"rows": 24, "columns": 30, "channels": 300, "patients": 2, "hot_spots": 0.0}
    few, many = (simulate_slide(make_recipe(**base, ions=n)).dataset for n in (20, 2000))
    assert (few.content.intensity == 0).mean() > 3 * (many.content.intensity == 0).mean()
    raised = simulate_slide(make_recipe(**base, baseline=20)).dataset.mean_spectrum().intensity
    plain = simulate_slide(make_recipe(**base)).dataset.mean_spectrum().intensity
    assert np.quantile(raised, 0.05) > 5 * np.quantile(plain, 0.05)
    assert raised.max() < 2 * plain.max()


def test_wider_peaks_are_wider():
    base = {"rows": 16, "columns": 16, "channels": 1000, "patients": 1, "baseline": 0.0}
    narrow, wide = (
        simulate_slide(make_recipe(**base, peak_width_da=w)).dataset.mean_spectrum().intensity
        for w in (0.24, 0.5)
    )
    assert (wide > 0.1 * wide.max()).sum() > 1.3 * (narrow > 0.1 * narrow.max()).sum()
