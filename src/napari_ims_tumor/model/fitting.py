"""*Fit*: the linear answer first, then the CNN, judged on held-out groups, joined if it helps.

1. The linear model on all labelled spectra: a first answer, at once.
2. The same on grouped folds: its held-out score and temperature.
3. CNNs on the same folds, epoch by epoch. Held-out groups choose the number of epochs and the
   share of the CNN in the answer; a share of 0 means that the linear answer stands.
4. The CNN on all labelled spectra for that number of epochs.

``isotopenet`` and ``faithful`` are fitted alone, after step 2: on all labelled spectra for a fixed
number of epochs, then on held-out folds for the score and the temperature.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from napari_ims_tumor.errors import FitRefused, ModelFileError
from napari_ims_tumor.job import Job
from napari_ims_tumor.model.config import PLAIN, FitConfig, why_not_fine_tune
from napari_ims_tumor.model.device import describe_device, prepare
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.heritage import kept_words, with_classes
from napari_ims_tumor.model.linear_phase import linear_phase
from napari_ims_tumor.model.network_phase import network_phase
from napari_ims_tumor.model.plain_phase import plain_phase
from napari_ims_tumor.model.preparation import is_sampled_curve
from napari_ims_tumor.model.samples import LabelledSpectra, why_not_fit
from napari_ims_tumor.model.steady_threads import steadily
from napari_ims_tumor.model.unfinished import Unfinished, mark_of, refuse_other_fit

__all__ = ["EpochReport", "fit"]

FOR_NETWORK: Final = 2 / 3
"""Of a time limit: the linear model is judged by fewer held-out groups rather than take it."""
NO_NETWORK: Final = "before a network was fitted: the linear model is used"
UNJUDGED: Final = "before held-out groups had judged the linear model: it is uncalibrated"

NO_SHIFT: Final = (
    "On this m/z axis each bin is an ion of its own, so spectra cannot be shifted by bins: leave "
    "shift out of the augmentation."
)


def fit(
    spectra: LabelledSpectra, config: FitConfig, base: FittedModel | Unfinished | None = None
) -> Job[EpochReport, FittedModel]:
    """Fit a model to labelled spectra.

    Parameters
    ----------
    spectra
        Binned raw intensities with classes and groups.
    config
        Network, seed, limits.
    base
        A model to start from (fine-tuning): its axis and normalization are kept, and what it knows
        of the classes that the labels have too. Or a fit that was ended: it goes on, and without
        limits its model is the same as if it had not been, byte for byte.

    Yields
    ------
    EpochReport
        Several times a second; the first with a ``preview`` holds the linear model.

    Returns
    -------
    FittedModel
        After STOP or a limit: the best model so far, at least the linear one.

    Raises
    ------
    FitRefused
        There is too little to fit, the device is not there or cannot compute so, or it is not the
        fit that was ended.
    ModelFileError
        The base belongs to another axis, or where the fit was ended is damaged.
    """
    earlier = base if isinstance(base, Unfinished) else None
    first = base.base if isinstance(base, Unfinished) else base
    _refuse(spectra, config, first)
    names = spectra.class_names
    own = with_classes(first, names) if first else None
    if earlier is not None:
        refuse_other_fit(earlier, mark_of(spectra, config, own))
    steps = _fit(spectra, config, own, earlier)
    model = yield from steadily(steps, config.deterministic)
    model = model.with_note(*filter(None, [kept_words(first, names) if first else None]))
    if model.unfinished is None:
        return model
    bare = replace(model, unfinished=None)
    return replace(model, unfinished=replace(model.unfinished, base=first, model=bare))


def _fit(
    spectra: LabelledSpectra,
    config: FitConfig,
    base: FittedModel | None,
    earlier: Unfinished | None,
) -> Job[EpochReport, FittedModel]:
    prepare(config.computing)
    later = 0.0 if config.network == "linear" else FOR_NETWORK
    run = FitRun(config.time_limit_s, describe_device(config.device).name, later)
    doubted = None if earlier is None else earlier.doubted
    answer = yield from linear_phase(spectra, config, base, run, doubted)
    # A fold is taken note of once it was held out.
    is_judged = len(answer.taken) > 1 or not answer.validation.folds
    if run.over and earlier is not None and earlier.model is not None:
        # Ended again before it could go on: what there was is better than the linear model.
        return replace(earlier.model, unfinished=earlier)
    if run.over and not (is_judged and config.network == "linear"):
        return answer.model.with_note(f"{run.ended} {NO_NETWORK if is_judged else UNJUDGED}")
    if config.network == "linear":
        return answer.model
    if config.network in PLAIN:
        return (yield from plain_phase(answer, config, run))
    return (yield from network_phase(answer, config, base, run, earlier))


def _refuse(spectra: LabelledSpectra, config: FitConfig, base: FittedModel | None) -> None:
    reason = why_not_fit(spectra.counts)
    if reason is not None:
        raise FitRefused(reason)
    if "shift" in (config.augment or ()) and not is_sampled_curve(spectra.axis):
        raise FitRefused(NO_SHIFT)
    if base is None:
        return
    for network in (config.network, base.network.network):
        reason = why_not_fine_tune(network)
        if reason is not None:
            raise FitRefused(reason)
    if base.axis != spectra.axis:
        raise ModelFileError(
            f"the model to start from was fitted on m/z {base.axis.low:.2f} to "
            f"{base.axis.high:.2f} ({len(base.axis)} bins), the spectra lie on m/z "
            f"{spectra.axis.low:.2f} to {spectra.axis.high:.2f} ({len(spectra.axis)} bins): "
            "bin them on the model's axis"
        )
