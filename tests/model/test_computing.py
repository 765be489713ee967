from __future__ import annotations

from dataclasses import replace

import pytest

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import FitConfig


def test_a_name_stands_for_a_device_and_the_usual_way_of_it() -> None:
    assert Computing.of("cuda:1") == Computing("cuda:1", "auto", False)
    asked = Computing("cpu", "bfloat16", True)
    assert Computing.of(asked) is asked


def test_a_config_hands_on_all_that_says_how_to_compute() -> None:
    config = FitConfig(device="cpu", precision="float32", deterministic=True)
    assert config.computing == Computing("cpu", "float32", True)


def test_an_unknown_precision_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(FitRefused, match="no precision 'float16': use auto or float32 or bfloat16"):
        _ = replace(FitConfig(), precision="float16").computing  # type: ignore[arg-type]
