from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.model import thin_products
from napari_ims_tumor.model.thin_products import rows_times, times_rows


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("few", [1, 2, 3, 5])
def test_halves_are_the_whole(few: int, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thin_products, "cpu_cores", lambda: cores)
    rng = np.random.default_rng(few)
    matrix = rng.normal(size=(701, 3001)).astype(np.float32)
    assert matrix.size >= thin_products.WORTH_IT
    columns = rng.normal(size=(few, 3001)).astype(np.float32)
    rows = rng.normal(size=(few, 701)).astype(np.float32)
    np.testing.assert_allclose(times_rows(matrix, columns), matrix @ columns.T, atol=1e-3)
    np.testing.assert_allclose(rows_times(rows, matrix), rows @ matrix, atol=1e-3)


@pytest.mark.parametrize("shape", [(3000, 1000), (701, 3001), (1327, 4099)])
@pytest.mark.parametrize("few", [1, 2, 3])
def test_one_core_finds_the_same_bits_as_two(
    few: int, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(few)
    matrix = rng.normal(size=shape).astype(np.float32)
    along = rng.normal(size=(few, shape[1])).astype(np.float32)
    down = rng.normal(size=(few, shape[0])).astype(np.float32)
    found = []
    for cores in (1, 2):
        monkeypatch.setattr(thin_products, "cpu_cores", lambda cores=cores: cores)
        found.append((times_rows(matrix, along), rows_times(down, matrix)))
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two)


def test_a_fault_in_the_second_half_is_not_lost() -> None:
    matrix = np.zeros((1024, 4096), np.float32)
    with pytest.raises(ValueError, match="matmul"):
        times_rows(matrix, np.zeros((2, 7), np.float32))
