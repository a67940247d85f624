"""G8: whether the landscape of an equivariant network is smoother at matched loss and matched parameters."""

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.matched_loss import matched_difference
from clinometer.analysis.paired import of_most_seeds
from clinometer.papers.bronstein2021.configs import trained
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, above, below
from clinometer.training.config import Bases, RunConfig


def smoother(runs: RunTable, bases: Bases) -> Evidence:
    """G8."""
    networks = trained(bases)
    padded, circular, p4 = (networks[name] for name in ("padded", "circular", "p4"))
    return Evidence(
        (
            _larger(runs, padded, p4, "variation", "padded / p4"),
            _larger(runs, padded, p4, "beta", "padded / p4"),
            below("headroom, padded / p4, at matched loss", _headroom(runs, padded, p4), 0.0, FACTOR),
        ),
        beside=(
            _larger(runs, padded, p4, "relative_gap", "padded / p4"),
            _larger(runs, padded, circular, "variation", "padded / circular"),
            _larger(runs, padded, circular, "beta", "padded / circular"),
        ),
    )


def _larger(runs: RunTable, ours: RunConfig, other: RunConfig, name: str, told: str) -> Comparison:
    found = matched_difference(runs, ours, other, log_quantity(runs, name))
    return above(f"{QUANTITIES[name]}, {told}, at matched loss", _known(found), 0.0, FACTOR)


def _headroom(runs: RunTable, ours: RunConfig, other: RunConfig) -> Floats:
    def measure(arm: RunConfig, seeds: list[int]) -> Floats:
        return np.log10(runs.values(arm, "headroom_gradient", "loss", seeds))

    return _known(matched_difference(runs, ours, other, measure))


def _known(found: Floats) -> Floats:
    """Those of the seeds whose networks come through common losses, if these are at least half."""
    return of_most_seeds(found, np.isfinite(found))


CLAIMS = (
    Claim(
        "G8",
        "at matched loss and numbers of parameters the p4 network's landscape is smoother than the padded one's",
        "ours: not in the book",
        "Three parts, along the gradient, over the losses that both networks come through once they have begun to "
        "learn, as geometric means, seed by seed: loss variation, and β (which at one learning rate is β·lr/2), are "
        "larger for the padded network, and its headroom is smaller. Over the seeds that have common losses; "
        "undecided where these are fewer than half. Beside them, and not counted: the relative change of the "
        "gradient, and the circular network.",
        ("matched_loss",),
        smoother,
        {"least factor": 1.0},
    ),
)
