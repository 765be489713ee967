from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.model.folded_linear import FoldedLinear
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.normalization import LIMIT, InputNormalization, root_of_shares


@pytest.mark.parametrize("low", [0.0, 40.0], ids=["roots reach no lower limit", "they do"])
def test_it_answers_as_the_linear_path_to_centered_and_scaled_spectra(low: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.gamma(0.3, 1, (40, 600)).astype(np.float32)
    values[:, 7] += low
    values[3] = 0
    values[5, 7] = 0
    values[9, 100] = 1e4
    roots = root_of_shares(values)
    learned = InputNormalization.learn(roots)
    # Narrow scales: some spectra lie beyond the limit on both sides.
    narrow = InputNormalization(learned.center, learned.scale / 4)
    inputs = narrow.apply(roots)
    assert (inputs == LIMIT).any()
    assert (inputs == -LIMIT).any() == bool(low)
    linear = LinearPath(
        rng.normal(size=(3, 600)).astype(np.float32) / 25,
        np.array([0.3, -0.2, 0.1], np.float32),
    )
    found = FoldedLinear(narrow, linear).logits(roots)
    np.testing.assert_allclose(found, linear.logits(inputs), rtol=0, atol=2e-5)
    np.testing.assert_array_equal(found[3], linear.bias)
