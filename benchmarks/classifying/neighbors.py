"""Which measured pixels lie around a pixel on its own side of the validation border."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


def mean_of_neighbors(
    places: tuple[np.ndarray, np.ndarray, np.ndarray], sides: np.ndarray, window: int
) -> csr_matrix:
    """Weights of the mean over a square of ``window`` pixels around each pixel, itself included.

    Parameters
    ----------
    places
        Number of the image, row and column of each pixel, (n,) each.
    sides
        Shape (n,): pixels of another side are no neighbors.
    window
        Side of the square, odd.

    Returns
    -------
    csr_matrix
        Shape (n, n); every row adds up to 1.
    """
    image, row, column = places
    reach = window // 2
    n = len(image)
    index = np.full((image.max() + 1, row.max() + window, column.max() + window), -1)
    index[image, row + reach, column + reach] = np.arange(n)
    pairs = []
    for down in range(window):
        for right in range(window):
            other = index[image, row + down, column + right]
            there = np.flatnonzero(other >= 0)
            there = there[sides[other[there]] == sides[there]]
            pairs.append(np.stack([there, other[there]]))
    at, other = np.concatenate(pairs, axis=1)
    share = 1 / np.bincount(at, minlength=n)[at]
    return csr_matrix((share, (at, other)), shape=(n, n))
