"""C7 to C10: the landscape along the gradient and along random directions."""

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.learning_progress import learning_starts
from clinometer.analysis.paired import ENOUGH
from clinometer.papers.santurkar2018.configs import is_deep_linear
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import dln, label, vgg
from clinometer.papers.santurkar2018.windows import (
    BEGUN,
    EARLY,
    EARLY_SHARE,
    EARLY_STEPS,
    MATCHED,
    PEAK,
    START,
    WHOLE,
    log_ratios,
)
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, above
from clinometer.training.config import Bases, RunConfig

MAGNITUDE = 1.5  # log10: a factor that rounds to two orders of magnitude or to more
Pairs = dict[str, list[RunConfig]]  # kind of network to the standard one and the one with BatchNorm


def smaller_variation(runs: RunTable, bases: Bases) -> Evidence:
    """C7."""
    return _along_the_gradient(runs, bases, "variation", EARLY)


def more_predictive(runs: RunTable, bases: Bases) -> Evidence:
    """C8."""
    return _along_the_gradient(runs, bases, "gap", EARLY, MAGNITUDE)


def smaller_beta(runs: RunTable, bases: Bases) -> Evidence:
    """C9."""
    return _along_the_gradient(runs, bases, "beta", PEAK)


def alike_along_random_directions(runs: RunTable, bases: Bases) -> Evidence:
    """C10."""
    pairs = _pairs(bases)
    parts: list[Comparison] = []
    beside: list[Comparison] = []
    for kind, both in pairs.items():
        counted = EARLY if is_deep_linear(both[0]) else BEGUN
        for name in ("variation", "gap", "beta"):
            found = _ratios(runs, both, name, "landscape_random")
            (beside if name == "beta" else parts).append(_larger(kind, name, found, counted))
            beside += [_larger(kind, name, found, window) for window in (WHOLE, MATCHED)]
    return _evidence(runs, pairs, parts, beside)


def _along_the_gradient(runs: RunTable, bases: Bases, name: str, counted: str, bound: float = 0.0) -> Evidence:
    """Whether a quantity is larger for the standard network in the window that counts, in both kinds of network."""
    pairs = _pairs(bases)
    parts: list[Comparison] = []
    beside: list[Comparison] = []
    for kind, both in pairs.items():
        found = _ratios(runs, both, name, "landscape")
        parts.append(_larger(kind, name, found, counted, bound))
        beside += [_larger(kind, name, found, counted)] if bound else []
        beside += [_larger(kind, name, found, window) for window in found if window != counted]
        if name == "gap":
            relative = _ratios(runs, both, "relative_gap", "landscape")
            beside += [_larger(kind, "relative_gap", relative, window) for window in relative]
    return _evidence(runs, pairs, parts, beside)


def _pairs(bases: Bases) -> Pairs:
    return {"VGG": vgg(bases, ["none", "batch"]), "DLN": dln(bases, ["none", "batch"])}


def _ratios(runs: RunTable, both: list[RunConfig], name: str, probe: str) -> dict[str, Floats]:
    """log10 of a quantity of the standard network over BatchNorm's, by window."""
    found = log_ratios(runs, both[0], both[1], log_quantity(runs, name, probe), probe)
    if is_deep_linear(both[0]):
        del found[START], found[BEGUN]  # they begin at step 0
    return found


def _larger(kind: str, name: str, found: dict[str, Floats], window: str, bound: float = 0.0) -> Comparison:
    at_least = f": at least {10**bound:.3g}" if bound else ""
    compared = f"{kind}, {window}: {QUANTITIES[name]}, standard / BatchNorm{at_least}"
    return above(compared, found[window], bound, FACTOR)


def _evidence(runs: RunTable, pairs: Pairs, parts: list[Comparison], beside: list[Comparison]) -> Evidence:
    """The evidence, with when each VGG began to learn, and in how many seeds a network never did."""
    notes: list[str] = []
    for kind, both in pairs.items():
        starts = [learning_starts(runs, [arm], runs.common(*both)) for arm in both]
        dead = ~(np.max(starts, axis=0) <= runs.steps(both[0], "landscape")[-1])
        notes += [f"in {dead.sum()} of {len(dead)} seeds a {kind} never began to learn"] * bool(dead.any())
        if not is_deep_linear(both[0]):
            notes += [
                f"{label(arm)} began at step {_range(each[~dead])}" for arm, each in zip(both, starts, strict=True)
            ]
    arms = [arm for both in pairs.values() for arm in both]
    return Evidence(tuple(parts), "; ".join([*notes, trained(runs, *arms)]), tuple(beside))


