from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyimzml.ImzMLWriter import ImzMLWriter

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError, LabelsError, ModelFileError, SlideError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


def test_each_spectrum_keeps_its_place_label_and_patient(cohorts: Any) -> None:
    slides = cohorts.cohort(3)
    found = run_inline(gather(slides))
    assert found.group_names == ("patient 0", "patient 1", "patient 2")
    for i in (0, 40, len(found.spectra) - 1):
        slide = slides[found.slide[i]]
        row, column = int(found.row[i]), int(found.column[i])
        index = slide.slide.pixels.index_at(row, column)
        assert np.allclose(found.spectra.values[i], slide.slide.spectrum(index).intensity)
        assert found.spectra.classes[i] == slide.labels.labels[row, column] - 1
        assert found.spectra.groups[i] == found.slide[i]


def test_labels_where_nothing_was_measured_are_left_out(cohorts: Any) -> None:
    found = run_inline(gather(cohorts.cohort(1)))
    assert len(found.spectra) == 6 * 7 - 4
    assert found.column.max() == 6


def test_without_groups_slides_are_groups_and_a_single_slide_is_split_by_stroke(
    cohorts: Any,
) -> None:
    many = run_inline(gather((cohorts.slide(0), cohorts.slide(1))))
    assert np.array_equal(many.spectra.groups, many.slide)
    one = run_inline(gather((cohorts.slide(0),)))
    assert one.spectra.group_kind == "stroke"
    assert np.unique(one.spectra.groups).size == 2


def test_a_group_image_names_the_same_patient_on_every_slide(cohorts: Any) -> None:
    image = np.full((6, 8), 2)
    image[3:] = 7
    slides = tuple(cohorts.slide(seed, image) for seed in (0, 1))
    found = run_inline(gather(slides))
    assert set(found.group_names) == {"group 2", "group 7"}
    with pytest.raises(CohortError, match=r"\(2, 2\)"):
        run_inline(gather((cohorts.slide(0, np.zeros((2, 2), np.int64)),)))


def test_slides_of_different_ranges_meet_where_both_were_measured(cohorts: Any) -> None:
    slides = (cohorts.slide(0), cohorts.slide(1, start=505.0))
    axis = run_inline(gather(slides)).spectra.axis
    assert (axis.low, axis.high) == (505.0, 539.0)
    apart = (cohorts.slide(0), cohorts.slide(1, start=900.0))
    with pytest.raises(CohortError, match=r"no m/z range in common"):
        run_inline(gather(apart))


def test_a_given_axis_must_be_covered(cohorts: Any) -> None:
    with pytest.raises(ModelFileError):
        run_inline(gather(cohorts.cohort(1), MassAxis(np.arange(40) + 800.0)))


def test_labels_of_another_shape_and_empty_cohorts(cohorts: Any) -> None:
    slide = replace(cohorts.slide(0), labels=Annotation(np.ones((3, 3), np.uint8)))
    with pytest.raises(LabelsError, match=r"\(3, 3\)"):
        run_inline(gather((slide,)))
    with pytest.raises(CohortError, match="no slide"):
        run_inline(gather(()))


def test_stop(cohorts: Any) -> None:
    job = gather(cohorts.cohort(2))
    next(job)
    with pytest.raises(JobStopped):
        job.send(STOP)


def test_slides_of_one_name_in_two_folders_keep_their_own_names(
    tmp_path: Path, cohorts: Any
) -> None:
    rows = []
    for seed, folder in enumerate(("ann", "ben")):
        made = cohorts.slide(seed)
        (tmp_path / folder).mkdir()
        write_imzml(tmp_path / folder / "slide.imzML", made.slide)
        labels = Annotation(made.labels.labels[:, :7])
        rows.append(CohortSlide(tmp_path / folder / "slide.imzML", labels))
    found = run_inline(gather(tuple(rows)))
    assert found.slides == ("ann/slide", "ben/slide")
    assert found.group_names == found.slides


def test_a_slide_may_come_twice_but_no_pixel_of_it(cohorts: Any) -> None:
    whole = cohorts.slide(0)
    with pytest.raises(CohortError, match=r"slide0 is listed more than once and 38 of its pixels"):
        run_inline(gather((whole, replace(whole, groups="another"))))
    upper, lower = whole.labels.labels.copy(), whole.labels.labels.copy()
    upper[3:], lower[:3] = 0, 0
    rows = tuple(replace(whole, labels=Annotation(half)) for half in (upper, lower))
    # Without groups the slide is the group: its halves are never on both sides of a fold.
    assert run_inline(gather(rows)).group_names == ("slide0",)
    named = tuple(replace(row, groups=name) for row, name in zip(rows, "ab", strict=True))
    assert run_inline(gather(named)).group_names == ("a", "b")


