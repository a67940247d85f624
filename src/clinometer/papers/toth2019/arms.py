"""The networks that are compared, what they are called, and what claims and figures read of their runs."""

from collections.abc import Sequence

import numpy as np

from clinometer.papers.toth2019.configs import BLOCKS, LANDSCAPE
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.series import StyledVariant
from clinometer.training.config import Bases, RunConfig

LABELS = {
    ("mfcc", "layer"): "hears sound",
    ("off", "layer"): "hearing off",
    ("mfcc", "none"): "hears sound, without LayerNorm",
}
MOST = 4096.0  # multiples of a step up to which headroom is sought


def heard(bases: Bases) -> RunConfig:
    """The autoencoder of the scale: its decoder hears the sound, and its LSTMs are layer-normalised."""
    return bases["digits"]


def unheard(bases: Bases) -> RunConfig:
    """The same with hearing off: the decoder gets the sound's parameters. Of its landscape nothing is asked."""
    return bases["digits"].vary(hearing="off", probes=())


def plain(bases: Bases) -> RunConfig:
    """The first without layer normalization; of its parts nothing is asked."""
    return bases["digits"].vary(norm="none", probes=LANDSCAPE)


def styled(arms: Sequence[RunConfig]) -> list[StyledVariant]:
    """Networks as lines, each in the same colour in all figures."""
    names = [(arm["hearing"], arm["norm"]) for arm in arms]
    return [StyledVariant(arm, LABELS[name], list(LABELS).index(name)) for arm, name in zip(arms, names, strict=True)]


def error_ratio(runs: RunTable, arm: RunConfig, seeds: Sequence[int] | None = None) -> Floats:
    """The mean squared error of held-out images over that of the mean training image, (seeds, tests)."""
    mse, mean = (runs.values(arm, "test", field, seeds) for field in ("mse", "mean_image"))
    return mse / mean


def block_headroom(runs: RunTable, arm: RunConfig, seeds: Sequence[int] | None = None) -> Floats:
    """The headroom of each part at each measured step, (seeds, steps, parts); of an endless one `MOST`.

    NaN where it is not known: rounding hides at which multiple the loss rises.
    """
    return np.minimum(runs.values(arm, "headroom_blocks", "loss", seeds), MOST)


def median_headroom(runs: RunTable, arm: RunConfig, seeds: Sequence[int] | None = None) -> dict[str, Floats]:
    """The median over training of each part's headroom where it is known, (seeds,), by the part."""
    return dict(zip(BLOCKS, median_of_known(block_headroom(runs, arm, seeds), 1).T, strict=True))


def median_of_known(values: Floats, axis: int) -> Floats:
    """The median of what is not NaN; NaN where all is.

    Example:
        >>> median_of_known(np.array([[1.0, np.nan, 3.0], [np.nan] * 3]), 1)
        array([ 2., nan])
    """
    return np.ma.median(np.ma.masked_invalid(values), axis=axis).filled(np.nan)
