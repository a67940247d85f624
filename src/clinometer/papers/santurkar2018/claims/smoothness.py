"""C7 to C10: the landscape along the gradient and along random directions; F1: where β settles."""

import warnings
from collections.abc import Callable

import numpy as np

from clinometer.papers.santurkar2018.arms import dln, label, vgg
from clinometer.papers.santurkar2018.claims.progress import begun, trained
from clinometer.papers.santurkar2018.matched import QUANTITIES, log_ratios, quantity
from clinometer.study.claims import Claim, Finding, Part, above, below, undecided
from clinometer.study.config import Bases, Config
from clinometer.study.table import Floats, Runs

PLATEAU = np.log10(2)  # "near 2/lr": within a factor 2
LATE = 0.5  # the second half of the run


def smoother_by(name: str) -> Callable[[Runs, Bases], Finding]:
    """C7, C8, C9: one of the paper's three quantities along the gradient."""
    return lambda runs, bases: _smoother(runs, bases, [name], "landscape")


def alike_along_random_directions(runs: Runs, bases: Bases) -> Finding:
    """C10."""
    return _smoother(runs, bases, list(QUANTITIES), "landscape_random")


def beta_settles(runs: Runs, bases: Bases) -> Finding:
    """F1."""
    arms = [*vgg(bases, ["none", "batch"]), *dln(bases, ["none", "batch"])]
    if not all(runs.seeds(arm) for arm in arms):
        return undecided("a network has no finished run")
    parts: list[Part] = []
    for arm in arms[:2]:
        seeds = runs.seeds(arm)
        if not np.isfinite(begun(runs, [arm], seeds)).all():
            return undecided(f"{label(arm)} never left chance; {trained(runs, *arms)}")
        settled = _settled(runs, arm)
        parts.append(above(f"log10 of β · lr / 2, {label(arm)}: at least ½", settled, -PLATEAU))
        parts.append(below(f"log10 of β · lr / 2, {label(arm)}: at most 2", settled, PLATEAU))
    deep = tuple(above(f"DLN: log10 of β · lr / 2, {label(arm)}", _settled(runs, arm)) for arm in arms[2:])
    return Finding(tuple(parts), trained(runs, *arms), beside=deep)


def _smoother(runs: Runs, bases: Bases, names: list[str], probe: str) -> Finding:
    """Whether each quantity is larger for the standard network, in both kinds of network."""
    pairs = [("VGG", vgg(bases, ["none", "batch"])), ("DLN", dln(bases, ["none", "batch"]))]
    arms = [arm for _, both in pairs for arm in both]
    if not all(runs.seeds(*both) for _, both in pairs):
        return undecided("a network has no finished run")
    parts: list[Part] = []
    matched: list[Part] = []
    starts: list[str] = []
    for kind, both in pairs:
        seeds = runs.seeds(*both)
        start = begun(runs, both, seeds)
        if not (start <= runs.steps(both[0], probe)[-1]).all():
            return undecided(f"a {kind} never began to learn: {trained(runs, *both)}")
        starts.append(f"{kind} {', '.join(f'{step:g}' for step in start)}")
        for name in names:
            one, two = (_summary(runs, arm, name, seeds, probe, start) for arm in both)
            said = f"{kind}: log10 of {QUANTITIES[name]}, standard − BatchNorm"
            parts.append(above(said, one - two))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # losses that do not overlap: NaN, hence undecided
                matched.append(above(f"{said}, at matched loss", log_ratios(runs, both[0], both[1], name, probe)))
    factors = ", ".join(f"{10**part.interval.value:.3g}" for part in parts)
    return Finding(
        tuple(parts),
        f"factors {factors}; both networks had begun to learn at step: {'; '.join(starts)}; {trained(runs, *arms)}",
        beside=tuple(matched),
    )


def _summary(runs: Runs, arm: Config, name: str, seeds: list[int], probe: str, start: Floats) -> Floats:
    """log10 of a quantity, one per seed: of β the maximum over the run, of the others the mean from `start` on."""
    logs = np.log10(quantity(runs, arm, name, seeds, probe))
    if name == "beta":
        return logs.max(1)
    return np.mean(logs, axis=1, where=runs.steps(arm, probe) >= start[:, None])


def _settled(runs: Runs, arm: Config) -> Floats:
    late = runs.steps(arm, "landscape") >= LATE * arm.steps
    return np.median(np.log10(runs.values(arm, "landscape", "beta_lr_half")[:, late]), axis=1)


_BOTH = (
    "Two parts, for the VGG and for the DLN. Beside them, and not counted: the same at matched loss, where each "
    "network is looked at when its loss first comes down to the same levels."
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
    Claim(
        "F1",
        "not in the paper, found by us: β settles near 2/lr with BatchNorm and without",
        "β · lr / 2 in Fig. 4(c)",
        "For the VGG at lr 0.1, with BatchNorm and without: the median of β · lr / 2 over the second half of the run "
        "lies between ½ and 2. Beside it, and not counted: the DLN.",
        ("plateau",),
        beta_settles,
    ),
)
