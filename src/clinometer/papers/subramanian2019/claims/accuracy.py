"""M2 and P2: accuracies at each arm's own best learning rate."""

import functools

from clinometer.analysis.accuracies import TEST_IMAGES, final_odds, higher, test_odds
from clinometer.papers.subramanian2019.claims.readings import READINGS, trained
from clinometer.papers.subramanian2019.variants import classifiers, label
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import Comparison
from clinometer.training.config import Bases, RunConfig

NEAR = 0.02  # "comparable to BN": not below by more than two points


def accuracies(reading: str, runs: RunTable, bases: Bases) -> Evidence:
    """M2 in one reading."""
    none, batch, plain, centred = classifiers(bases, ["none", "batch", f"spectral{reading}", f"mean_spectral{reading}"])
    seeds = runs.common(none, batch, plain, centred)

    def part(ours: RunConfig, other: RunConfig, margin: float = 0.0) -> Comparison:
        first, second = (test_odds(runs, arm, seeds, TEST_IMAGES[arm.data]) for arm in (ours, other))
        return higher(f"test accuracy, {label(ours)} − {label(other)}", first, second, margin)

    def fitted(ours: RunConfig, other: RunConfig) -> Comparison:
        first, second = (final_odds(runs, arm, seeds) for arm in (ours, other))
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


_RULE = (
    f"Two parts, of the test accuracy at the end: MSN's is higher than SN's, and not below BN's by more than "
    f"{100 * NEAR:.0f} points, which is what the README of the author's code calls comparable. Every arm has its own "
    "learning rate, the best of five by the training loss of pilot seeds. Accuracies are compared by their log odds. "
    "Beside it, and not counted: each against no norm; and training accuracies over the last 10 steps."
)

CLAIMS = tuple(
    Claim(
        f"{letter}2",
        f"MSN is more accurate than SN, and about as accurate as BN ({how})",
        "abstract",
        _RULE,
        ("accuracy",),
        functools.partial(accuracies, reading),
        {"points below BN": 100 * NEAR},
    )
    for letter, (reading, how) in READINGS.items()
)
