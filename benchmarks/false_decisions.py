"""How often verdicts are false: of samples that are not normal, by looks chosen by what was seen, and on trained runs.

    PYTHONPATH=tests python benchmarks/false_decisions.py [--studies 20000] [--runs FOLDER]

The first tables have the share of simulated studies in which an interval misses the centre at one of its looks. With
`--runs` the coverage on trained networks follows: 24 deep linear networks with and without BatchNorm are trained in
FOLDER (some CPU minutes); subsets of the seeds stand for studies, and the mean over all seeds for the truth.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from adversary import quadrature_limits, worst_rate
from scipy import stats

from clinometer.papers.santurkar2018.configs import deep_linear
from clinometer.results.run_table import RunTable
from clinometer.results.sequential import TOTAL, spent
from clinometer.results.sequential_sign import sign_interval, sign_limit
from clinometer.results.sequential_t import t_interval
from clinometer.results.statistics import interval
from clinometer.runner.scheduler import run_all
from clinometer.training.config import grid

Floats = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
Next = Callable[[int, Floats], Floats]  # seeds looked at, |t| over its limit (studies,) -> seeds of the next look
LARGEST = 20
SEEDS = 24  # of the deep linear network
PLANNED = np.array([3, 5, 8, 12, LARGEST])


def _two_modes(random: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """One run in five ends elsewhere, ten deviations away."""
    return (random.random(shape) < 0.2) + 0.1 * random.normal(size=shape)


SAMPLES: dict[str, tuple[Draw, float, float]] = {  # with its mean and its median
    "normal": (lambda random, shape: random.normal(size=shape), 0, 0),
    "Student's t, 3 degrees": (lambda random, shape: random.standard_t(3, size=shape), 0, 0),
    "exponential": (lambda random, shape: random.exponential(size=shape), 1, np.log(2)),
    "log-normal, σ = 1": (lambda random, shape: random.lognormal(size=shape), np.exp(0.5), 1),
    "two modes, 4 : 1": (_two_modes, 0.2, 0.0319),  # the median: Φ(10 m) = 5/8
}


def _planned(n: int, near: Floats) -> Floats:
    return np.full(len(near), PLANNED[n < PLANNED].min(initial=LARGEST))


LOOKS: dict[str, tuple[int, Next]] = {
    **{f"{n} once": (n, lambda n, near: np.full(len(near), n)) for n in (3, 8, 20)},
    "3, 5, 8, 12, 20": (3, _planned),
    "3, 4, 5, … 20": (3, lambda n, near: np.full(len(near), n + 1)),
    "the next where it is near": (3, lambda n, near: np.where(near > 0.6, n + 1, _planned(n, near))),
}


def missed(samples: Floats, centre: float, looks: tuple[int, Next], sign: bool) -> Floats:
    """The share of studies in which an interval lies above the centre at one of its looks, and below it."""
    first, following = looks
    high, low, open_ = 0, 0, {(first,): np.arange(len(samples))}
    while open_:
        later: dict[tuple[int, ...], list[Floats]] = {}
        for taken, which in open_.items():
            n = taken[-1]
            near, above = _near(samples[which, :n], centre, taken, sign)
            high, low = high + int((near[above] > 1).sum()), low + int((near[~above] > 1).sum())
            on = following(n, near)
            for after in np.unique(on[on > n]):
                if after <= LARGEST:
                    later.setdefault((*taken, int(after)), []).append(which[(on == after) & (near <= 1)])
        open_ = {taken: np.concatenate(parts) for taken, parts in later.items()}
        open_ = {taken: which for taken, which in open_.items() if len(which)}
    return np.array([high, low]) / len(samples)


def _near(samples: Floats, centre: float, taken: tuple[int, ...], sign: bool) -> tuple[Floats, Floats]:
    """How near the limit each study is, above 1 beyond it, and whether its centre seems to be above the true one."""
    n = samples.shape[1]
    if sign:
        fewer, larger = (samples <= centre).sum(1), (samples >= centre).sum(1)
        side = np.minimum(fewer, larger)
        return np.where(side <= sign_limit(taken), 2.0, 1 - side / n), fewer < larger
    means, errors = samples.mean(1), samples.std(1, ddof=1) / n**0.5
    return np.abs(means - centre) / errors / _limit(taken), means > centre


@cache
def _limit(taken: tuple[int, ...]) -> float:
    """`t_limit` by quadrature, which is faster for hundreds of sequences of looks; a test holds them together."""
    return quadrature_limits(taken, lambda n: TOTAL * spent(n))[-1]


def simulated(studies: int) -> None:
    """Print the shares that miss, in percent: of either side, and of the worse side alone."""
    for title, sign in (("the mean, Student's t", False), ("the median, signs", True)):
        print(f"\n| {title} | " + " | ".join(LOOKS) + " |\n|---" * 1 + "|---" * len(LOOKS) + "|")
        for name, (draw, mean, median) in SAMPLES.items():
            samples = draw(np.random.default_rng(0), (studies, LARGEST))
            rates = [100 * missed(samples, median if sign else mean, looks, sign) for looks in LOOKS.values()]
            print(
                f"| {name} | " + " | ".join(f"{rate.sum():.1f} ({rate.max():.1f})" for rate in rates) + " |", flush=True
            )


def unpaid(studies: int) -> None:
    """Print what Student's 95% interval, made for one look, misses at one or more of the planned looks."""
    samples = np.random.default_rng(0).normal(size=(studies, LARGEST))
    p = [stats.ttest_1samp(samples[:, :n], 0, axis=1).pvalue for n in PLANNED]
    print(
        f"\nStudent's 95% interval at looks {PLANNED.tolist()}: {100 * (np.min(p, axis=0) <= 0.05).mean():.1f}%",
        flush=True,
    )


