"""Which part of the autoencoder has the least room: headroom of each part alone over training."""

import numpy as np

from clinometer.papers.toth2019.arms import block_headroom, heard, median_of_known
from clinometer.papers.toth2019.configs import BLOCKS
from clinometer.plots.panels import reference
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.config import Bases, RunConfig

TITLE = "Headroom of each part"


def arms(bases: Bases) -> list[RunConfig]:
    """The autoencoder that hears."""
    return [heard(bases)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """The median over seeds of each part's headroom, and in which share of seeds it is the least."""
    (arm,) = arms(bases)
    room, steps = block_headroom(runs, arm), runs.steps(arm, "headroom_blocks")
    shares = (room == np.nan_to_num(room, nan=np.inf).min(2, keepdims=True)).mean(0)
    edge = reference("1: the part's step raises the loss", steps, 1.0)

    def lines(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[Series, ...]:
        return tuple(Series(name, n, steps, values[:, n]) for n, name in enumerate(BLOCKS))

    return Figure(
        TITLE,
        "By what factor a part's share of Adam's step could be lengthened, the others standing still, before the loss "
        f"of its batch rises; sought up to 4,096. Left: median over {len(room)} seeds. Right: the share of seeds in "
        "which the part has the least.",
        (
            Panel("headroom", "step", "multiples of the step", (*lines(median_of_known(room, 0)), edge), yscale="log"),
            Panel("least headroom", "step", "share of seeds", lines(shares), ylim=(-0.02, 1.02)),
        ),
        columns=2,
    )