def test_a_copy_of_a_slide_is_known_under_any_name(cohorts: Any, tmp_path: Path) -> None:
    whole = cohorts.slide(0)
    write_imzml(tmp_path / "one.imzML", whole.slide)
    for ending in (".imzML", ".ibd"):
        shutil.copy(tmp_path / f"one{ending}", tmp_path / f"two{ending}")
    labels = Annotation(whole.labels.labels[:, :7])
    rows = tuple(
        CohortSlide(tmp_path / f"{name}.imzML", labels, f"patient {name}")
        for name in ("one", "two")
    )
    with pytest.raises(CohortError, match=r"one and two are the same measurement .* 38 pixels"):
        run_inline(gather(rows))
    write_imzml(tmp_path / "two.imzML", cohorts.slide(1).slide)
    assert len(run_inline(gather(rows)).slides) == 2


def test_groups_whose_names_agree_by_chance_are_told_apart(cohorts: Any) -> None:
    image = np.full((6, 8), 3)
    found = run_inline(gather((cohorts.slide(0, "group 3"), cohorts.slide(1, image))))
    assert found.group_names == ("group 3", "group 3 (2)")


def test_a_patient_given_by_number_is_the_one_of_the_images(cohorts: Any) -> None:
    image = np.full((6, 8), 3)
    found = run_inline(gather((cohorts.slide(0, "3"), cohorts.slide(1, image))))
    assert found.group_names == ("group 3",)
    assert found.group_ids == ("3",)


def test_empty_labelled_spectra_are_told(cohorts: Any) -> None:
    whole = cohorts.slide(0)
    values = whole.slide.content.intensity.copy()
    values[:3] = 0
    holed = InMemoryDataset.from_matrix(
        whole.slide.mass_axis, values, whole.slide.pixels, whole.name
    )
    assert run_inline(gather((whole,))).notices == ()
    (said,) = run_inline(gather((replace(whole, slide=holed),))).notices
    assert said == "slide0: 3 of 38 labelled spectra hold nothing on the m/z axis"


def test_one_patient_however_her_name_is_written(cohorts: Any) -> None:
    for first, second in (("M\u00fcller", "Mu\u0308ller"), ("1", "1.0"), (" Ms X", "Ms X ")):
        found = run_inline(gather((cohorts.slide(0, first), cohorts.slide(1, second))))
        assert len(found.group_names) == 1
        assert found.cautions == ()
    assert run_inline(gather((cohorts.slide(0, "1.5"),))).group_names == ("1.5",)


def test_groups_that_may_be_one_patient_are_told(cohorts: Any) -> None:
    slides = (cohorts.slide(0, "p 1"), cohorts.slide(1, "P1"), cohorts.slide(2), cohorts.slide(3))
    forgotten, alike = run_inline(gather(slides)).cautions
    assert forgotten.startswith("No group is named for slide2, slide3, and others have one")
    assert alike.startswith("Groups that differ only by case or spaces count as different ones")
    assert "'p 1' and 'P1'" in alike
    assert run_inline(gather(slides[2:])).cautions == ()


def test_what_a_group_is_is_always_said(cohorts: Any) -> None:
    def said(*groups: str | None) -> str:
        slides = tuple(cohorts.slide(seed, name) for seed, name in enumerate(groups))
        return run_inline(gather(slides)).group_means

    assert said("a", "b") == "A group is what was named as one, such as a patient or a core."
    assert said(None, None).startswith("No groups were given, so each slide is a group")
    assert said("a", None).endswith("one slide without a name is a group as well.")
    assert said(None) == "No groups were given, so each connected painted stroke is a stroke."


@pytest.mark.parametrize("nothing", [0, -1])
def test_labelled_pixels_of_no_group_are_no_common_patient(
    cohorts: Any, tmp_path: Path, nothing: int
) -> None:
    image = np.full((6, 8), 3)
    image[0], image[:, 7] = nothing, nothing
    np.save(tmp_path / "cores.npy", image)
    said = r"7 labelled pixels of slide0 have no group \(0 in cores.npy\)"
    with pytest.raises(CohortError, match=said):
        run_inline(gather((cohorts.slide(0, tmp_path / "cores.npy"),)))
    with pytest.raises(CohortError, match="0 in the image of groups"):
        run_inline(gather((cohorts.slide(0, image),)))


