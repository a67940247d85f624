"""What is claimed of the autoencoder, and the rule that decides each claim, fixed before the confirmatory seeds.

Networks are compared seed by seed: equal seeds see equal batches.
"""

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.paired import log_ratio
from clinometer.papers.toth2019.arms import error_ratio, heard, median_headroom, plain, unheard
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, above, below
from clinometer.training.config import Bases, RunConfig

LATE = 0.75  # of a run: from here on a network has come as far as the budget lets it
EARLY = 0.5
TIGHTEST = "write"  # the part that pilots with seeds below 100 showed to have the least headroom


def beats_the_mean_image(runs: RunTable, bases: Bases) -> Evidence:
    """S1."""
    arm, other = heard(bases), unheard(bases)
    ratios = np.log10(error_ratio(runs, arm)[:, -1])
    return Evidence(
        (below("held-out error, through sound / mean image", ratios, 0.0, FACTOR),),
        _trained(runs, arm),
        beside=(
            below("held-out error, hearing off / mean image", np.log10(error_ratio(runs, other)[:, -1]), 0.0, FACTOR),
        ),
    )


def hearing_costs_speed(runs: RunTable, bases: Bases) -> Evidence:
    """S2."""
    arm, other = heard(bases), unheard(bases)
    seeds = runs.common(arm, other)
    late = runs.steps(arm, "train") >= LATE * arm.steps
    losses = [runs.values(each, "train", "loss", seeds)[:, late].mean(1) for each in (arm, other)]
    errors = [error_ratio(runs, each, seeds)[:, -1] for each in (arm, other)]
    return Evidence(
        (above("training loss at the end, hearing / hearing off", log_ratio(*losses), 0.0, FACTOR),),
        _trained(runs, arm, other),
        beside=(above("held-out error, hearing / hearing off", log_ratio(*errors), 0.0, FACTOR),),
    )


def least_headroom(runs: RunTable, bases: Bases) -> Evidence:
    """S3."""
    arm = heard(bases)
    room = {block: np.log10(np.maximum(values, 1e-3)) for block, values in median_headroom(runs, arm).items()}
    tightest = room.pop(TIGHTEST)
    parts = [
        below(f"headroom of {TIGHTEST} / {block}", tightest - values, 0.0, FACTOR) for block, values in room.items()
    ]
    return Evidence(tuple(parts), _trained(runs, arm))


def layer_norm_smooths(runs: RunTable, bases: Bases) -> Evidence:
    """S4."""
    normed, bare = heard(bases), plain(bases)
    seeds = runs.common(normed, bare)

    def ratio(name: str, probe: str, whole: bool) -> Floats:
        measure = log_quantity(runs, name, probe)
        steps = runs.steps(normed, probe)
        chosen = np.ones(len(steps), bool) if whole else steps < EARLY * normed.steps
        return (measure(bare, seeds) - measure(normed, seeds))[:, chosen].mean(1)

    def larger(name: str, probe: str, along: str, whole: bool = True) -> Comparison:
        when = "whole run" if whole else "first half"
        told = f"{QUANTITIES[name]} along the {along}, {when}, without LayerNorm / with"
        return above(told, ratio(name, probe, whole), 0.0, FACTOR)

    return Evidence(
        (larger("variation", "landscape", "gradient"),),
        _trained(runs, normed, bare),
        beside=(
            larger("variation", "landscape", "gradient", whole=False),
            larger("gap", "landscape", "gradient"),
            larger("relative_gap", "landscape", "gradient"),
            larger("variation", "landscape_update", "update"),
        ),
    )


def _trained(runs: RunTable, *arms: RunConfig) -> str:
    """How far the networks had come, and how many did not."""
    told: list[str] = []
    for arm in dict.fromkeys(arms):
        ratio = error_ratio(runs, arm)[:, -1]
        name = f"{arm['hearing']}, {arm['norm']} norm"
        diverged = f", {runs.diverged(arm)} diverged" if runs.diverged(arm) else ""
        told.append(f"held-out error over the mean image's ({name}): {ratio.min():.2f} to {ratio.max():.2f}{diverged}")
    return "; ".join(told)


CLAIMS = (
    Claim(
        "S1",
        "images are reconstructed through sound: better than by the mean image",
        "Abstract: models were trained to convert images to sound and back",
        "The mean squared error of the 297 held-out digits at the end of the run, drawn from their sound, over that of "
        "the mean training digit, the best guess without a sound, is below 1: compared as a logarithm. Beside it, and "
        "not counted: the same with hearing off.",
        ("reconstruction",),
        beats_the_mean_image,
        {"largest factor": 1.0},
        lambda bases: [heard(bases), unheard(bases)],
    ),
    Claim(
        "S2",
        "the hearing model costs training speed",
        "The author's notes in the code; the abstract has hearing models as a constraint",
        f"The training loss, its mean from {LATE:.0%} of the run on, is larger where the decoder hears the sound by "
        "MFCC than where it gets the sound's parameters, at the same number of steps: as a factor above 1. Beside it, "
        "and not counted: the same of the held-out error.",
        ("reconstruction",),
        hearing_costs_speed,
        {"from this share of the run": LATE, "least factor": 1.0},
        lambda bases: [heard(bases), unheard(bases)],
    ),
    Claim(
        "S3",
        f"of the seven parts, {TIGHTEST} has the least headroom over training",
        "not in the paper; measured by us",
        "Six parts: the median over the measured steps of the headroom of "
        f"{TIGHTEST}, moved alone along its own share of Adam's step, is smaller than that of each of "
        "the other parts, as a factor below 1. An endless headroom counts as 4,096, to which it is sought; one of 0, "
        "where a part's step goes uphill, as 0.001 if it is the median; steps at which rounding hides it are left out.",
        ("parts",),
        least_headroom,
        {"largest factor": 1.0, "largest headroom": 4096.0, "least headroom": 1e-3},
    ),
    Claim(
        "S4",
        "layer normalization of the LSTMs smooths the loss along the gradient",
        "not in the paper; Santurkar et al. (2018), Fig. 4(a), asked of another norm",
        "The loss variation, largest minus smallest loss at 0.05 to 0.4 units of the parameters along the gradient, as "
        "a geometric mean over the measured steps, is larger without layer normalization: as a factor above 1. Beside "
        "it, and not counted: the first half of the run; the largest change of the gradient, and that over its length; "
        "and the loss variation at half to four times Adam's update.",
        ("landscape",),
        layer_norm_smooths,
        {"least factor": 1.0},
    ),
)
