"""M4 and P4: the gradient's sparsity."""

import functools

from clinometer.papers.subramanian2019.claims.readings import READINGS, trained
from clinometer.papers.subramanian2019.rows import DEFINED, THRESHOLDS
from clinometer.papers.subramanian2019.variants import classifiers, label
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import POINTS, Comparison, above
from clinometer.training.config import Bases, RunConfig


def sparser(reading: str, runs: RunTable, bases: Bases) -> Evidence:
    """M4 in one reading."""
    none, batch, plain, centred = classifiers(bases, ["none", "batch", f"spectral{reading}", f"mean_spectral{reading}"])
    seeds = runs.common(none, batch, plain, centred)

    def part(ours: RunConfig, other: RunConfig, threshold: float = DEFINED) -> Comparison:
        where = f"below {threshold:g} of the largest" if threshold else "exactly 0"
        return above(
            f"share of gradients {where}, {label(ours)} − {label(other)}",
            shares(runs, ours, seeds, threshold) - shares(runs, other, seeds, threshold),
            0.0,
            POINTS,
        )

    return Evidence(
        (part(plain, batch),),
        trained(runs, none, batch, plain, centred),
        beside=(
            *(part(plain, batch, threshold) for threshold in THRESHOLDS if threshold != DEFINED),
            part(plain, none),
            part(centred, batch),
        ),
    )


def shares(runs: RunTable, arm: RunConfig, seeds: list[int], threshold: float) -> Floats:
    """The sparsity of all weights' gradient at a threshold, mean over the measured steps, (seeds,)."""
    return runs.values(arm, "gradients", "sparsity", seeds)[..., THRESHOLDS.index(threshold)].mean(1)


CLAIMS = tuple(
    Claim(
        f"{letter}4",
        f"spectral normalization makes the gradient sparser than BN does ({how})",
        "abstract",
        "The share of entries of the gradient by all convolutions' and the head's weights whose magnitude is below "
        f"{DEFINED:g} of the largest, mean over the measured steps, is larger with SN than with BN. The gradient is "
        "that by the tensors that the optimizer moves. Beside it, and not counted: other thresholds, among them "
        "entries that are exactly 0, which is what the author's code counts; SN against no norm; MSN against BN.",
        ("sparsity",),
        functools.partial(sparser, reading),
        {"threshold": DEFINED},
    )
    for letter, (reading, how) in READINGS.items()
)
