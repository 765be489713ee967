"""Lay spectra onto an axis, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray
from napari_ims_tumor.msi.binning.cells import LONE_REACH_DA, Cells, cells_of
from napari_ims_tumor.msi.binning.in_range import ragged_in_range, rows_in_range
from napari_ims_tumor.msi.binning.kept_bins import kept_bins
from napari_ims_tumor.msi.binning.overlap import shares_of
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.spectrum import Mode, RaggedBlock, SharedAxisBlock

CELLS_AT_ONCE = 2**22


def bin_spectra(
    dataset: MsiDataset,
    axis: MassAxis,
    indices: IntArray | None = None,
    into: Float32Array | None = None,
) -> Job[Progress, Float32Array]:
    """Bin spectra into one matrix.

    Parameters
    ----------
    dataset
        The slide.
    axis
        The bins.
    indices
        Which spectra, in which order; all by default.
    into
        The matrix to fill; a new one in memory by default.

    Returns
    -------
    ndarray
        Shape (n, bins), float32, finite: raw summed intensity per bin.
    """
    total = dataset.n_spectra if indices is None else len(indices)
    matrix = np.zeros((total, len(axis)), np.float32) if into is None else into
    done = 0
    for chosen, values in binned_blocks(dataset, axis, indices):
        matrix[done : done + chosen.size] = values
        done += chosen.size
        if (yield Progress("Binning spectra", done, total)) is STOP:
            raise JobStopped("stopped while binning spectra: nothing was changed")
    return matrix


def binned_blocks(
    dataset: MsiDataset, axis: MassAxis, indices: IntArray | None = None
) -> Iterator[tuple[IntArray, Float32Array]]:
    """Bin spectra in blocks of bounded memory, in the given order.

    A bin reaches to the midpoints of its neighbors, over a gap no further than the local step
    (see :func:`~napari_ims_tumor.msi.binning.cells.cells_of`). Where the slide has this very axis,
    the values are its own. Intensities that are not finite count as 0.

    Yields
    ------
    indices, values
        Shape (k,) spectrum numbers, and (k, bins) float32; not to be written to. Those that are
        kept (:mod:`.kept_bins`) are not read again.
    """
    kept = kept_bins(dataset, axis)
    if kept is None:
        yield from _read_blocks(dataset, axis, indices)
        return
    wanted = np.arange(dataset.n_spectra) if indices is None else np.asarray(indices, np.int64)
    known = kept.n_known(wanted)
    yield from kept.blocks(wanted[:known])
    if known == len(wanted):
        return
    # A slide that is read whole may come from memory, or leave behind what it learned.
    for chosen, values in _read_blocks(dataset, axis, wanted[known:] if known else indices):
        kept.put(chosen, values)
        yield chosen, values


def bins_job(dataset: MsiDataset, axis: MassAxis) -> Job[Progress, None]:
    """Read what is missing of the bins that are kept of a slide; ends where it is stopped."""
    kept = kept_bins(dataset, axis)
    if kept is None:
        return
    total, missing = dataset.n_spectra, kept.missing
    done = total - len(missing)
    for chosen, _ in binned_blocks(dataset, axis, missing) if len(missing) else ():
        done += len(chosen)
        if (yield Progress("Preparing fits", done, total)) is STOP:
            return


def _read_blocks(
    dataset: MsiDataset, axis: MassAxis, indices: IntArray | None
) -> Iterator[tuple[IntArray, Float32Array]]:
    bins = cells_of(axis.mz, lone_reach=LONE_REACH_DA)
    plan = _SharedPlan(axis, bins, dataset.mode)
    for block in dataset.blocks(indices):
        if isinstance(block, SharedAxisBlock):
            yield np.array(block.indices), plan.binned(block)
        else:
            yield from _binned_ragged(block, dataset.mode, bins)


class _SharedPlan:
    """How a shared axis maps onto the bins: worked out once, used for every block."""

    def __init__(self, axis: MassAxis, bins: Cells, mode: Mode) -> None:
        self._axis, self._bins, self._mode = axis, bins, mode
        self._source: Float64Array | None = None
        self._mz: Float64Array | None = None
        self._matrix: csr_matrix | None = None

    def binned(self, block: SharedAxisBlock) -> Float32Array:
        # Most slides hand out one array: it need not be compared with itself each time.
        if block.mz is not self._source:
            if self._mz is None or not np.array_equal(self._mz, block.mz):
                self._prepare(block.mz)
            self._source = None if block.mz.flags.writeable else block.mz
        values = rows_in_range(block.intensity)
        if self._matrix is None:
            return np.array(values, np.float32)
        return np.asarray(values @ self._matrix, np.float32)

    def _prepare(self, mz: Float64Array) -> None:
        self._mz = np.array(mz)
        same = np.array_equal(mz, self._axis.mz)
        shares = None if same else shares_of(mz, self._mode, self._bins)
        self._matrix = None if shares is None else shares.as_matrix(mz.size, len(self._axis))


def _binned_ragged(
    block: RaggedBlock, mode: Mode, bins: Cells
) -> Iterator[tuple[IntArray, Float32Array]]:
    """Bin a block of separate axes, a few spectra at a time."""
    at_once = max(1, CELLS_AT_ONCE // bins.low.size)
    for start in range(0, block.indices.size, at_once):
        rows = block.indices[start : start + at_once]
        bounds = block.bounds[start : start + rows.size + 1]
        part = slice(bounds[0], bounds[-1])
        ragged = RaggedBlock(rows, block.mz[part], block.intensity[part], bounds - bounds[0])
        yield np.array(rows), _bin_flat(ragged, mode, bins)


def _bin_flat(block: RaggedBlock, mode: Mode, bins: Cells) -> Float32Array:
    n_rows, n_bins = block.indices.size, bins.low.size
    shares = shares_of(block.mz, mode, bins, block.bounds)
    row = np.repeat(np.arange(n_rows), np.diff(block.bounds))[shares.source]
    weights = ragged_in_range(block.intensity, block.bounds)[shares.source] * shares.weight
    # One flat count is many times faster than adding into a matrix at (row, bin) pairs.
    flat = np.bincount(row * n_bins + shares.target, weights, n_rows * n_bins)
    return flat.astype(np.float32).reshape(n_rows, n_bins)