def _range(values: Floats) -> str:
    return f"{values.min():g} to {values.max():g}" if len(values) else "none"


_WINDOWS = (
    "Windows: early, a tenth of a VGG's run and 400 steps of a deep linear network's from the step at which both "
    "networks have begun to learn (accuracy over 9 steps past twice chance; a deep linear network begins at step 0): "
    "before it a network is flat because it has not begun; peak, the largest value of the whole run; whole run. Early "
    "and whole run are geometric means over the measured steps. Two networks of a seed are compared at equal steps, as "
    "a factor. Over those seeds in which both begin to learn; undecided where these are fewer than "
    f"{ENOUGH:.0%}."
)
_BESIDE = (
    "Beside them, and not counted: the other windows; for the VGG the first tenth of the run from step 0, and all "
    "steps from which both have begun to learn; and at matched loss, where each network is looked at the same losses "
    "on its way down."
)
_BOUNDS = {
    "early share of a VGG's steps": EARLY_SHARE,
    "early steps of a DLN": EARLY_STEPS,
    "share of seeds": ENOUGH,
}

CLAIMS = (
    Claim(
        "C7",
        "smaller loss variation along the gradient with BatchNorm",
        "Fig. 4(a), 10(a)",
        "Two parts, for the VGG and for the deep linear network. Early in training, where the paper sees the "
        "difference most, the loss variation, largest minus smallest loss along the gradient, is larger without "
        f"BatchNorm. {_WINDOWS} {_BESIDE}",
        ("figure_04", "figure_10"),
        smaller_variation,
        {**_BOUNDS, "least factor": 1.0},
    ),
    Claim(
        "C8",
        "more predictive gradients with BatchNorm, by near two orders of magnitude early in training",
        "Fig. 4(b), 10(b), 11",
        "Two parts, for the VGG and for the deep linear network. Early in training the largest change of the gradient "
        "along the gradient is larger without BatchNorm by at least 10^1.5, the least factor that rounds to two orders "
        f"of magnitude. {_WINDOWS} {_BESIDE} Also whether it is larger at all, and all of it for the relative change "
        "‖g′ − g‖/‖g‖, since a large gradient changes by much even where it keeps its direction.",
        ("figure_04", "figure_10"),
        more_predictive,
        {**_BOUNDS, "least factor": 10**MAGNITUDE},
    ),
    Claim(
        "C9",
        "smaller effective β with BatchNorm",
        "Fig. 4(c), 10(c)",
        "Two parts, for the VGG and for the deep linear network. The largest β of the run is larger without BatchNorm; "
        f"not a mean over late steps, since β settles near 2/lr with and without. {_WINDOWS} {_BESIDE}",
        ("figure_04", "figure_10"),
        smaller_beta,
        {**_BOUNDS, "least factor": 1.0},
    ),
    Claim(
        "C10",
        "the landscape behaves alike along random directions: BatchNorm's is the smoother one",
        "Section 3.2",
        "Four parts, two for the VGG and two for the deep linear network. Along a Gaussian direction, another at each "
        "step, of which both networks walk the same distances, the loss variation and the largest change of the "
        "gradient are larger without BatchNorm, as the paper has it along the gradient. Geometric means over the "
        "measured steps: of the VGG from the one at which both networks have begun to learn, of the deep linear "
        f"network, which learns from the start, steps 0 to {EARLY_STEPS} as in C7 and C8. Over those seeds in which "
        f"both begin to learn; undecided where these are fewer than {ENOUGH:.0%}. Beside them, and not counted: the "
        "whole run; matched loss; and β, which at equal distances says what the change of the gradient says.",
        ("random_directions",),
        alike_along_random_directions,
        {"early steps of a DLN": EARLY_STEPS, "share of seeds": ENOUGH, "least factor": 1.0},
    ),
)
