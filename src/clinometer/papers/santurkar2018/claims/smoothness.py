"""C7 to C10: the landscape along the gradient and along random directions."""

from collections.abc import Callable

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.learning_progress import learning_starts
from clinometer.analysis.matched_loss import matched_difference
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import dln, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence, no_evidence
from clinometer.studies.comparison import Comparison, above
from clinometer.training.config import Bases, RunConfig


def smoother_by(name: str) -> Callable[[RunTable, Bases], Evidence]:
    """C7, C8, C9: one of the paper's three quantities along the gradient."""
    return lambda runs, bases: _smoother(runs, bases, [name], "landscape")


def alike_along_random_directions(runs: RunTable, bases: Bases) -> Evidence:
    """C10."""
    return _smoother(runs, bases, list(QUANTITIES), "landscape_random")


def _smoother(runs: RunTable, bases: Bases, names: list[str], probe: str) -> Evidence:
    """Whether each quantity is larger for the standard network, in both kinds of network."""
    pairs = [("VGG", vgg(bases, ["none", "batch"])), ("DLN", dln(bases, ["none", "batch"]))]
    arms = [arm for _, both in pairs for arm in both]
    parts: list[Comparison] = []
    matched: list[Comparison] = []
    starts: list[str] = []
    for kind, both in pairs:
        seeds = runs.common(*both)
        start = learning_starts(runs, both, seeds)
        if not (start <= runs.steps(both[0], probe)[-1]).all():
            return no_evidence(f"a {kind} never began to learn: {trained(runs, *both)}")
        starts.append(f"{kind} {', '.join(f'{step:g}' for step in start)}")
        for name in names:
            one, two = (_summary(runs, arm, name, seeds, probe, start) for arm in both)
            compared = f"{kind}: log10 of {QUANTITIES[name]}, standard − BatchNorm"
            parts.append(above(compared, one - two))
            at_losses = matched_difference(runs, both[0], both[1], log_quantity(runs, name, probe))
            matched.append(above(f"{compared}, at matched loss", at_losses))
    return Evidence(
        tuple(parts),
        f"both networks had begun to learn at step: {'; '.join(starts)}; {trained(runs, *arms)}",
        beside=tuple(matched),
    )


def _summary(runs: RunTable, arm: RunConfig, name: str, seeds: list[int], probe: str, start: Floats) -> Floats:
    """log10 of a quantity, one per seed: of β the maximum over the run, of the others the mean from `start` on."""
    logs = log_quantity(runs, name, probe)(arm, seeds)
    if name == "beta":
        return logs.max(1)
    return np.mean(logs, axis=1, where=runs.steps(arm, probe) >= start[:, None])


_BOTH = (
    "Two parts, for the VGG and for the DLN. Beside them, and not counted: the same at matched loss, where each "
    "network is looked at the same losses on its way down."
)
_WINDOW = (
    "Geometric mean over the measured steps from the one at which both networks have begun to learn (accuracy over 9 "
    "steps past twice chance; for the DLN the start); undecided if a network never does."
)

CLAIMS = (
    Claim(
        "C7",
        "smaller loss variation along the gradient with BatchNorm",
        "Fig. 4(a), 10(a)",
        f"The loss variation, largest minus smallest loss along the gradient, is larger without BatchNorm. {_WINDOW} "
        + _BOTH,
        ("figure_04", "figure_10"),
        smoother_by("variation"),
    ),
    Claim(
        "C8",
        "more predictive gradients with BatchNorm",
        "Fig. 4(b), 10(b), 11",
        f"The largest change of the gradient along the gradient is larger without BatchNorm. {_WINDOW} {_BOTH}",
        ("figure_04", "figure_10"),
        smoother_by("gap"),
    ),
    Claim(
        "C9",
        "smaller effective β with BatchNorm",
        "Fig. 4(c), 10(c)",
        "The maximum of β over the whole run is larger without BatchNorm; not a late mean, since β settles near 2/lr "
        f"in both. Undecided if a network never begins to learn. {_BOTH}",
        ("figure_04", "figure_10"),
        smoother_by("beta"),
    ),
    Claim(
        "C10",
        "the landscape behaves alike along random directions",
        "Section 3.2",
        f"C7, C8 and C9 along a Gaussian direction of the gradient's length, another at each step. {_WINDOW} {_BOTH}",
        ("random_directions",),
        alike_along_random_directions,
    ),
)
