"""The gradient noise scale: how many samples a batch needs until its gradient is more signal than noise.

The gradient of each sample is the true gradient G and noise of covariance Σ. A batch of B samples leaves noise of size
tr Σ / B beside ‖G‖²; they are equal at B = tr Σ / ‖G‖². Batches of two sizes, the step and its parts, tell them apart.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clinometer.measures.bootstrap import FEWEST, interval, ratio_of_means, resampled_means
from clinometer.objective.dtensor import is_dtensor
from clinometer.objective.objective import Batch, Objective
from clinometer.objective.params import Point, norm
from clinometer.objective.parts import size_of
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class GradientNoise:
    """What the gradients of a step's batches say of signal and noise; both estimates are unbiased, and may be off."""

    signal: float  # of ‖G‖², the squared norm of the true gradient; negative where noise hides it
    noise: float  # of tr Σ, the trace of the covariance of the gradients of single samples
    batches: int  # how many gradients were compared; of one alone nothing can be told
    batch_size: float  # samples of all of them


@readable
@dataclass(frozen=True)
class NoiseScale:
    """tr Σ / ‖G‖², with an interval; NaN where it is unknown, and why."""

    value: float  # samples
    low: float
    high: float  # infinite where ‖G‖² may be 0
    reason: str = ""  # why the value or the interval is NaN


class BatchNorms:
    """The norms of the gradients that the batches of an objective have alone, noted while their mean is formed.

    With DDP each process has its own; `fully_shard` averages over processes before anybody sees a gradient.

    Args:
        objective: The objective; pass `show` to its `loss_and_grad`.
    """

    def __init__(self, objective: Objective) -> None:
        self._ranks = objective.ranks
        self._batches = objective.batches
        self.sharded = any(map(is_dtensor, objective.live.values()))
        self.count = self._batches * (1 if self.sharded else self._ranks.size)  # how many gradients there are
        self._norms: list[Tensor] = []

    def show(self, gradient: Point) -> None:
        """Note the norm of one batch's gradient, unless there is no other."""
        if self.count > 1:
            if self.sharded:  # what is not sharded is averaged as well
                gradient = self._ranks.average(torch.zeros(()), gradient)[1]
            self._norms.append(norm(gradient))

    @property
    def squares(self) -> list[float]:
        """Their squares, of the batches of this process."""
        return [float(each) * float(each) for each in self._norms[-self._batches :]]


def gradient_noise(
    objective: Objective,
    at: Point,
    *,
    size: Callable[[Batch], float] = size_of,
    dataset_size: float = math.inf,
    start: tuple[Tensor, Point] | None = None,
    norms: BatchNorms | None = None,
) -> GradientNoise:
    """Unbiased estimates of ‖G‖² and tr Σ from the gradients gᵢ of a step's batches, of bᵢ samples each.

        tr Σ = Σ aᵢ ‖gᵢ − g‖² / Σ aᵢ(1 − aᵢ)/bᵢ,   ‖G‖² = ‖g‖² − tr Σ (Σ aᵢ²/bᵢ − 1/N),   g = Σ aᵢ gᵢ

    where aᵢ is the batch's share in the loss. They follow from E‖gᵢ‖² = ‖G‖² + tr Σ/bᵢ, and hold for unequal batches
    and weights. For k batches of b samples, with B = kb, they are those of the source:

        ‖G‖² = (B ‖g‖² − b ‖gᵢ‖²) / (B − b),   tr Σ = (‖gᵢ‖² − ‖g‖²) / (1/b − 1/B),   ‖gᵢ‖² averaged over i

    The batches are those of the objective, on each of its processes. Those that normalise or contrast samples within
    a batch have a gradient of their own for each b; this is then the noise of that gradient. A factor common to all
    losses, as where they are added up and not averaged, is divided out.

    Cost: none with `start` and `norms`; else one forward-backward pass a batch.

    Args:
        objective: The loss on several batches, or on several processes.
        at: Where the gradients are taken.
        size: How many samples a batch has; NaN where it cannot say.
        dataset_size: N, where samples are drawn without replacement from so many; G is then the gradient of them all.
        start: Loss and gradient at `at`, if known already, with `norms`.
        norms: The norms that were shown as `start` was computed.

    Returns:
        `GradientNoise`; ‖G‖² in squared units of loss per parameter, tr Σ in those times samples. NaN where there is
        one gradient alone, or a size is unknown.
    Source: McCandlish, Kaplan, Amodei et al. (2018), arXiv:1812.06162, appendix A.1.

    Example:
        >>> model = torch.nn.Linear(1, 1, bias=False)                          # the gradient of a batch is its mean
        >>> objective = Objective(model, lambda m, x: (m.weight * x).mean(), torch.tensor([1.0, 3.0]))
        >>> objective = objective.with_batch(torch.tensor([6.0, 6.0]))         # g₁ = 2, g₂ = 6
        >>> gradient_noise(objective, objective.here())                        # (2 − 6)² / 2 · 2 samples; 4² − 16/4
        GradientNoise(signal=12, noise=16, batches=2, batch_size=4)
    """
    if start is None or norms is None:
        norms = BatchNorms(objective)
        start = objective.loss_and_grad(at, show=norms.show)
    ranks = objective.ranks
    weights = objective.weights or (1 / objective.batches,) * objective.batches
    total = ranks.mean(sum(weights)) or math.nan
    shares = [weight / total for weight in weights]
    sizes = [float(size(batch)) for batch in objective.each_batch()]
    inverse = [1 / each if each > 0 else math.nan for each in sizes]
    alone = ranks.mean(_sum(shares, norms.squares)) if norms.count > 1 else math.nan
    together = float(norm(start[1])) / total
    # Each process has a share of 1 / ranks.size. A sharded gradient is the mean over processes, of their samples.
    of_parts = ranks.mean(_sum(shares, inverse)) / (ranks.size if norms.sharded else 1)
    of_whole = ranks.mean(_sum(shares, shares, inverse)) / ranks.size
    less = of_parts - of_whole
    noise = (alone - together * together) / less if less else math.nan
    signal = together * together - noise * (of_whole - 1 / dataset_size)
    return GradientNoise(signal, noise, norms.count, ranks.mean(sum(sizes)) * ranks.size)


