"""D1 to D3: what our decisions change where the paper is silent. Ours, not the paper's."""

from clinometer.analysis.learning_progress import loss_fell, mean_accuracy
from clinometer.analysis.paired import log_ratio
from clinometer.papers.santurkar2018.ambiguities import dln_rows, lp_rows
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import label
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import above, below
from clinometer.training.config import Bases, RunConfig


def lp_reading(runs: RunTable, bases: Bases) -> Evidence:
    """D1."""
    ours, literal, sample = lp_rows(bases)
    seeds = runs.common(*ours, *literal, *sample)

    def slower(arm: RunConfig, own: RunConfig) -> Floats:
        return mean_accuracy(runs, arm, seeds) - mean_accuracy(runs, own, seeds)

    literals = [(arm, own) for arm, own in zip(literal, ours, strict=True) if arm != own]
    return Evidence(
        tuple(below(f"mean training accuracy, {label(a)}: ‖y‖ₚ/m − ours", slower(a, own)) for a, own in literals),
        trained(runs, *literal),
        beside=tuple(
            below(f"mean training accuracy, {label(a)}: of each sample − ours", slower(a, own))
            for a, own in zip(sample, ours, strict=True)
        ),
    )


def loss_reading(runs: RunTable, bases: Bases) -> Evidence:
    """D2."""
    ours, mean, _ = dln_rows(bases)
    return _against_ours(runs, ours, mean, "mean loss − sum", more=True)


def last_norm(runs: RunTable, bases: Bases) -> Evidence:
    """D3."""
    ours, _, bare = dln_rows(bases)
    return _against_ours(runs, ours[1:], bare[1:], "no norm at the end − norm", more=False)


def _against_ours(
    runs: RunTable, ours: list[RunConfig], other: list[RunConfig], reading: str, *, more: bool
) -> Evidence:
    seeds = runs.common(*ours, *other)
    claim = above if more else below
    return Evidence(
        tuple(
            claim(
                f"DLN, {label(own)}: log10 of last over first loss, {reading}",
                log_ratio(loss_fell(runs, arm, seeds), loss_fell(runs, own, seeds)),
            )
            for own, arm in zip(ours, other, strict=True)
        ),
        trained(runs, *other),
    )


CLAIMS = (
    Claim(
        "D1",
        "our decision, not the paper's claim: read literally, as a p-norm divided by m, the L2 and L∞ statistic breaks "
        "training",
        "Section 3.3",
        "For L2 and L∞ on digits: mean training accuracy over the run is lower than with the average p-norm, which is "
        "our reading. Beside it, and not counted: a norm of each sample.",
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
        "our decision, not the paper's claim: without a norm after its last layer the BatchNorm DLN gets further",
        "Appendix A",
        "Last over first loss is smaller without BatchNorm after the last layer.",
        ("ambiguities",),
        last_norm,
    ),
)
