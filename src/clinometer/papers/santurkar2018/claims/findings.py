"""F1 and F2: what we found beside the paper's claims."""

import numpy as np

from clinometer.analysis.learning_progress import learning_starts
from clinometer.analysis.paired import ENOUGH, of_most_seeds
from clinometer.papers.santurkar2018.progress import is_dln, trained
from clinometer.papers.santurkar2018.theorem_4_1_in_training import over_random, shares
from clinometer.papers.santurkar2018.variants import dln, label, vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, Unit, above, below, within
from clinometer.training.config import Bases, RunConfig

PLATEAU = float(np.log10(2))  # "near 2/lr": within a factor 2
LATE = 0.5  # the second half of the run
TENTH = -1.0
TWICE = float(np.log10(2))  # "as of a random gradient": within a factor 2
SHARE = Unit("%", lambda log: 100 * 10.0**log)


def beta_settles(runs: RunTable, bases: Bases) -> Evidence:
    """F1."""
    shallow, deep = vgg(bases, ["none", "batch"]), dln(bases, ["none", "batch"])
    standard, normalized = deep
    return Evidence(
        tuple(_near(runs, arm, "β", "landscape", "beta_lr_half") for arm in (*shallow, normalized)),
        trained(runs, *shallow, *deep),
        beside=(
            _near(runs, standard, "β", "landscape", "beta_lr_half"),
            *(_near(runs, arm, "batch sharpness", "batch_sharpness", "ratio") for arm in shallow),
        ),
    )


def scale_does_it(runs: RunTable, bases: Bases) -> Evidence:
    """F2."""
    (arm,) = vgg(bases, ["batch"])
    found = shares(runs, arm)
    taken = np.log10((found["mean"] + found["correlation"]).mean((1, 2)))
    factor, passed = (np.log10(found[name]).mean((1, 2)) for name in ("scale", "passed"))
    times = np.log10(over_random(runs, arm)).mean(1)  # (seeds, layers)
    return Evidence(
        (
            below("share of ‖g‖² that the subtracted terms take", taken, TENTH, SHARE),
            within("the same over that of a random gradient, share · m/2", times.mean(1), -TWICE, TWICE, FACTOR),
        ),
        trained(runs, arm),
        beside=(
            above("share · m/2 in the last layer", times[:, -1], 0.0, FACTOR),
            below("γ²/σ²", factor, 0.0, FACTOR),
            below("what passes, ‖∇y L‖²/‖g‖²", passed, 0.0, FACTOR),
        ),
    )


def _near(runs: RunTable, arm: RunConfig, quantity: str, probe: str, field: str) -> Comparison:
    """That the quantity over 2/lr, of which a field has the ratio, is late within a factor 2 of 1, in most seeds."""
    late = runs.steps(arm, probe) >= LATE * arm.steps
    settled = np.log10(np.maximum(np.median(runs.values(arm, probe, field)[:, late], axis=1), 0.0))
    learns = np.isfinite(learning_starts(runs, [arm], runs.common(arm)))
    name = f"{'DLN' if is_dln(arm) else 'VGG'}, {label(arm)}: {quantity} · lr / 2"
    return within(name, of_most_seeds(settled, learns), -PLATEAU, PLATEAU, FACTOR, "sign")


CLAIMS = (
    Claim(
        "F1",
        "not in the paper, found by us: β settles near 2/lr in the VGG, with BatchNorm and without, and in the deep "
        "linear network with BatchNorm",
        "β · lr / 2 in Fig. 4(c), 10(c)",
        "Three parts, for the VGG at lr 0.1 without BatchNorm and with it and for the deep linear network with it: the "
        "median of β · lr / 2 over the second half of the run lies between ½ and 2 in the median of seeds. A factor 2 "
        "is the resolution: the walk's sizes are that far apart. Over those seeds in which the network begins to "
        f"learn; undecided where these are fewer than {ENOUGH:.0%}. Beside them, and not counted: the deep linear "
        "network without BatchNorm, which stops in flat places, where nothing drives β to the edge; and for the VGG "
        "the batch sharpness, the curvature along the same gradient at no distance at all, of which the same is asked.",
        ("beta_plateau",),
        beta_settles,
        {"least factor": 0.5, "largest factor": 2.0, "from this share of the run": LATE, "share of seeds": ENOUGH},
    ),
    Claim(
        "F2",
        "not in the paper, found by us: of the terms of Theorem 4.1 the two that are subtracted take little, as little "
        "as of a random gradient; what a BatchNorm layer does to the gradient, it does by γ²/σ²",
        "Theorem 4.1",
        "Two parts, for the VGG with BatchNorm at lr 0.1. The share of ‖g‖² that the mean and the correlation term "
        "take together, its mean over layers and measured steps, lies below a tenth. Of a random gradient they take "
        "2/m, m being the images of a batch times the positions of the layer: share · m/2 lies between ½ and 2, as a "
        "geometric mean over layers and measured steps; 2 is what four such terms would take in place of two. Beside "
        "them, and not counted: whether it is above 1 in the last layer; whether γ²/σ² and all that passes lie below "
        "1, as geometric means.",
        ("theorem_4_1_in_training",),
        scale_does_it,
        {"largest share": 0.1, "least share over that of a random gradient": 0.5, "largest": 2.0},
    ),
)
