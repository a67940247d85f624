"""The distribution of a layer's outputs: its moments, how far they drift, and its histogram.

Outputs have shape (N, C), (N, C, L) or (N, C, H, W); a unit is one of the C channels, and space counts as part
of the batch, as in BatchNorm. `Objective.outputs` supplies them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.readable.results import readable

_HUGE = 1e38  # values below it, and high − low, fit the float32 of histograms


@readable
@dataclass(frozen=True)
class Moments:
    """Mean and variance of each unit."""

    mean: Tensor  # (units,)
    var: Tensor  # (units,) biased, as BatchNorm uses to normalise


@readable
@dataclass(frozen=True)
class Drift:
    """How far two sets of moments lie apart: root mean square over units."""

    mean: float  # in units of the activation
    var: float  # in the squared units


@readable
@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins between the lowest and the highest finite value."""

    edges: Tensor  # (bins + 1,)
    counts: Tensor  # (bins,) the sum is the number of values counted


def units(output: Tensor) -> Tensor:
    """A layer's output as (units, samples), with space in the samples.

    Example:
        >>> units(torch.zeros(8, 3, 5, 5)).shape
        torch.Size([3, 200])
    """
    if output.ndim < 2:
        raise ValueError(f"a layer's output needs shape (N, C, ...); found {tuple(output.shape)}.")
    return output.transpose(0, 1).flatten(1)


def moments(output: Tensor) -> Moments:
    """Mean and biased variance of each unit over batch and space.

    Args:
        output: Shape (N, C, ...).
    Source: Santurkar et al. (2018), Figure 8.

    Example:
        >>> moments(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
        Moments(mean=[1, 1], var=[1, 0])
    """
    samples = units(output)
    return Moments(samples.mean(1), samples.var(1, correction=0))


def drift(before: Moments, after: Moments) -> Drift:
    """√(mean over units of the squared change), for the means and for the variances.

    Args:
        before: Moments of a layer.
        after: Moments of the same layer later on, or on another batch.
    Source: Santurkar et al. (2018), Figure 8, as a root mean square so that width does not enter.

    Example:
        >>> drift(Moments(torch.zeros(2), torch.ones(2)), Moments(torch.ones(2), torch.ones(2)))
        Drift(mean=1, var=0)
    """
    return Drift(_rms(after.mean - before.mean), _rms(after.var - before.var))


def histogram(values: Tensor, bins: int = 40) -> Histogram:
    """The histogram of one unit's values, or of any tensor's.

    Args:
        values: Any shape; NaN, infinite values and values beyond ±1e38 are not counted.
        bins: Number of bins.

    Raises:
        ValueError: if `bins` is not positive.
    Source: Santurkar et al. (2018), Figures 1(c), 2, 6 and 9.

    Example:
        >>> histogram(torch.tensor([0.0, 1.0, 1.0, 2.0]), bins=2).counts
        tensor([1., 3.])
    """
    if bins < 1:
        raise ValueError(f"`bins` must be at least 1; found {bins}.")
    floats = values.detach().float().cpu()
    finite = floats[floats.abs() < _HUGE]
    if not len(finite):
        return Histogram(torch.full((bins + 1,), torch.nan), torch.zeros(bins))
    low, high = float(finite.min()), float(finite.max())
    edges = torch.linspace(low, high, bins + 1)
    if low == high:  # histc would pick edges of its own for a constant
        counts = torch.zeros(bins)
        counts[-1] = len(finite)
        return Histogram(edges, counts)
    return Histogram(edges, torch.histc(finite, bins, low, high))


def _rms(change: Tensor) -> float:
    return float(change.square().mean().sqrt())
