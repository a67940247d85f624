"""M1 and P1: the mean drift."""

import functools

import numpy as np

from clinometer.analysis.paired import log_ratio
from clinometer.papers.subramanian2019.claims.readings import READINGS, trained
from clinometer.papers.subramanian2019.drift import AFTER_RELU, BEFORE, BEFORE_RELU, growth, late, levels
from clinometer.papers.subramanian2019.variants import classifiers
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, above, below
from clinometer.training.config import Bases, RunConfig

STILL = 1.1  # "does not grow": by less than this factor


def drifts(reading: str, runs: RunTable, bases: Bases) -> Evidence:
    """M1 in one reading."""
    batch, plain, centred = classifiers(bases, ["batch", f"spectral{reading}", f"mean_spectral{reading}"])
    seeds = runs.common(batch, plain, centred)

    def grown(arm: RunConfig, site: str = BEFORE) -> Floats:
        return growth(levels(runs, arm, seeds, site))

    def ratio(site: str) -> Floats:
        return log_ratio(*(late(levels(runs, arm, seeds, site)) for arm in (centred, plain)))

    def weights(arm: RunConfig) -> Floats:
        return growth(np.abs(runs.values(arm, "weights", "mean", seeds)).mean(-1))

    return Evidence(
        (
            above(
                "κ before the ReLU, which is the convolution's output: SN, late over first", grown(plain), 0.0, FACTOR
            ),
            below("κ before the mean is subtracted: MSN, late over first", grown(centred), np.log10(STILL), FACTOR),
            below("late κ before the ReLU, MSN over SN", ratio(BEFORE_RELU), 0.0, FACTOR),
        ),
        trained(runs, batch, plain, centred),
        beside=(
            below("late κ of the convolution's output, MSN over SN", ratio(BEFORE), 0.0, FACTOR),
            below("late κ after the ReLU, MSN over SN", ratio(AFTER_RELU), 0.0, FACTOR),
            below("κ of the convolution's output: BN, late over first", grown(batch), np.log10(STILL), FACTOR),
            above("mean of a weight's entries over their deviation: SN, late over first", weights(plain), 0.0, FACTOR),
            below(
                "mean of a weight's entries over their deviation: MSN, late over first",
                weights(centred),
                np.log10(STILL),
                FACTOR,
            ),
        ),
    )


_RULE = (
    "Three parts. κ of a layer is the root mean square over units of their means, over that of their deviations, on "
    "the step's batch, and is averaged over layers; late is the mean over the last third of the measured steps. (1) "
    "SN: the convolutions' outputs, which the ReLUs take, are further from centred late than at the first step. (2) "
    "MSN: its convolutions' outputs, before the mean is subtracted, are not, or by less than 10%. (3) Before the "
    "ReLU, late, MSN is nearer to centred than SN. There the mean of a unit is MSN's β, which is learned as SN's "
    "bias is: the norm puts it at 0 only at the start. So (3) alone would be decided by a parameter, and (2) alone "
    "by what the next line takes off. Beside it, and not counted: the same at other sites; BN; and the mean of the "
    "weights' entries over their deviation, which is what the figures of the author's code call the drift."
)

CLAIMS = tuple(
    Claim(
        f"{letter}1",
        f"the mean drift of spectral normalization grows over training, and that of MSN does not ({how})",
        "abstract",
        _RULE,
        ("drift",),
        functools.partial(drifts, reading),
        {"factor that is no growth": STILL},
    )
    for letter, (reading, how) in READINGS.items()
)
