"""C3, C4, C6, C12: how distributions of activations move, and how gradients shift because layers below them moved."""

import numpy as np

from clinometer.analysis.drift import mean_drift, mean_variance_change
from clinometer.analysis.internal_shift import shift_over_layers
from clinometer.analysis.learning_progress import ENDED, Bools, all_learn, mean_accuracy
from clinometer.analysis.matched_loss import matched_difference
from clinometer.analysis.paired import log_ratio, mean_difference
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import LABELS, LPS, dln, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import Comparison, above, below
from clinometer.training.config import Bases, RunConfig

ALMOST = 0.05  # "almost as well": within five points of mean training accuracy
LITTLE = np.log10(2)  # "differs little": within a factor 2
PINNED = "the norms' outputs, where this is measured, have mean β on every batch by construction"
SIMILAR = 0.1  # "similar": log10 of a factor 1.26
SIMILAR_COSINE = 0.05
EARLY = 0.2  # the first fifth of the run


def stability_differs_little(runs: RunTable, bases: Bases) -> Evidence:
    """C3."""
    none, batch = vgg(bases, ["none", "batch"])
    seeds = runs.common(none, batch)
    ratio, far = (_drift_ratio(runs, batch, none, seeds, start=start) for start in (False, True))
    return Evidence(
        (
            below("log10 of the drift from step to step, BatchNorm − standard: at most a factor 2 more", ratio, LITTLE),
            above("the same: at most a factor 2 less", ratio, -LITTLE),
        ),
        "BatchNorm's outputs have mean β and deviation |γ| on every batch by construction; "
        + trained(runs, none, batch),
        beside=(above("log10 of the drift from step 0, BatchNorm − standard", far),),
    )


def noise_is_harmless(runs: RunTable, bases: Bases) -> Evidence:
    """C4."""
    none, batch, noisy = arms = vgg(bases, ["none", "batch", "noisy_batch"])
    seeds = runs.common(*arms)
    fast = mean_accuracy(runs, noisy, seeds)
    less_stable = _drift_ratio(runs, noisy, none, seeds)
    return Evidence(
        (
            above("mean training accuracy, noisy BatchNorm − standard", fast - mean_accuracy(runs, none, seeds)),
            above("mean training accuracy, noisy − plain BatchNorm", fast - mean_accuracy(runs, batch, seeds), -ALMOST),
            above("log10 of the drift from step to step, noisy BatchNorm − standard", less_stable),
        ),
        trained(runs, *arms),
    )


def shift_is_not_reduced(runs: RunTable, bases: Bases) -> Evidence:
    """C6."""
    pairs = [("VGG", vgg(bases, ["none", "batch"])), ("DLN", dln(bases, ["none", "batch"]))]
    arms = [arm for _, both in pairs for arm in both]
    parts: list[Comparison] = []
    beside: list[Comparison] = []
    notes: list[str] = []
    for kind, both in pairs:
        seeds, steps = runs.common(*both), runs.steps(both[0], "internal_shift")
        chosen = all_learn(runs, both, seeds, "internal_shift")
        never = int((~chosen.any(1)).sum())
        notes += [f"in {never} of {len(seeds)} seeds at no measured step did both {kind}s learn"] * bool(never)
        parts += _compared(kind, _shift(runs, both, "l2", chosen), _shift(runs, both, "cosine", chosen))
        matched = [
            matched_difference(runs, both[1], both[0], shift_over_layers(runs, field)) for field in ("l2", "cosine")
        ]
        beside += _compared(f"{kind}, at matched loss", *matched)
        for period, share in ((f"the first {EARLY:.0%}", EARLY), ("the whole run", 1.0)):
            window = np.broadcast_to(steps <= share * both[0].steps, chosen.shape)
            beside += _compared(f"{kind}, {period}", *(_shift(runs, both, field, window) for field in ("l2", "cosine")))
    return Evidence(tuple(parts), "; ".join([*notes, trained(runs, *arms)]), beside=tuple(beside))


def lp_shifts_more(runs: RunTable, bases: Bases) -> Evidence:
    """C12."""
    none, *lps = vgg(bases, ["none", *LPS])
    seeds = runs.common(none, *lps)
    parts: list[Comparison] = []
    beside: list[Comparison] = []
    for arm in lps:
        name = LABELS[arm["norm"]].removeprefix("Standard + ")
        far, near = (_drift_ratio(runs, arm, none, seeds, start=start) for start in (True, False))
        spread = log_ratio(*(mean_variance_change(runs, each, seeds) for each in (arm, none)))
        parts.append(above(f"log10 of the drift from step 0, {name} − standard", far))
        beside.append(above(f"log10 of the drift from step to step, {name} − standard", near))
        beside.append(above(f"log10 of the variances' change from step 0, {name} − standard", spread))
    return Evidence(tuple(parts), f"{PINNED}; {trained(runs, none, *lps)}", beside=tuple(beside))


def _drift_ratio(runs: RunTable, ours: RunConfig, other: RunConfig, seeds: list[int], *, start: bool = False) -> Floats:
    """log10 of the ratio of two arms' drifts, (seeds,)."""
    return log_ratio(*(mean_drift(runs, arm, seeds, start=start) for arm in (ours, other)))


def _compared(kind: str, l2: Floats, cosine: Floats) -> list[Comparison]:
    return [
        above(f"{kind}: log10 of ‖G − G′‖, BatchNorm − standard", l2, -SIMILAR),
        below(f"{kind}: cos(G, G′), BatchNorm − standard", cosine, SIMILAR_COSINE),
    ]


def _shift(runs: RunTable, both: list[RunConfig], field: str, chosen: Bools) -> Floats:
    """BatchNorm's mean over layers and chosen steps minus the standard network's, (seeds,)."""
    seeds, measure = runs.common(*both), shift_over_layers(runs, field)
    none, batch = (measure(arm, seeds) for arm in both)
    return mean_difference(batch, none, chosen)


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
