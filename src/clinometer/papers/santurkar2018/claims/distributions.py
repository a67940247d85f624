"""C3, C4, C6, C12: how distributions of activations move, and how gradients shift because layers below them moved."""

from typing import Any

import numpy as np

from clinometer.papers.santurkar2018.drift import between_steps, from_start
from clinometer.papers.santurkar2018.matched import at_common_losses
from clinometer.papers.santurkar2018.progress import ENDED, both_learn, speed, trained
from clinometer.papers.santurkar2018.variants import LABELS, LPS, dln, vgg
from clinometer.results.runs import Floats, Runs
from clinometer.studies.claims import Claim, Finding, Part, above, below
from clinometer.training.config import Bases, Config

ALMOST = 0.05  # "almost as well": within five points of mean training accuracy
LITTLE = np.log10(2)  # "differs little": within a factor 2
PINNED = "the norms' outputs, where this is measured, have mean β on every batch by construction"
SIMILAR = 0.1  # "similar": log10 of a factor 1.26
SIMILAR_COSINE = 0.05
EARLY = 0.2  # the first fifth of the run


def stability_differs_little(runs: Runs, bases: Bases) -> Finding:
    """C3."""
    none, batch = vgg(bases, ["none", "batch"])
    seeds = runs.common(none, batch)
    ratio = _log_drift(runs, batch, seeds) - _log_drift(runs, none, seeds)
    far = _log_drift(runs, batch, seeds, start=True) - _log_drift(runs, none, seeds, start=True)
    return Finding(
        (
            below("log10 of the drift from step to step, BatchNorm − standard: at most a factor 2 more", ratio, LITTLE),
            above("the same: at most a factor 2 less", ratio, -LITTLE),
        ),
        "BatchNorm's outputs have mean β and deviation |γ| on every batch by construction; "
        + trained(runs, none, batch),
        beside=(above("log10 of the drift from step 0, BatchNorm − standard", far),),
    )


def noise_is_harmless(runs: Runs, bases: Bases) -> Finding:
    """C4."""
    none, batch, noisy = arms = vgg(bases, ["none", "batch", "noisy_batch"])
    seeds = runs.common(*arms)
    fast = speed(runs, noisy, seeds)
    less_stable = _log_drift(runs, noisy, seeds) - _log_drift(runs, none, seeds)
    return Finding(
        (
            above("mean training accuracy, noisy BatchNorm − standard", fast - speed(runs, none, seeds)),
            above("mean training accuracy, noisy − plain BatchNorm", fast - speed(runs, batch, seeds), -ALMOST),
            above("log10 of the drift from step to step, noisy BatchNorm − standard", less_stable),
        ),
        trained(runs, *arms),
    )


def shift_is_not_reduced(runs: Runs, bases: Bases) -> Finding:
    """C6."""
    pairs = [("VGG", vgg(bases, ["none", "batch"])), ("DLN", dln(bases, ["none", "batch"]))]
    arms = [arm for _, both in pairs for arm in both]
    parts: list[Part] = []
    beside: list[Part] = []
    notes: list[str] = []
    for kind, both in pairs:
        seeds, steps = runs.common(*both), runs.steps(both[0], "internal_shift")
        chosen = both_learn(runs, both, seeds, "internal_shift")
        never = int((~chosen.any(1)).sum())
        notes += [f"in {never} of {len(seeds)} seeds at no measured step did both {kind}s learn"] * bool(never)
        parts += _compared(kind, _shift(runs, both, "l2", chosen), _shift(runs, both, "cosine", chosen))
        matched = [_matched_shift(runs, both, field) for field in ("l2", "cosine")]
        beside += _compared(f"{kind}, at matched loss", *matched)
        for said, share in ((f"the first {EARLY:.0%}", EARLY), ("the whole run", 1.0)):
            window = np.broadcast_to(steps <= share * both[0].steps, chosen.shape)
            beside += _compared(f"{kind}, {said}", *(_shift(runs, both, field, window) for field in ("l2", "cosine")))
    return Finding(tuple(parts), "; ".join([*notes, trained(runs, *arms)]), beside=tuple(beside))


def lp_shifts_more(runs: Runs, bases: Bases) -> Finding:
    """C12."""
    none, *lps = vgg(bases, ["none", *LPS])
    seeds = runs.common(none, *lps)
    parts: list[Part] = []
    beside: list[Part] = []
    for arm in lps:
        name = LABELS[arm.norm].removeprefix("Standard + ")
        far = _log_drift(runs, arm, seeds, start=True) - _log_drift(runs, none, seeds, start=True)
        near = _log_drift(runs, arm, seeds) - _log_drift(runs, none, seeds)
        spread = _log_spread(runs, arm, seeds) - _log_spread(runs, none, seeds)
        parts.append(above(f"log10 of the drift from step 0, {name} − standard", far))
        beside.append(above(f"log10 of the drift from step to step, {name} − standard", near))
        beside.append(above(f"log10 of the variances' change from step 0, {name} − standard", spread))
    return Finding(tuple(parts), f"{PINNED}; {trained(runs, none, *lps)}", beside=tuple(beside))


