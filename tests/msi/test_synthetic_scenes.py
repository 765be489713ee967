"""The anatomy of simulated slides: sections, infiltration, necrosis, and laws of any slide."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, distance_transform_edt, label

from napari_ims_tumor.annotation.regions import tissue_regions
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.msi.synthetic.isotopes import isotope_pattern
from napari_ims_tumor.msi.synthetic.recipe import (
    SCENES,
    SIGNAL_KINDS,
    SLIDE_LAYOUTS,
    SlideRecipe,
    make_recipe,
)
from napari_ims_tumor.msi.synthetic.slide import (
    TRUTH_PLANES,
    CohortPlan,
    SlidePlan,
    plan_slide,
    simulate_slide,
)


@cache
def section(infiltration: float = 0.3, seed: int = 0) -> SlidePlan:
    recipe = SlideRecipe(96, 128, 200, scene="section", infiltration=infiltration, seed=seed)
    return plan_slide(recipe)


def plane(plan: SlidePlan, name: str) -> np.ndarray:
    return plan.truth_planes[TRUTH_PLANES.index(name)]


def test_a_section_is_one_large_piece_of_one_patient_with_gaps():
    for seed in range(4):
        plan = section(seed=seed)
        tissue = np.nan_to_num(plane(plan, "stroma") + plane(plan, "fat")) > 0
        # Single pixels that the laser missed do not part a section.
        assert (
            np.bincount(label(tissue, np.ones((3, 3)))[0].ravel())[1:].max() > 0.98 * tissue.sum()
        )
        assert 0.35 < tissue.mean() < 0.95
        assert set(np.unique(plan.patients)) == {0, 1}
        assert label(plan.labels == 2)[1] > 3
        assert 0.1 < (plan.labels == 2).sum() / tissue.sum() < 0.6


def test_infiltration_lengthens_the_border_and_sows_single_nests():
    def rim(plan):
        tumor = plan.labels == 2
        return (tumor & ~binary_erosion(tumor)).sum() / tumor.sum()

    def nests(plan):
        return label(plan.labels == 2)[1]

    plans = [section(infiltration) for infiltration in (0.0, 0.3, 1.0)]
    assert rim(plans[0]) < rim(plans[1]) < rim(plans[2])
    assert nests(plans[0]) < nests(plans[1]) < nests(plans[2])


def test_single_nests_lie_apart_from_the_tumor_and_only_where_it_infiltrates():
    def far_nests(plan):
        parts, n = label(plan.labels == 2)
        sizes = np.bincount(parts.ravel(), minlength=n + 1)
        sizes[0] = 0
        distance = distance_transform_edt(~(sizes > 30)[parts])
        return np.unique(parts[(parts > 0) & (sizes[parts] <= 2) & (distance > 4)]).size

    assert far_nests(section(0.0)) <= 2
    assert far_nests(section(1.0)) > 15


def test_necrosis_lies_deep_in_nests_is_unlabelled_and_gives_fewer_ions():
    s = simulate_slide(SlideRecipe(96, 128, 1000, scene="section"))
    dead = np.nan_to_num(s.truth_planes[TRUTH_PLANES.index("necrosis")])
    assert (dead > 0.5).sum() > 30
    assert not s.labels[dead > 0.5].any()
    total = s.dataset.pixels.as_image(s.dataset.total_ion_current())
    assert total[dead > 0.8].mean() < 0.8 * total[s.labels == 2].mean()
    kinds = [m for m in s.truth["molecules"] if m["role"] == "necrosis"]
    assert kinds
    assert all(m["necrosis_log_fold"] > 0 for m in kinds)


@pytest.mark.parametrize("signal", ["none", "distant-gate"])
def test_no_anatomy_goes_with_the_tumor_where_only_the_signal_may_tell_it(signal):
    plans = [
        plan_slide(SlideRecipe(64, 80, 100, scene="section", signal=signal), n) for n in range(8)
    ]
    assert all(np.nanmax(plane(p, "necrosis")) == 0 for p in plans)
    for compartment in ("epithelium", "stroma", "muscle", "fat"):
        gaps = [
            plane(p, compartment)[p.labels == 2].mean()
            - plane(p, compartment)[p.labels == 1].mean()
            for p in plans
        ]
        # Chance moves single slides to either side, never all of them to one.
        assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(len(gaps)) + 0.01


@given(
    rows=st.integers(12, 30),
    columns=st.integers(12, 30),
    channels=st.integers(50, 200),
    layout=st.sampled_from(SLIDE_LAYOUTS),
    scene=st.sampled_from(SCENES),
    signal=st.sampled_from(SIGNAL_KINDS),
    infiltration=st.floats(0, 1),
    label_noise=st.floats(0, 0.5),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_laws_of_any_slide(**options):
    recipe = make_recipe(**options)
    s, again = simulate_slide(recipe), plan_slide(recipe)
    on_tissue = s.patients > 0
    assert not s.labels[~on_tissue].any()
    assert not s.labels[~s.dataset.pixels.measured].any()
    assert np.array_equal(s.labels, again.labels)
    assert np.array_equal(s.truth_planes, again.truth_planes, equal_nan=True)
    shares = s.truth_planes[:6, on_tissue]
    assert ((shares >= 0) & (shares <= 1)).all()
    assert (shares[0] + shares[1] <= 1 + 1e-6).all()
    assert np.allclose(shares[2:].sum(axis=0), 1, atol=1e-5)
    assert np.isfinite(s.dataset.content.intensity).all()
    assert (s.dataset.content.intensity >= 0).all()
    # Block by block, and whole: the same numbers.
    for block in again.source.blocks():
        for k in (0, block.indices.size - 1):
            there = s.dataset.spectrum(int(block.indices[k]))
            if s.dataset.layout == "continuous":
                here = block.intensity[k]
            else:
                here = block.intensity[block.bounds[k] : block.bounds[k + 1]]
            assert np.array_equal(here, there.intensity)


@given(mass=st.floats(200, 4000), kind=st.sampled_from(["lipid", "peptide"]))
def test_an_isotope_envelope_is_a_distribution_with_one_top(mass, kind):
    pattern = isotope_pattern(mass, kind)
    assert pattern.sum() == pytest.approx(1)
    assert (pattern >= 0).all()
    top = int(np.argmax(pattern))
    assert (np.diff(pattern[: top + 1]) > 0).all()
    assert (np.diff(pattern[top:]) < 0).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"scene": "village"}, "array, section"),
        ({"signal": "loud"}, "distant-gate"),
        ({"infiltration": 1.5}, "0 to 1"),
        ({"strength": -1}, "0 to 10"),
        ({"label_noise": 0.7}, "0 to 0.5"),
        ({"hot_spots": float("nan")}, "0 to 0.2"),
        ({"patient_effect": 9}, "0 to 2"),
        ({"batch_effect": -0.1}, "0 to 5"),
        ({"ions": 0}, "1 to 100000"),
        ({"baseline": -1}, "0 to 1000"),
        ({"rows": 100_000}, "at most 4096"),
        ({"channels": 10**9}, "200000"),
        ({"scene": "section", "patients": 3}, "1 patient"),
        ({"patients": 500}, "1 to 122"),
        ({"seed": -1}, "0 or more"),
        ({"tumour": 1}, "tumour"),
    ],
)
def test_each_refusal_says_what_is_allowed(wrong, words):
    with pytest.raises(ImsTumorError, match=words):
        make_recipe(**wrong)


def test_options_of_all_parts_stand_side_by_side():
    recipe = make_recipe(rows=20, label_noise=0.1, patient_effect=None, batch_effect=2)
    assert (recipe.rows, recipe.faults.label_noise, recipe.variation.batch_effect) == (20, 0.1, 2)
    assert recipe.variation.patient_effect == SlideRecipe().variation.patient_effect


@pytest.mark.parametrize(("slides", "batches"), [(0, 1), (3, 4), (3, 0)])
def test_impossible_cohorts_are_refused(slides, batches):
    with pytest.raises(ImsTumorError):
        CohortPlan(SlideRecipe(), slides, batches)


@pytest.mark.parametrize("seed", range(3))
def test_cores_of_an_array_are_measured_apart(seed: int) -> None:
    recipe = make_recipe(seed=seed, channels=100, patients=12)
    grid = simulate_slide(recipe).dataset.pixels
    sizes = np.bincount(tissue_regions(grid.measured).ravel())[1:]
    # A crumb of margin may lie alone; a core never hangs together with its neighbor.
    assert np.count_nonzero(sizes > 100) == recipe.patients
