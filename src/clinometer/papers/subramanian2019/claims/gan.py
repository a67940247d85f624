"""G1 and G2: what discriminators with these norms do for a GAN."""

import numpy as np

from clinometer.analysis.paired import log_ratio
from clinometer.papers.subramanian2019.drift import late
from clinometer.papers.subramanian2019.rows import SAMPLES
from clinometer.papers.subramanian2019.variants import gans, label
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, below
from clinometer.training.config import Bases, RunConfig


def nearer(runs: RunTable, bases: Bases) -> Evidence:
    """G1."""
    none, batch, plain, centred, projected = gans(
        bases, ["none", "batch", "spectral", "mean_spectral", "mean_spectral_projected"]
    )
    seeds = runs.common(none, batch, plain, centred, projected)

    def part(ours: RunConfig, other: RunConfig, field: str = "frechet") -> Comparison:
        what = {"frechet": "late Fréchet distance", "mmd": "late MMD²"}[field]
        ratio = log_ratio(*(late(runs.values(arm, SAMPLES, field, seeds)) for arm in (ours, other)))
        return below(f"{what}, {label(ours)} over {label(other)}", ratio, 0.0, FACTOR)

    return Evidence(
        (part(centred, plain), part(centred, batch)),
        distances_text(runs, none, batch, plain, centred, projected),
        beside=(
            part(centred, none),
            part(plain, none),
            part(plain, batch),
            part(projected, batch),
            part(centred, plain, "mmd"),
            part(centred, batch, "mmd"),
            below(
                "largest over smallest late Fréchet distance of a run, MSN over BN",
                log_ratio(*(wobble(runs, arm, seeds) for arm in (centred, batch))),
                0.0,
                FACTOR,
            ),
        ),
    )


def smoother(runs: RunTable, bases: Bases) -> Evidence:
    """G2."""
    none, batch, plain, centred = gans(bases, ["none", "batch", "spectral", "mean_spectral"])
    seeds = runs.common(none, batch, plain, centred)

    def part(ours: RunConfig, other: RunConfig, probe: str = "scale_free", field: str = "gap") -> Comparison:
        what = {"gap": "relative change of the gradient", "slope": "steepest slope by the image"}[field]
        ratio = log_ratio(*(typical(runs, arm, seeds, probe, field) for arm in (ours, other)))
        return below(f"{what}, {label(ours)} over {label(other)}", ratio, 0.0, FACTOR)

    return Evidence(
        (part(centred, none),),
        distances_text(runs, none, batch, plain, centred),
        beside=(
            part(plain, none),
            part(batch, none),
            part(centred, plain),
            *(part(arm, none, SAMPLES, "slope") for arm in (plain, centred, batch)),
        ),
    )


def typical(runs: RunTable, arm: RunConfig, seeds: list[int], probe: str, field: str) -> Floats:
    """The geometric mean of a positive quantity over the measured steps after the first, (seeds,)."""
    return 10 ** np.log10(runs.values(arm, probe, field, seeds)[:, 1:]).mean(1)


def wobble(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    """The largest over the smallest Fréchet distance in the last half of the comparisons, (seeds,)."""
    found = runs.values(arm, SAMPLES, "frechet", seeds)
    last = found[:, found.shape[1] // 2 :]
    return last.max(1) / last.min(1)


def distances_text(runs: RunTable, *arms: RunConfig) -> str:
    """The late Fréchet distances of each arm, mean and spread over seeds, in words."""
    texts: list[str] = []
    for arm in arms:
        found = late(runs.values(arm, SAMPLES, "frechet"))
        diverged = runs.diverged(arm)
        texts.append(
            f"{label(arm)} at lr {arm['lr']:g}: late Fréchet distance {np.mean(found):.2f}, {found.min():.2f} to "
            f"{found.max():.2f} over seeds" + f", {diverged} diverged" * bool(diverged)
        )
    return "; ".join(texts)


CLAIMS = (
    Claim(
        "G1",
        "a GAN whose discriminator has MSN generates images nearer to the real ones than one with SN or with BN",
        "abstract",
        "Two parts. The Fréchet distance of 3,000 generated digits to the training digits in their first 16 "
        "principal components, less what a finite sample adds to first order, mean over the last third of the "
        "comparisons, is smaller with MSN than with SN, and than with BN. Every arm has its own learning rate, the "
        "best by that distance of pilot seeds. The abstract only says that MSN is evaluated on GANs; the README of "
        "the code shows images. Beside it, and not counted: other pairs, the unbiased MMD², and how far the distance "
        "moves within the last half of a run.",
        ("gan",),
        nearer,
    ),
    Claim(
        "G2",
        "the loss of a discriminator with MSN is smoother than without a norm",
        "none: it is what spectral normalization is for",
        "The largest relative change of the gradient of the discriminator's loss, ‖g′ − g‖/‖g‖, where each filter has "
        "moved by 1% and by 10% of its own norm along minus the gradient, geometric mean over the measured steps after "
        "the first, is smaller with MSN. Beside it, and not counted: other pairs; and the largest slope of the "
        "discriminator by the image, a lower bound of its Lipschitz constant.",
        ("gan",),
        smoother,
    ),
)
