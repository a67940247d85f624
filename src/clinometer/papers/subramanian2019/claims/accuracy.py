"""M2 and P2: accuracies at each arm's own best learning rate."""

import functools
import math

import numpy as np

from clinometer.analysis.learning_progress import LAST, final_accuracy
from clinometer.papers.subramanian2019.claims.readings import trained
from clinometer.papers.subramanian2019.variants import classifiers, label
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.statistics import logit
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import Comparison, above, points_at
from clinometer.training.config import Bases, RunConfig

CHANCE = 0.1
NEAR = 0.02  # "comparable to BN": not below by more than two points
TEST_IMAGES = {"digits": 297, "cifar10": 10_000}


def accuracies(reading: str, runs: RunTable, bases: Bases) -> Evidence:
    """M2 in one reading."""
    none, batch, plain, centred = classifiers(bases, ["none", "batch", f"spectral{reading}", f"mean_spectral{reading}"])
    seeds = runs.common(none, batch, plain, centred)

    def part(ours: RunConfig, other: RunConfig, margin: float = 0.0) -> Comparison:
        return higher(
            f"test accuracy, {label(ours)} − {label(other)}",
            tested(runs, ours, seeds),
            tested(runs, other, seeds),
            margin,
        )

    def fitted(ours: RunConfig, other: RunConfig) -> Comparison:
        first, second = (logit(final_accuracy(runs, arm, seeds), LAST * arm.batch_size) for arm in (ours, other))
        return higher(f"training accuracy, {label(ours)} − {label(other)}", first, second)

    return Evidence(
        (part(centred, plain), part(centred, batch, NEAR)),
        trained(runs, none, batch, plain, centred),
        beside=(
            part(centred, none),
            part(plain, none),
            part(batch, none),
            fitted(centred, plain),
            fitted(centred, batch),
        ),
    )


def tested(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    """Log odds of the test accuracy at the end, (seeds,); that of chance after a run diverged."""
    ends = np.nan_to_num(runs.values(arm, "test", "accuracy", seeds)[:, -1], nan=CHANCE)
    return logit(ends, TEST_IMAGES[arm.data])


def higher(name: str, ours: Floats, other: Floats, margin: float = 0.0) -> Comparison:
    """The part "our accuracy is higher, or lower by less than a margin", from log odds, told in percentage points."""
    reference = float(np.mean(other))
    bound = 0.0
    if margin:
        least = max(1 / (1 + math.exp(-reference)) - margin, CHANCE)
        bound = math.log(least / (1 - least)) - reference
    return above(name, ours - other, bound, points_at(reference))


_RULE = (
    f"Two parts, of the test accuracy at the end: MSN's is higher than SN's, and not below BN's by more than "
    f"{100 * NEAR:.0f} points, which is what the README of the author's code calls comparable. Every arm has its own "
    "learning rate, the best of five by the training loss of pilot seeds. Accuracies are compared by their log odds. "
    "Beside it, and not counted: each against no norm; and training accuracies over the last 10 steps."
)

CLAIMS = tuple(
    Claim(
        name,
        f"MSN is more accurate than SN, and about as accurate as BN ({how})",
        "abstract",
        _RULE,
        ("accuracy",),
        functools.partial(accuracies, reading),
        {"points below BN": 100 * NEAR},
    )
    for name, reading, how in (("M2", "", "reparametrised"), ("P2", "_projected", "projected"))
)
