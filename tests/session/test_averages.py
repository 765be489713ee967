"""Mean spectra of classes and regions are made when they are looked at, and kept up to date."""

from __future__ import annotations

import numpy as np
import pytest
from tests.session.conftest import Ear

from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.averages import REGION
from napari_ims_tumor.session.session import Session


@pytest.fixture
def ear(session: Session) -> Ear:
    return Ear(session)


def labels(**pixels: slice) -> np.ndarray:
    image = np.zeros((12, 10), np.uint8)
    for name, columns in pixels.items():
        image[:, columns] = {"healthy": 1, "tumor": 2}[name]
    return image


def test_nothing_is_read_until_somebody_looks(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    session.adopt(slide)
    session.annotate(labels(tumor=slice(5, 10)))
    session.averages.renew()
    assert not ear["spectrum_averaged"]


def test_the_mean_of_a_class_is_that_of_its_pixels(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    session.adopt(slide)
    session.annotate(labels(tumor=slice(5, 10), healthy=slice(3, 5)))
    session.averages.want("tumor", True)
    session.averages.want("healthy", True)
    made = {one.name: one for (one,) in ear["spectrum_averaged"]}
    inside = slide.pixels.columns >= 5
    matrix = np.stack([slide.spectrum(i).intensity for i in range(slide.n_spectra)])
    assert made["tumor"].count == inside.sum()
    assert np.allclose(made["tumor"].spectrum.intensity, matrix[inside].mean(axis=0))
    # One pixel of the healthy columns was not measured.
    assert made["healthy"].count == 23
    session.averages.want("healthy", False)
    ear.heard.clear()
    session.averages.renew()
    assert [one.name for (one,) in ear["spectrum_averaged"]] == ["tumor"]


def test_a_class_without_a_pixel_has_no_spectrum(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    session.adopt(slide)
    session.averages.want("tumor", True)
    assert [(one.count, one.spectrum) for (one,) in ear["spectrum_averaged"]] == [(0, None)]


def test_a_region_is_averaged_anew_when_it_changes(
    session: Session, slide: InMemoryDataset, ear: Ear
) -> None:
    session.adopt(slide)
    mask = np.zeros((12, 10), bool)
    mask[3, 3:5] = True
    session.averages.choose_region(mask)
    session.averages.want(REGION, True)
    session.averages.choose_region(mask.copy())
    (one,) = (one for (one,) in ear["spectrum_averaged"])
    index = slide.pixels.index_at(3, 3)
    assert index is not None
    assert one.count == 1
    assert np.allclose(one.spectrum.intensity, slide.spectrum(index).intensity)
    session.averages.choose_region(np.ones((5, 5), bool))
    assert ear["spectrum_averaged"][-1][0].count == 0