def noise_scale_of(
    rows: Mapping[str, Any], *, window: int | None = None, level: float = 0.95, seed: int = 0
) -> NoiseScale:
    """The noise scale over some steps, tr Σ / ‖G‖², with an interval.

        B = mean of tr Σ / mean of ‖G‖²

    The ratio is taken last: that of a single step is biased, and may be negative. The interval is that of a block
    bootstrap over steps, in blocks of ∛n, as neighbouring steps are alike, with Student's correction for few of them.
    It takes the noise scale for constant over the steps.

    Args:
        rows: `signal` and `noise` of each step, (n,) each, such as `recorder.read("noise_scale")`. Rows that hold no
            number are left out.
        window: How many of the last rows count; all by default.
        level: The level of the interval.
        seed: Of the bootstrap.

    Returns:
        `NoiseScale`, in samples; NaN if the mean of ‖G‖² is not positive, as noise hides it; without an interval for
        fewer than 8 rows.

    Raises:
        ValueError: if `window` is not positive or `level` does not lie in (0, 1).
    Source: McCandlish et al. (2018), arXiv:1812.06162, appendix A.1; for the blocks Künsch (1989), Ann. Statist.

    Example:
        >>> found = noise_scale_of({"signal": [1.0, 3.0] * 8, "noise": [30.0, 50.0] * 8})
        >>> found.value, found.low <= 20 <= found.high
        (20.0, True)
        >>> noise_scale_of({"signal": [-1.0], "noise": [30.0]}).reason
        'the mean of the squared gradient is not above 0: noise hides it, and more steps or samples may show it'
    """
    if (window is not None and window < 1) or not 0 < level < 1:
        raise ValueError(f"`window` must be at least 1 and `level` lie in (0, 1); found {window} and {level}.")
    pairs = np.stack([np.asarray(rows[name], dtype=np.float64).reshape(-1) for name in ("noise", "signal")])
    pairs = pairs[:, -window:] if window else pairs
    pairs = pairs[:, np.isfinite(pairs).all(0)]
    noise, signal = pairs.mean(1) if pairs.size else (math.nan, math.nan)
    if math.isnan(signal):
        return NoiseScale(math.nan, math.nan, math.nan, "no row holds a number")
    if signal <= 0:
        reason = (
            "the mean of the squared gradient is not above 0: noise hides it, and more steps or samples may show it"
        )
        return NoiseScale(math.nan, math.nan, math.nan, reason)
    value = float(noise / signal)
    if pairs.shape[1] < FEWEST:
        return NoiseScale(value, math.nan, math.nan, f"an interval needs {FEWEST} rows")
    return NoiseScale(value, *interval(ratio_of_means(resampled_means(pairs, level, seed)), level))


def _sum(*factors: list[float]) -> float:
    """The sum of products."""
    return sum(math.prod(each) for each in zip(*factors, strict=True))
