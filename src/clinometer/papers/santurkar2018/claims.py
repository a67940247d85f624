"""What the paper claims, and the rule that decides each claim, fixed before any run.

Comparisons are paired by seed: the two networks start from the same weights and see the same batches. Ratios are
compared as logarithms. A network that never leaves chance decides nothing: its landscape is flat because it has
not begun to learn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from clinometer.papers.santurkar2018.arms import LABELS, relative_drift
from clinometer.study.claims import Claim, Finding, above, below, undecided
from clinometer.study.config import Config
from clinometer.study.table import Floats, Runs
from clinometer.study.trained import accuracy, final_accuracy, left_chance

ALIVE = 0.2  # twice chance: above it a network has begun to learn
TRAINED = 0.9
ALMOST = 0.05  # "almost as well": within five points of mean training accuracy
SIMILAR = 0.1  # "similar": log10 of a factor 1.26
SIMILAR_COSINE = 0.05
EARLY = 0.2  # the first fifth of the run, while both networks still have a loss to reduce

Arm = dict[str, Any]


def trains_faster(runs: Runs, base: Config) -> Finding:
    """C1."""
    none, batch = _arms(base, "none", "batch")
    high_none, high_batch = ({**arm, "lr": 0.5} for arm in (none, batch))
    seeds = runs.pairs(none, batch)
    high = runs.pairs(high_none, high_batch)
    if not seeds or not high:
        return undecided("a network has no finished run")
    return Finding(
        (
            above(
                f"mean training accuracy at lr {base.lr:g}, BatchNorm − standard",
                _speed(runs, batch, seeds) - _speed(runs, none, seeds),
            ),
            above("final training accuracy at lr 0.5, BatchNorm", final_accuracy(runs, high, **high_batch), TRAINED),
            below("final training accuracy at lr 0.5, standard", final_accuracy(runs, high, **high_none), ALIVE),
        ),
        _trained(runs, none, batch, high_none, high_batch),
    )


def noise_is_harmless(runs: Runs, base: Config) -> Finding:
    """C4."""
    none, batch, noisy = arms = _arms(base, "none", "batch", "noisy_batch")
    seeds = sorted(set(runs.pairs(none, noisy)) & set(runs.pairs(batch, noisy)))
    if not seeds:
        return undecided("a network has no finished run")
    speed = _speed(runs, noisy, seeds)
    return Finding(
        (
            above("mean training accuracy, noisy BatchNorm − standard", speed - _speed(runs, none, seeds)),
            above("mean training accuracy, noisy − plain BatchNorm", speed - _speed(runs, batch, seeds), -ALMOST),
            above(
                "drift of the activations' means, noisy BatchNorm − standard",
                (relative_drift(runs, seeds, **noisy) - relative_drift(runs, seeds, **none)).mean(1),
            ),
        ),
        _trained(runs, *arms),
    )


def shift_is_not_reduced(runs: Runs, base: Config) -> Finding:
    """C6."""
    none, batch = _arms(base, "none", "batch")
    seeds = runs.pairs(none, batch)
    if not seeds:
        return undecided("a network has no finished run")
    early = runs.steps("internal_shift", **none) <= EARLY * base.steps

    def mean(arm: Arm, field: str, chosen: Any) -> Floats:
        values = runs.values("internal_shift", field, seeds=seeds, **arm)[:, :, 1:]  # layer 1 has no shift
        return (np.log10(values) if field == "l2" else values)[:, chosen].mean((1, 2))

    def difference(field: str, chosen: Any = slice(None)) -> Floats:
        return mean(batch, field, chosen) - mean(none, field, chosen)

    whole = [float(difference(field).mean()) for field in ("l2", "cosine")]
    return Finding(
        (
            above("log10 of ‖G − G′‖, BatchNorm − standard", difference("l2", early), -SIMILAR),
            below("cos(G, G′), BatchNorm − standard", difference("cosine", early), SIMILAR_COSINE),
        ),
        f"over the whole run the differences are {whole[0]:+.2f} and {whole[1]:+.2f}; {_trained(runs, none, batch)}",
    )


def loss_varies_less(runs: Runs, base: Config) -> Finding:
    """C7."""

    def measure(arm: Arm, seeds: list[int], begun: Floats) -> Floats:
        high, low = (runs.values("landscape", field, seeds=seeds, **arm) for field in ("loss_max", "loss_min"))
        return _geometric_mean(runs, arm, high - low, begun)

    return _smoother(runs, base, "the loss variation", measure)


def gradients_predict(runs: Runs, base: Config) -> Finding:
    """C8."""

    def measure(arm: Arm, seeds: list[int], begun: Floats) -> Floats:
        return _geometric_mean(runs, arm, runs.values("landscape", "gap_max", seeds=seeds, **arm), begun)

    return _smoother(runs, base, "the largest change of the gradient", measure)


def beta_is_smaller(runs: Runs, base: Config) -> Finding:
    """C9."""

    def measure(arm: Arm, seeds: list[int], _begun: Floats) -> Floats:
        return runs.values("landscape", "beta", seeds=seeds, **arm).max(1)

    return _smoother(runs, base, "the largest β over training", measure)


def _smoother(runs: Runs, base: Config, name: str, measure: Callable[[Arm, list[int], Floats], Floats]) -> Finding:
    """Whether `measure`, one number per seed, is larger for the standard network, once both have begun to learn."""
    none, batch = _arms(base, "none", "batch")
    seeds = runs.pairs(none, batch)
    if not seeds:
        return undecided("a network has no finished run")
    begun = np.maximum(left_chance(runs, seeds, **none), left_chance(runs, seeds, **batch))
    if not (begun <= runs.steps("landscape", **none)[-1]).all():
        return undecided(f"a network never left chance; {_trained(runs, none, batch)}")
    logs = np.log10(measure(none, seeds, begun)) - np.log10(measure(batch, seeds, begun))
    return Finding(
        (above(f"log10 of {name}, standard − BatchNorm", logs),),
        f"a factor {10 ** float(logs.mean()):.3g}; both networks had left chance at step "
        f"{', '.join(f'{step:g}' for step in begun)}; {_trained(runs, none, batch)}",
    )


def _geometric_mean(runs: Runs, arm: Arm, values: Floats, begun: Floats) -> Floats:
    """The geometric mean of `values` (seeds, steps) over the measured steps from `begun` (seeds,) on."""
    chosen = runs.steps("landscape", **arm) >= begun[:, None]
    return np.exp(np.mean(np.log(values), axis=1, where=chosen))


def _arms(base: Config, *norms: str) -> list[Arm]:
    return [{"norm": norm, "lr": base.lr} for norm in norms]


def _speed(runs: Runs, arm: Arm, seeds: list[int]) -> Floats:
    return accuracy(runs, seeds, **arm).mean(1)


def _trained(runs: Runs, *arms: Arm) -> str:
    reached = (
        f"{LABELS[arm['norm']]} at lr {arm['lr']:g} {100 * final_accuracy(runs, **arm).mean():.0f}%" for arm in arms
    )
    return "final training accuracy: " + ", ".join(reached)


_WINDOW = (
    "Geometric mean over the measured steps from the one at which both networks' accuracy over 9 steps has passed "
    "twice chance; undecided if a network never does."
)

CLAIMS = (
    Claim(
        "C1",
        "BatchNorm trains faster at lr 0.1 and still trains at lr 0.5, where the standard network does not",
        "Fig. 1(a)",
        "Three parts. At lr 0.1 the mean training accuracy over the run is larger with BatchNorm. At lr 0.5 "
        f"BatchNorm's accuracy over the last 10 steps exceeds {TRAINED:.0%}, and the standard network's stays below "
        f"{ALIVE:.0%}, twice chance.",
        ("figure_01",),
        trains_faster,
    ),
    Claim(
        "C4",
        "noisy BatchNorm trains almost as well as BatchNorm and better than the standard network, although its "
        "distributions are less stable than the standard network's",
        "Fig. 2",
        "Three parts. The mean training accuracy over the run is larger than the standard network's; it is not smaller "
        f"than plain BatchNorm's by more than {ALMOST:.0%}; the change of the units' means between measured steps, "
        "over their standard deviations (root mean squares over units, mean over layers), is larger than in the "
        "standard network.",
        ("figure_02",),
        noise_is_harmless,
    ),
    Claim(
        "C6",
        "BatchNorm does not reduce internal covariate shift: its l2 difference is similar or larger, its cosine "
        "similar or smaller",
        "Fig. 3(a)",
        f"Two parts, each a mean over layers 2 and up and over the first {EARLY:.0%} of the run, while both networks "
        f"have a loss to reduce. ‖G − G′‖ is not smaller by more than a factor {10**SIMILAR:.2f}; cos(G, G′) is not "
        f"larger by more than {SIMILAR_COSINE}.",
        ("figure_03",),
        shift_is_not_reduced,
    ),
    Claim(
        "C7",
        "smaller loss variation along the gradient with BatchNorm",
        "Fig. 4(a)",
        "The loss variation, largest minus smallest loss along the gradient, is larger in the standard network. "
        + _WINDOW,
        ("figure_04",),
        loss_varies_less,
    ),
    Claim(
        "C8",
        "more predictive gradients with BatchNorm",
        "Fig. 4(b)",
        "The largest change of the gradient along the gradient is larger in the standard network. " + _WINDOW,
        ("figure_04",),
        gradients_predict,
    ),
    Claim(
        "C9",
        "smaller effective β with BatchNorm",
        "Fig. 4(c)",
        "The maximum of β over the whole run is larger in the standard network; not a late mean, since β settles near "
        "2/lr in both. Undecided if a network never passes twice chance.",
        ("figure_04",),
        beta_is_smaller,
    ),
)
