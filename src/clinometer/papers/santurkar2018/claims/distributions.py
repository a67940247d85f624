"""C3, C4, C12: how the distributions of activations move, at three sites of a layer."""

import numpy as np

from clinometer.analysis.accuracies import higher, mean_odds
from clinometer.analysis.drift import mean_drift, mean_variance_drift
from clinometer.analysis.learning_progress import mean_accuracy
from clinometer.analysis.paired import log_ratio
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import LABELS, LPS, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, PERCENT, Comparison, above, within
from clinometer.training.config import Bases, RunConfig

KEPT = 0.5  # "almost as well": nearer to BatchNorm than to the standard network
ADVANTAGE = 0.05  # of mean training accuracy: with less there is nothing of which to keep a share
LITTLE = 2.0  # "differs little": within this factor
AFTER = "activations_after_relu"
BESIDE = {"activations": "at the norm's output", "activations_before_norm": "before the norm"}


def stability_differs_little(runs: RunTable, bases: Bases) -> Evidence:
    """C3."""
    none, batch = vgg(bases, ["none", "batch"])
    seeds = runs.common(none, batch)

    def alike(name: str, ratio: Floats) -> Comparison:
        return within(f"{name}, BatchNorm over standard", ratio, -np.log10(LITTLE), np.log10(LITTLE), FACTOR)

    variances = log_ratio(*(mean_variance_drift(runs, arm, seeds, AFTER) for arm in (batch, none)))
    return Evidence(
        (alike("drift from step to step after the ReLU", _drift_ratio(runs, batch, none, seeds)),),
        trained(runs, none, batch),
        beside=(
            *(
                alike(f"drift from step to step {where}", _drift_ratio(runs, batch, none, seeds, site))
                for site, where in BESIDE.items()
            ),
            alike("drift from step 0 after the ReLU", _drift_ratio(runs, batch, none, seeds, start=True)),
            alike("drift of the variances from step to step after the ReLU", variances),
        ),
    )


def noise_is_harmless(runs: RunTable, bases: Bases) -> Evidence:
    """C4."""
    none, batch, noisy = arms = vgg(bases, ["none", "batch", "noisy_batch"])
    seeds = runs.common(*arms)
    slow, fast, with_noise = (mean_accuracy(runs, arm, seeds) for arm in arms)
    advantage = np.where(fast - slow >= ADVANTAGE, fast - slow, np.nan)
    name = "noisy BatchNorm over standard"
    return Evidence(
        (
            above(
                "share that noisy BatchNorm keeps of BatchNorm's advantage in mean training accuracy",
                (with_noise - slow) / advantage,
                KEPT,
                PERCENT,
            ),
            above(
                f"drift from step to step after the ReLU, {name}", _drift_ratio(runs, noisy, none, seeds), unit=FACTOR
            ),
        ),
        trained(runs, *arms),
        beside=(
            *(
                above(
                    f"drift from step to step {where}, {name}",
                    _drift_ratio(runs, noisy, none, seeds, site),
                    unit=FACTOR,
                )
                for site, where in BESIDE.items()
            ),
            *(
                higher(f"mean training accuracy, noisy BatchNorm − {other}", mean_odds(runs, noisy, seeds), odds)
                for other, odds in (
                    ("standard", mean_odds(runs, none, seeds)),
                    ("plain BatchNorm", mean_odds(runs, batch, seeds)),
                )
            ),
        ),
    )


def lp_shifts_more(runs: RunTable, bases: Bases) -> Evidence:
    """C12."""
    none, *lps = vgg(bases, ["none", *LPS])
    seeds = runs.common(none, *lps)
    parts: list[Comparison] = []
    beside: list[Comparison] = []
    for arm in lps:
        name = f"{LABELS[arm['norm']].removeprefix('Standard + ')} over standard"
        far = _drift_ratio(runs, arm, none, seeds, start=True)
        parts.append(above(f"drift from step 0 after the ReLU, {name}", far, unit=FACTOR))
        beside += [
            above(
                f"drift from step 0 {where}, {name}",
                _drift_ratio(runs, arm, none, seeds, site, start=True),
                unit=FACTOR,
            )
            for site, where in BESIDE.items()
        ]
        variances = log_ratio(*(mean_variance_drift(runs, each, seeds, AFTER, start=True) for each in (arm, none)))
        beside.append(above(f"drift of the variances from step 0 after the ReLU, {name}", variances, unit=FACTOR))
    return Evidence(tuple(parts), trained(runs, none, *lps), beside=tuple(beside))


def _drift_ratio(
    runs: RunTable, ours: RunConfig, other: RunConfig, seeds: list[int], site: str = AFTER, *, start: bool = False
) -> Floats:
    """log10 of the ratio of two arms' drifts, (seeds,)."""
    return log_ratio(*(mean_drift(runs, arm, seeds, site, start=start) for arm in (ours, other)))


_DRIFT = (
    "The drift is the change of the units' means over their standard deviation, root mean squares over units, mean "
    "over layers and measured steps"
)
_SITE = (
    "It is measured after the ReLU, which is what the next layer receives: the paper speaks of layer inputs. Beside "
    "it, and not counted: at the norm's output, where a norm fixes the means by construction; before the norm;"
)

CLAIMS = (
    Claim(
        "C3",
        "the stability of layer-input distributions differs little between standard and BatchNorm networks",
        "Fig. 1(c)",
        f"{_DRIFT}, from each measured step to the step after it. BatchNorm's lies within a factor {LITTLE:g} of the "
        f"standard network's on either side: layers and measured steps of one network differ by more. {_SITE} the "
        "drift from step 0; and that of the variances, over their mean over units.",
        ("figure_01",),
        stability_differs_little,
        {"factor": LITTLE},
    ),
    Claim(
        "C4",
        "noisy BatchNorm trains almost as well as BatchNorm and better than the standard network, although its "
        "distributions are less stable than the standard network's",
        "Fig. 2, 8",
        "Two parts. Of what BatchNorm gains over the standard network in mean training accuracy over the whole run, "
        f"noisy BatchNorm keeps more than {KEPT:.0%}: it is nearer to BatchNorm than to the standard network. "
        f"Undecided where BatchNorm gains less than {100 * ADVANTAGE:.0f} points in a seed. Its drift from step to "
        f"step is larger than the standard network's. {_DRIFT}. {_SITE} and the differences in accuracy, by log odds.",
        ("figure_02",),
        noise_is_harmless,
        {"share kept": KEPT, "least advantage in points": 100 * ADVANTAGE},
    ),
    Claim(
        "C12",
        "Lp-normalized networks have larger distributional shift than the standard network",
        "Fig. 6",
        f"{_DRIFT}, from step 0 to each measured step; for each p it is larger than the standard network's. {_SITE} "
        "and the drift of the variances from step 0, over their mean over units.",
        ("figure_06",),
        lp_shifts_more,
    ),
)