def test_background_without_labels_needs_no_group_and_an_empty_image_is_one(cohorts: Any) -> None:
    image = np.full((6, 8), 3)
    image[:, 7], image[3, 3:5] = 0, 0
    assert run_inline(gather((cohorts.slide(0, image),))).group_names == ("group 3",)
    assert run_inline(gather((cohorts.slide(0, 0 * image),))).group_names == ("group 0",)


def test_a_range_that_is_cut_is_told_with_the_slide_that_narrows_it(cohorts: Any) -> None:
    slides = (cohorts.slide(0), cohorts.slide(1, start=505.0))
    (said,) = run_inline(gather(slides)).notices
    assert said.startswith("Only m/z 505.00 to 539.00 is used, which all slides share")
    assert "500.00 to 505.00, where slide1 begins and 539.00 to 544.00, as slide0 ends" in said
    assert run_inline(gather((cohorts.slide(0), cohorts.slide(1)))).notices == ()
    # A model says what it needs.
    axis = MassAxis(np.arange(505.0, 540.0))
    assert run_inline(gather(slides, axis)).notices == ()


def test_the_axis_does_not_hang_on_the_order_of_rows(cohorts: Any) -> None:
    slides = [cohorts.slide(0, bins=41), cohorts.slide(1, start=500.25), cohorts.slide(2, bins=40)]
    axes = [run_inline(gather(tuple(rows))).spectra.axis for rows in permutations(slides)]
    assert all(axis == axes[0] for axis in axes)


def test_slides_of_other_channels_are_told_in_the_words_of_a_cohort(cohorts: Any) -> None:
    pixels = cohorts.slide(0).slide.pixels

    def picked(n: int, name: str) -> CohortSlide:
        axis, values = MassAxis(np.linspace(500.0, 900.0, n)), np.ones((42, n), np.float32)
        dataset = InMemoryDataset.from_matrix(axis, values, pixels, name, "centroid")
        return replace(cohorts.slide(0), slide=dataset)

    with pytest.raises(CohortError, match="few has m/z values for only 2% of the 1000 channels"):
        run_inline(gather((picked(20, "few"), picked(1000, "many"))))


def test_an_empty_slide_of_a_cohort_is_named(cohorts: Any) -> None:
    made = cohorts.slide(0)
    none = Spectrum(np.zeros(0), np.zeros(0))
    empty = InMemoryDataset.from_spectra([none] * 42, made.slide.pixels, "empty")
    with pytest.raises(SlideError, match="empty holds no peak"):
        run_inline(gather((made, replace(made, slide=empty))))


def test_a_slide_that_was_exported_twice_is_told(cohorts: Any, tmp_path: Path) -> None:
    """Another UUID, another type of number, a few pixels less: the same measurement."""
    made = cohorts.slide(0)
    labels = Annotation(made.labels.labels[:, :7])
    write_imzml(tmp_path / "one.imzML", made.slide)
    with ImzMLWriter(str(tmp_path / "two.imzML"), intensity_dtype=np.float64) as again:
        for i in range(3, made.slide.n_spectra):
            spectrum, row, column = made.slide.spectrum(i), *divmod(i, 7)
            again.addSpectrum(spectrum.mz, spectrum.intensity, (column + 1, row + 1, 1))

    def gathered(first: str, second: str) -> Any:
        return run_inline(
            gather(
                (
                    CohortSlide(tmp_path / "one.imzML", labels, first),
                    CohortSlide(tmp_path / "two.imzML", labels, second),
                    cohorts.slide(1, "another"),
                )
            )
        )

    (said,) = gathered("P0a", "P0b").cautions
    assert said.startswith("70 labelled spectra are the same, number by number, in different gr")
    assert "(one, two)" in said
    assert gathered("P0", "P0").cautions == ()


def test_spectra_of_few_peaks_may_be_equal_by_chance(cohorts: Any) -> None:
    made = [cohorts.slide(seed, f"patient {seed}") for seed in range(2)]
    few = np.zeros((42, 40), np.float32)
    few[:, :4] = 1
    slides = tuple(
        replace(
            one,
            slide=InMemoryDataset.from_matrix(one.slide.mass_axis, few, one.slide.pixels, "few"),
        )
        for one in made
    )
    assert run_inline(gather(slides)).cautions == ()
