"""F1 and F2: what we found beside the paper's claims."""

import numpy as np

from clinometer.analysis.learning_progress import learning_starts
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.theorem_4_1_in_training import shares
from clinometer.papers.santurkar2018.variants import dln, label, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence, no_evidence
from clinometer.studies.comparison import Comparison, above, below
from clinometer.training.config import Bases, RunConfig

PLATEAU = np.log10(2)  # "near 2/lr": within a factor 2
LATE = 0.5  # the second half of the run
TENTH = -1.0


def beta_settles(runs: RunTable, bases: Bases) -> Evidence:
    """F1."""
    arms = [*vgg(bases, ["none", "batch"]), *dln(bases, ["none", "batch"])]
    parts: list[Comparison] = []
    for arm in arms[:2]:
        seeds = runs.common(arm)
        if not np.isfinite(learning_starts(runs, [arm], seeds)).all():
            return no_evidence(f"{label(arm)} never left chance; {trained(runs, *arms)}")
        parts += _near(f"VGG, {label(arm)}", _settled(runs, arm))
    deep = tuple(part for arm in arms[2:] for part in _near(f"DLN, {label(arm)}", _settled(runs, arm)))
    return Evidence(tuple(parts), trained(runs, *arms), beside=deep)


def scale_does_it(runs: RunTable, bases: Bases) -> Evidence:
    """F2."""
    (arm,) = vgg(bases, ["batch"])
    found = shares(runs, arm)
    taken = np.log10((found["mean"] + found["correlation"]).mean((1, 2)))
    factor, passed = (np.log10(found[name]).mean((1, 2)) for name in ("scale", "passed"))
    return Evidence(
        (below("log10 of the share of ‖g‖² that the subtracted terms take", taken, TENTH),),
        f"a share of {10 ** float(taken.mean()):.2g}; {trained(runs, arm)}",
        beside=(
            below("log10 of the factor γ²/σ²", factor),
            below("log10 of what passes, ‖∇y L‖²/‖g‖²", passed),
        ),
    )


def _near(name: str, settled: Floats) -> list[Comparison]:
    return [
        above(f"{name}: log10 of β · lr / 2, at least ½", settled, -PLATEAU),
        below(f"{name}: log10 of β · lr / 2, at most 2", settled, PLATEAU),
    ]


def _settled(runs: RunTable, arm: RunConfig) -> Floats:
    late = runs.steps(arm, "landscape") >= LATE * arm.steps
    return np.median(np.log10(runs.values(arm, "landscape", "beta_lr_half")[:, late]), axis=1)


CLAIMS = (
    Claim(
        "F1",
        "not in the paper, found by us: in the VGG β settles near 2/lr with BatchNorm and without",
        "β · lr / 2 in Fig. 4(c)",
        "For the VGG at lr 0.1, with BatchNorm and without: the median of β · lr / 2 over the second half of the run "
        "lies between ½ and 2. Beside it, and not counted: the DLN.",
        ("beta_plateau",),
        beta_settles,
    ),
    Claim(
        "F2",
        "not in the paper, found by us: of the terms of Theorem 4.1 the two that are subtracted take little; what a "
        "BatchNorm layer does to the gradient, it does by γ²/σ²",
        "Theorem 4.1",
        "In the VGG with BatchNorm at lr 0.1, the mean over layers and measured steps of the share of ‖g‖² that the "
        "mean and the correlation term take together lies below a tenth. Beside it, and not counted: whether γ²/σ² and "
        "all that passes lie below 1, as means of logarithms.",
        ("theorem_4_1_in_training",),
        scale_does_it,
    ),
)