def forced() -> None:
    """Print the rate of the best choice of looks by what was seen, by dynamic programming."""
    candidates = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 20, 24, 30, 40, 100)
    for total in (TOTAL, 0.03, 0.04):
        rate = worst_rate(candidates, lambda n, total=total: total * spent(n))
        print(f"best choice of looks among {candidates}: {100 * rate:.2f}% with {total}", flush=True)


def quantities(folder: Path) -> Mapping[str, Floats]:
    """What claims compare, one number a seed: log10 of ratios, BatchNorm's over the standard network's, and β·lr/2.

    Runs that are missing are made.
    """
    arms = [deep_linear(norm, steps=800, measure_every=20) for norm in ("none", "batch")]
    none, batch = (replace(arm, probes=arm.probes[:2], consecutive=()) for arm in arms)
    configs = [*grid(none, seed=range(SEEDS)), *grid(batch, seed=range(SEEDS))]
    run_all(configs, folder, jobs=1)
    runs = RunTable.read(folder, configs)
    seeds, steps = list(range(SEEDS)), runs.steps(none, "landscape")

    def logs(ours: str, less: str | None = None) -> Floats:
        arms = []
        for arm in (batch, none):
            values = runs.values(arm, "landscape", ours, seeds)
            arms.append(np.log10(values - runs.values(arm, "landscape", less, seeds) if less else values))
        return arms[0] - arms[1]

    ratios = {"variation": logs("loss_max", "loss_min"), "gap": logs("gap_max"), "β": logs("beta")}
    early, late = steps <= 400, steps >= steps[-1] * 0.75
    sharp = runs.values(none, "landscape", "beta", seeds) * none["lr"] / 2
    return {
        **{f"log ratio of {name}, steps 0 to 400": values[:, early].mean(1) for name, values in ratios.items()},
        **{f"log ratio of {name}, all steps": values.mean(1) for name, values in ratios.items()},
        "β·lr/2 of the standard network, last quarter": sharp[:, late].mean(1),
        "its logarithm": np.log10(sharp[:, late].mean(1)),
    }


def on_runs(folder: Path, studies: int) -> None:
    """Print how often intervals of subsets of the seeds hold the mean, or the median, over all seeds."""
    found = quantities(folder)
    sizes = (3, 5, 8)
    print(
        f"\n| {len(next(iter(found.values())))} seeds | "
        + " | ".join(f"n = {n}: fixed, paid, signs" for n in sizes)
        + " |"
    )
    print("|---" * (1 + len(sizes)) + "|")
    for name, values in found.items():
        cells = []
        for n in sizes:
            random, held = np.random.default_rng(n), np.zeros(3)
            for _ in range(studies):
                subset = random.choice(values, n, replace=False)
                for which, (of, centre) in enumerate(
                    ((interval, np.mean), (t_interval, np.mean), (sign_interval, np.median))
                ):
                    one = of(subset)
                    held[which] += one.low <= centre(values) <= one.high
            cells.append(", ".join(f"{100 * share:.1f}" for share in held / studies))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--runs", type=Path)
    given = parser.parse_args()
    simulated(given.studies)
    unpaid(given.studies)
    forced()
    if given.runs:
        on_runs(given.runs, min(given.studies, 1_500))
