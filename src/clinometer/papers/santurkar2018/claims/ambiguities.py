"""D1 to D3: what our decisions change where the paper is silent. Ours, not the paper's."""

import numpy as np

from clinometer.analysis.accuracies import lower, mean_odds
from clinometer.analysis.learning_progress import loss_fell
from clinometer.analysis.paired import log_ratio
from clinometer.papers.santurkar2018.ambiguities import dln_rows, lp_rows
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import label
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, above, within
from clinometer.training.config import Bases, RunConfig

LITTLE = 2.0  # "matters little": within this factor


def lp_reading(runs: RunTable, bases: Bases) -> Evidence:
    """D1."""
    ours, literal, sample = lp_rows(bases)
    seeds = runs.common(*ours, *literal, *sample)

    def slower(arm: RunConfig, own: RunConfig, reading: str) -> Comparison:
        name = f"mean training accuracy, {label(arm)}: {reading} − ours"
        return lower(name, mean_odds(runs, arm, seeds), mean_odds(runs, own, seeds))

    literals = [(arm, own) for arm, own in zip(literal, ours, strict=True) if arm != own]
    return Evidence(
        tuple(slower(arm, own, "‖y‖ₚ/m") for arm, own in literals),
        trained(runs, *literal),
        beside=tuple(slower(arm, own, "of each sample") for arm, own in zip(sample, ours, strict=True)),
    )


def loss_reading(runs: RunTable, bases: Bases) -> Evidence:
    """D2."""
    ours, mean, _ = dln_rows(bases)
    fell = _over_ours(runs, ours, mean)
    return Evidence(
        tuple(above(f"{name}, mean loss over sum", ratio, unit=FACTOR) for name, ratio in fell.items()),
        trained(runs, *mean),
    )


def last_norm(runs: RunTable, bases: Bases) -> Evidence:
    """D3."""
    ours, _, bare = dln_rows(bases)
    fell = _over_ours(runs, ours[1:], bare[1:])
    return Evidence(
        tuple(
            within(f"{name}, no norm at the end over norm", ratio, -np.log10(LITTLE), np.log10(LITTLE), FACTOR)
            for name, ratio in fell.items()
        ),
        trained(runs, *bare[1:]),
    )


def _over_ours(runs: RunTable, ours: list[RunConfig], other: list[RunConfig]) -> dict[str, Floats]:
    """log10 of the ratio of what is left of the loss, under another reading over ours, (seeds,), by name."""
    seeds = runs.common(*ours, *other)
    return {
        f"DLN, {label(own)}: last over first loss": log_ratio(loss_fell(runs, arm, seeds), loss_fell(runs, own, seeds))
        for own, arm in zip(ours, other, strict=True)
    }


CLAIMS = (
    Claim(
        "D1",
        "our decision, not the paper's claim: read literally, as a p-norm divided by m, the L2 and L∞ statistic breaks "
        "training",
        "Section 3.3",
        "For L2 and L∞ on digits: mean training accuracy over the run is lower than with the average p-norm, which is "
        "our reading; compared by log odds, told in percentage points. Beside it, and not counted: a norm of each "
        "sample.",
        ("ambiguities",),
        lp_reading,
    ),
    Claim(
        "D2",
        "our decision, not the paper's claim: with the mean for the sum as loss, the deep linear network trains less",
        "Appendix A",
        "Last over first loss after the same steps at the same learning rate is larger with the mean, both with "
        "BatchNorm and without.",
        ("ambiguities",),
        loss_reading,
    ),
    Claim(
        "D3",
        "our decision, not the paper's claim: whether a norm stands after its last layer matters little to how far the "
        "BatchNorm DLN gets",
        "Appendix A",
        f"Last over first loss without BatchNorm after the last layer lies within a factor {LITTLE:g} of that with it, "
        "the margin of C3.",
        ("ambiguities",),
        last_norm,
        {"factor": LITTLE},
    ),
)
