"""What the abstract claims, as far as it can be measured, and the rule of each, fixed before any confirmatory seed."""

from collections.abc import Callable

import numpy as np

from clinometer.analysis.accuracies import TEST_IMAGES, final_test_accuracy, higher, test_odds
from clinometer.analysis.learning_progress import progress_text
from clinometer.papers.haruki2019 import SOURCE
from clinometer.papers.haruki2019.configs import GNC, GNC_0, ISOTROPIC, SGD, SMALL, arm
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, PERCENT, Comparison, above, within
from clinometer.training.config import Bases, RunConfig

SHARPER = 10.0  # a factor: ten times as much of the noise on the top eigenvectors as chance puts there
PREDICTS = 1.5  # a factor: the second order term is not the whole rise of the loss
EXCEEDS = 0.5  # of ½ r² tr(HC)


def in_sharp_directions(runs: RunTable, bases: Bases) -> Evidence:
    """N1."""
    sgd = arm(bases, SGD)
    ratio = np.log10(_after_start(runs, sgd, "share") / _after_start(runs, sgd, "share_isotropic"))
    return Evidence(
        (above("share of the noise on the top 10 eigenvectors, over k/N", ratio.mean(1), np.log10(SHARPER), FACTOR),),
        f"the share is {100 * _after_start(runs, sgd, 'share').mean():.0f}%, k/N "
        f"{100 * _after_start(runs, sgd, 'share_isotropic').mean():.2g}%; " + _trained(runs, sgd),
    )


def aligned(runs: RunTable, bases: Bases) -> Evidence:
    """N2."""
    sgd = arm(bases, SGD)
    alignment = np.log10(_after_start(runs, sgd, "alignment"))
    known = np.isfinite(alignment)
    means = np.where(known, alignment, 0.0).sum(1) / known.sum(1)
    return Evidence((above("A = N tr(HC) / (tr H tr C)", means, 0.0, FACTOR),), _trained(runs, sgd))


def smooths(runs: RunTable, bases: Bases) -> Evidence:
    """N3."""
    sgd = arm(bases, SGD)
    measured, predicted, isotropic = (
        _after_start(runs, sgd, field) for field in ("smoothing", "predicted", "smoothing_isotropic")
    )
    most = np.log10(PREDICTS)
    return Evidence(
        (
            within("smoothing over ½ r² tr(HC)", np.log10(measured / predicted).mean(1), -most, most, FACTOR),
            above(
                "smoothing less that of isotropic noise, of ½ r² tr(HC)",
                ((measured - isotropic) / predicted).mean(1),
                EXCEEDS,
                PERCENT,
            ),
        ),
        _trained(runs, sgd),
    )


def generalises_better_than_sgd(runs: RunTable, bases: Bases) -> Evidence:
    """G1."""
    gnc, sgd, *others = (arm(bases, name) for name in (GNC, SGD, GNC_0, SMALL))
    return Evidence(
        (_more_accurate(runs, "test accuracy, GNC − SGD", gnc, sgd),),
        _accuracies(runs, bases),
        tuple(
            _more_accurate(runs, f"test accuracy, {name} − SGD", each, sgd)
            for name, each in zip((GNC_0, SMALL), others, strict=True)
        ),
    )


def better_than_isotropic(runs: RunTable, bases: Bases) -> Evidence:
    """G2."""
    gnc, isotropic, sgd = (arm(bases, name) for name in (GNC, ISOTROPIC, SGD))
    return Evidence(
        (_more_accurate(runs, "test accuracy, GNC − isotropic noise", gnc, isotropic),),
        _accuracies(runs, bases),
        (_more_accurate(runs, "test accuracy, isotropic noise − SGD", isotropic, sgd),),
    )


def _after_start(runs: RunTable, run: RunConfig, field: str) -> Floats:
    """A field of the noise at the measured steps after the first, (seeds, steps)."""
    return runs.values(run, "noise", field, runs.common(run))[:, 1:]


