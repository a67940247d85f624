"""M3 and P3: what a step takes beside BatchNorm's."""

import functools
import math

import numpy as np

from clinometer.papers.subramanian2019.rows import STEP_TIME, VARIANTS
from clinometer.papers.subramanian2019.variants import timed
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, below
from clinometer.training.config import Bases

STATED = 0.84  # of BatchNorm's time: the abstract says about 16% faster
SAID = {"M3": "reparametrised, 1 iteration", "P3": "projected, 100 iterations"}


def faster(counted: str, runs: RunTable, bases: Bases) -> Evidence:
    """M3 of one variant."""
    (arm,) = timed(bases)
    seeds = runs.common(arm)
    place = {name: index for index, name in enumerate(VARIANTS)}

    def part(name: str, field: str, what: str, bound: float = 1.0) -> Comparison:
        ratios: Floats = np.log10(runs.values(arm, STEP_TIME, field, seeds)[:, 0, place[name]])
        more = f": at most {bound:g}" if bound != 1 else ""
        return below(f"{what}, {name} over BN{more}", ratios, math.log10(bound), FACTOR)

    return Evidence(
        (part(counted, "ratio", "step"),),
        "Median over rounds of pairs in one process, each run another process; CPU time of one thread.",
        beside=(
            part(counted, "ratio", "step", STATED),
            part(counted, "evaluation", "forward pass in evaluation"),
            *(part(name, "ratio", "step") for name in VARIANTS if name != counted),
        ),
    )


CLAIMS = tuple(
    Claim(
        name,
        f"a step with MSN takes less time than one with BN ({counted})",
        "abstract",
        "The ratio of the CPU times of a training step, MSN over BN, is below 1: each run takes the median over its "
        f"rounds, in which both take their turns on one batch, and runs are the samples. Beside it, and not counted: "
        f"that it is at most {STATED}, as the abstract's 16% has it; a forward pass in evaluation; other variants; and "
        "BN over a copy of itself, which shows how well such times can be told.",
        ("step_time",),
        functools.partial(faster, counted),
        {"ratio": 1.0},
    )
    for name, counted in SAID.items()
)
