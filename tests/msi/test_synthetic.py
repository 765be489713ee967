"""Simulated slides: seeded, plausible, and with a truth that can be found again."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import label

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.binning import bin_axis, bin_spectra
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.synthetic.isotopes import isotope_pattern
from napari_ims_tumor.msi.synthetic.recipe import SLIDE_LAYOUTS, Faults, SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_cohort, simulate_slide

SMALL = SlideRecipe(rows=48, columns=64, channels=600, patients=6)


@cache
def slide(layout: str = "continuous-profile") -> SimulatedSlide:
    return simulate_slide(replace(SMALL, layout=layout))


@cache
def matrix(layout: str) -> np.ndarray:
    dataset = slide(layout).dataset
    return run_inline(bin_spectra(dataset, bin_axis(dataset)))


def same(one: SimulatedSlide, two: SimulatedSlide) -> bool:
    pairs = (
        (one.dataset.content.mz, two.dataset.content.mz),
        (one.dataset.content.intensity, two.dataset.content.intensity),
        (one.labels, two.labels),
        (one.patients, two.patients),
    )
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("layout", SLIDE_LAYOUTS)
def test_the_same_seed_gives_the_same_slide_and_another_does_not(layout):
    recipe = replace(SMALL, layout=layout, rows=24, columns=24, patients=2)
    assert same(simulate_slide(recipe), simulate_slide(recipe))
    assert not same(simulate_slide(recipe), simulate_slide(replace(recipe, seed=1)))
    assert not same(simulate_slide(recipe), simulate_slide(recipe, number=1))


@pytest.mark.parametrize("layout", SLIDE_LAYOUTS)
def test_layouts_and_sizes(layout):
    dataset = slide(layout).dataset
    assert f"{dataset.layout}-{dataset.mode}" == layout
    assert dataset.pixels.shape[0] <= 48
    assert dataset.pixels.shape[1] <= 64
    assert dataset.pixels.pixel_size_um == (50.0, 50.0)
    if layout == "continuous-profile":
        assert len(dataset.mass_axis) == 600
        assert dataset.mass_axis.is_uniform
    assert (dataset.content.intensity >= 0).all()
    assert np.isfinite(dataset.content.intensity).all()


def test_tissue_background_and_bare_glass():
    s = slide()
    measured = s.dataset.pixels.measured
    assert s.labels.shape == s.patients.shape == s.dataset.pixels.image_shape
    assert 0.02 < (~measured).mean() < 0.6
    assert (measured & (s.labels == 0)).sum() > 100
    assert not s.labels[~measured].any()
    assert np.array_equal(s.labels > 0, s.patients > 0)
    assert set(np.unique(s.patients)) == set(range(7))
    for patient in range(1, 7):
        assert {1, 2} <= set(np.unique(s.labels[s.patients == patient]))


def test_tumor_borders_are_ragged_but_tumor_is_no_confetti():
    tumor = slide().labels == 2
    inner = tumor[1:-1, 1:-1] & tumor[:-2, 1:-1] & tumor[2:, 1:-1]
    rim = tumor.sum() - (inner & tumor[1:-1, :-2] & tumor[1:-1, 2:]).sum()
    disk_rim = 6 * 2 * np.sqrt(np.pi * tumor.sum() / 6)
    assert rim > 1.2 * disk_rim
    assert label(tumor)[1] < 60


def test_matrix_peaks_are_stronger_beside_the_tissue():
    s = simulate_slide(SlideRecipe(rows=24, columns=32, channels=3000))
    molecules = [m for m in s.truth["molecules"] if m["matrix"]]
    windows = [MassWindow(m["mz"], MassTolerance(0.15)) for m in molecules]
    images = s.dataset.ion_images(windows)
    on, beside = images[:, s.labels > 0], images[:, (s.labels == 0) & s.dataset.pixels.measured]
    assert (beside.mean(1) > 1.5 * on.mean(1)).mean() > 0.7


@pytest.mark.parametrize("layout", SLIDE_LAYOUTS)
def test_planted_peaks_tell_tumor_from_healthy_and_others_do_not(layout):
    calm = Faults(hot_spots=0.0)
    s = simulate_slide(replace(SMALL, layout=layout, channels=2000, faults=calm))
    molecules = [m for m in s.truth["molecules"] if not m["matrix"]]
    windows = [MassWindow(m["mz"], MassTolerance(0.2)) for m in molecules]
    images = s.dataset.ion_images(windows)
    fold = np.log(images[:, s.labels == 2].mean(1) / images[:, s.labels == 1].mean(1))
    planted = np.array([m["tumor_log_fold"] for m in molecules])
    strong = np.abs(planted) > 0.5
    assert strong.any()
    assert np.corrcoef(fold, planted)[0, 1] > 0.5
    assert (np.sign(fold[strong]) == np.sign(planted[strong])).mean() > 0.8


def test_far_pairs_agree_in_tumor_and_disagree_elsewhere():
    s = slide()
    paired = [m for m in s.truth["molecules"] if m["partner_mz"] and m["partner_mz"] > m["mz"]]
    assert paired
    span = np.ptp(s.dataset.mass_range)
    gaps = []
    for m in paired:
        assert m["partner_mz"] - m["mz"] > span / 3
        windows = [MassWindow(mz, MassTolerance(0.2)) for mz in (m["mz"], m["partner_mz"])]
        low, high = np.log1p(s.dataset.ion_images(windows))
        tic = np.log(s.dataset.pixels.as_image(s.dataset.total_ion_current()))
        correlation = [
            np.corrcoef((low - tic)[s.labels == c], (high - tic)[s.labels == c])[0, 1]
            for c in (1, 2)
        ]
        gaps.append(correlation[1] - correlation[0])
    assert np.mean(gaps) > 0.3


def test_no_signal_means_no_difference():
    s = simulate_slide(replace(SMALL, signal="none"))
    assert all(m["tumor_log_fold"] == 0 for m in s.truth["molecules"])


def test_a_linear_model_finds_most_but_not_all_in_patients_it_has_not_seen():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    s = simulate_slide(SlideRecipe(channels=2000, layout="processed-centroid"))
    dataset = s.dataset
    values = run_inline(bin_spectra(dataset, bin_axis(dataset)))
    classes, groups = dataset.pixels.as_vector(s.labels), dataset.pixels.as_vector(s.patients)
    used = np.flatnonzero(classes)[::3]
    x = np.sqrt(values[used] / values[used].sum(axis=1, keepdims=True))
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    found = cross_val_predict(linear, x, classes[used], groups=groups[used], cv=GroupKFold(6))
    assert 0.8 < balanced_accuracy_score(classes[used], found) < 0.97


def test_slides_of_a_cohort_share_molecules_but_not_patients():
    recipe = replace(SMALL, rows=24, columns=36, patients=2)
    one, two = simulate_cohort(recipe, 2)
    assert one.truth["molecules"] == two.truth["molecules"]
    assert set(np.unique(one.patients)) == {0, 1, 2}
    assert set(np.unique(two.patients)) == {0, 3, 4}
    assert one.name != two.name


def test_truth_is_plain_json():
    text = json.dumps(dict(slide().truth))
    assert json.loads(text)["recipe"]["channels"] == 600


@pytest.mark.parametrize("size", [(12, 12, 50, 1), (13, 200, 100, 7), (200, 13, 300, 5)])
@pytest.mark.parametrize("layout", SLIDE_LAYOUTS)
def test_odd_sizes(size, layout):
    rows, columns, channels, patients = size
    recipe = SlideRecipe(rows, columns, channels, layout, seed=3, patients=patients)
    s = simulate_slide(recipe)
    assert s.labels.any()
    assert s.dataset.n_spectra == s.dataset.pixels.measured.sum()


@pytest.mark.parametrize(
    "wrong", [{"layout": "imzml"}, {"rows": 3}, {"channels": 2}, {"patients": 0}, {"patients": 500}]
)
def test_an_impossible_recipe_is_refused(wrong):
    with pytest.raises(ImsTumorError):
        SlideRecipe(**wrong)


def test_isotope_envelopes_of_known_molecules():
    # PC 34:1 (C42H82NO8P) and averagine at 1,500 Da: monoisotopic against M + 1 and M + 2.
    lipid = isotope_pattern(759.6, "lipid")
    assert lipid[1] / lipid[0] == pytest.approx(0.47, abs=0.02)
    assert lipid[2] / lipid[0] == pytest.approx(0.125, abs=0.02)
    peptide = isotope_pattern(1500.0, "peptide")
    assert peptide[1] / peptide[0] == pytest.approx(0.81, abs=0.03)
    assert peptide.sum() == pytest.approx(1)