def _log_drift(runs: Runs, arm: Config, seeds: list[int], *, start: bool = False) -> Floats:
    """log10 of the change of the units' means over their deviation: mean over layers, then over steps; (seeds,)."""
    moved = (from_start if start else between_steps)(runs, arm, seeds).relative
    return np.log10(moved[:, 1:].mean((1, 2)))  # without step 0, from which nothing has moved


def _log_spread(runs: Runs, arm: Config, seeds: list[int]) -> Floats:
    return np.log10(from_start(runs, arm, seeds).var[:, 1:].mean((1, 2)))


def _compared(kind: str, l2: Floats, cosine: Floats) -> list[Part]:
    return [
        above(f"{kind}: log10 of ‖G − G′‖, BatchNorm − standard", l2, -SIMILAR),
        below(f"{kind}: cos(G, G′), BatchNorm − standard", cosine, SIMILAR_COSINE),
    ]


def _shift(runs: Runs, both: list[Config], field: str, chosen: np.ndarray[Any, Any]) -> Floats:
    """BatchNorm's mean over layers and chosen steps minus the standard network's, (seeds,)."""
    none, batch = (_over_layers(runs, arm, field, runs.common(*both)) for arm in both)
    return (batch - none).sum(1, where=chosen) / chosen.sum(1)  # NaN where none is chosen


def _matched_shift(runs: Runs, both: list[Config], field: str) -> Floats:
    """The same at equal losses, mean over the losses."""
    _, (none, batch) = at_common_losses(runs, both, lambda arm, seeds: _over_layers(runs, arm, field, seeds))
    return (batch - none).mean(1)


def _over_layers(runs: Runs, arm: Config, field: str, seeds: list[int]) -> Floats:
    """A field's mean over layers, of logarithms for the distance: (seeds, steps). Layer 1 has no shift."""
    values = runs.values(arm, "internal_shift", field, seeds)[:, :, 1:]
    return (np.log10(values) if field == "l2" else values).mean(2)


_DRIFT = (
    "The drift is the change of the units' means over their standard deviation, root mean squares over units, mean "
    "over layers and measured steps"
)

CLAIMS = (
    Claim(
        "C3",
        "the stability of layer-input distributions differs little between standard and BatchNorm networks",
        "Fig. 1(c)",
        f"{_DRIFT}, from each measured step to the step after it. BatchNorm's lies within a factor 2 of the standard "
        "network's on either side. Beside it, and not counted: the drift from step 0.",
        ("figure_01",),
        stability_differs_little,
    ),
    Claim(
        "C4",
        "noisy BatchNorm trains almost as well as BatchNorm and better than the standard network, although its "
        "distributions are less stable than the standard network's",
        "Fig. 2, 8",
        "Three parts. The mean training accuracy over the run is larger than the standard network's; it is not smaller "
        f"than plain BatchNorm's by more than {ALMOST:.0%}; its drift from step to step is larger than the standard "
        f"network's. {_DRIFT}.",
        ("figure_02",),
        noise_is_harmless,
    ),
    Claim(
        "C6",
        "BatchNorm does not reduce internal covariate shift: its l2 difference is similar or larger, its cosine "
        "similar or smaller",
        "Fig. 3",
        "For the VGG and for the DLN two parts each, means over layers 2 and up and over the measured steps at which "
        f"both networks learn: both have passed twice chance and neither {ENDED:.0%}, in accuracy over 9 steps (for "
        f"the DLN: all steps). ‖G − G′‖ is not smaller by more than a factor {10**SIMILAR:.2f}; cos(G, G′) is not "
        f"larger by more than {SIMILAR_COSINE}. Undecided where there is no such step. Beside it, and not counted: at "
        f"matched loss, over the first {EARLY:.0%} of the run, and over the whole of it.",
        ("figure_03",),
        shift_is_not_reduced,
    ),
    Claim(
        "C12",
        "Lp-normalized networks have larger distributional shift than the standard network",
        "Fig. 6",
        f"{_DRIFT}, from step 0 to each measured step; for each p it is larger than the standard network's. Beside it, "
        "and not counted: the drift from step to step, and the change of the variances as such.",
        ("figure_06",),
        lp_shifts_more,
    ),
)