def _more_accurate(runs: RunTable, name: str, ours: RunConfig, other: RunConfig) -> Comparison:
    seeds, images = runs.common(ours, other), TEST_IMAGES[ours["dataset"]]
    one, two = (test_odds(runs, each, seeds, images) for each in (ours, other))
    return higher(name, one, two)


def _accuracies(runs: RunTable, bases: Bases) -> str:
    told: list[str] = []
    for name in (SGD, GNC, GNC_0, ISOTROPIC, SMALL):
        run = arm(bases, name)
        seeds = runs.common(run)
        test, train = (100 * final_test_accuracy(runs, run, seeds, f).mean() for f in ("accuracy", "train_accuracy"))
        diverged = f", {runs.diverged(run)} of {len(seeds)} diverged" if runs.diverged(run) else ""
        told.append(f"{name} {test:.1f}% (on the training images {train:.1f}%{diverged})")
    return "Accuracy on the test images: " + ", ".join(told)


def _trained(runs: RunTable, run: RunConfig) -> str:
    return progress_text(runs, run, SGD)


def _only(*names: str) -> Callable[[Bases], list[RunConfig]]:
    return lambda bases: [arm(bases, name) for name in names]


_WHERE = (
    "In large-batch SGD, at a third and two thirds of the run: C is the covariance of the workers' "
    "gradients of the step's batch, H the Hessian of the loss on 256 training images that the batch leaves out. "
)
_ODDS = (
    "At the end of the run, each at its own learning rate, tuned on pilot seeds. Compared by log odds, seed by seed."
)

CLAIMS = (
    Claim(
        "N1",
        "gradient noise lies in the sharpest directions",
        SOURCE,
        f"{_WHERE}The share Σ qᵢᵀCqᵢ / tr C on the eigenvectors of the 10 largest eigenvalues is more than "
        f"{SHARPER:g} times k/N, that of isotropic noise, in the geometric mean over steps.",
        ("geometry",),
        in_sharp_directions,
        {"factor": SHARPER},
        _only(SGD),
    ),
    Claim(
        "N2",
        "gradient noise is aligned with the curvature",
        SOURCE,
        f"{_WHERE}A = N tr(HC) / (tr H tr C), which is 1 for isotropic noise, is above 1 in the geometric mean over "
        "those of the steps at which tr H is positive by two standard errors; undecided where there is none.",
        ("geometry",),
        aligned,
        {"alignment": 1.0},
        _only(SGD),
    ),
    Claim(
        "N3",
        "to convolve with gradient noise smooths the loss along it, and isotropic noise of the same energy hardly does",
        SOURCE,
        f"{_WHERE}Two parts. E L(w + rn) − L(w) is ½ r² tr(HC) to a factor of {PREDICTS:g}, r = scale × learning rate, "
        "in the geometric mean over steps. And it exceeds that of Gaussian noise of the same lengths by more than "
        f"{EXCEEDS:.0%} of ½ r² tr(HC), in the mean over steps.",
        ("geometry",),
        smooths,
        {"factor": PREDICTS, "share": EXCEEDS},
        _only(SGD),
    ),
    Claim(
        "G1",
        "with large batches GNC generalises better than SGD",
        SOURCE,
        f"Test accuracy is higher with GNC, of lag 1. {_ODDS} Beside it, and not counted: GNC with lag 0, and small "
        "batches, whose lead is what there is to win.",
        ("accuracy",),
        generalises_better_than_sgd,
        {"points": 0.0},
        _only(SGD, GNC, GNC_0, ISOTROPIC, SMALL),
    ),
    Claim(
        "G2",
        "with large batches GNC generalises better than isotropic noise of the same energy",
        SOURCE,
        f"Test accuracy is higher with GNC, of lag 1, than with Gaussian noise as long as each worker's own. {_ODDS}",
        ("accuracy",),
        better_than_isotropic,
        {"points": 0.0},
        _only(SGD, GNC, GNC_0, ISOTROPIC, SMALL),
    ),
)
