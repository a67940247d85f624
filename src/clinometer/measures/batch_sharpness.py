"""Batch sharpness: the curvature of a minibatch's loss along its own gradient, which is what limits minibatch SGD."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.measures.bootstrap import FEWEST, interval, resampled_means
from clinometer.measures.bootstrap import ratio_of_means as over_means
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, dot, norm, scale
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class BatchSharpness:
    """The curvature of one batch's loss along its own gradient."""

    value: float  # gᵀHg / ‖g‖²; NaN where there is no gradient
    curvature: float  # gᵀHg
    grad_norm_squared: float  # ‖g‖²


@readable
@dataclass(frozen=True)
class Average:
    """A mean over rows, with an interval; NaN where it is unknown."""

    value: float
    low: float
    high: float


@readable
@dataclass(frozen=True)
class BatchSharpnessAverages:
    """Both averages over batches that E[gᵀHg / ‖g‖²] may mean."""

    mean_of_ratios: Average  # of gᵀHg / ‖g‖²: each batch counts alike
    ratio_of_means: Average  # mean of gᵀHg / mean of ‖g‖²: a batch counts by its squared gradient
    rows: int  # that hold a number


def batch_sharpness(objective: Objective, at: Point) -> BatchSharpness:
    """The curvature gᵀHg / ‖g‖² of a batch's loss along the gradient of the same batch.

    For gradient descent at learning rate η a step lowers the second-order model of its batch's loss iff it is below
    2/η. It is at most λ_max of the batch's Hessian.

    Cost: about one forward-backward pass for the gradient, and one Hessian-vector product of 1.7 more.

    Args:
        objective: The loss on one batch; of several, that of their mean.
        at: Where to measure.

    Returns:
        `BatchSharpness`, `value` in units of loss per squared parameter.
    Source: Andreyev & Beneventano (2024), arXiv:2412.20553.

    Example:
        >>> import torch                                             # L(w) = (w₁² + 9 w₂²)/2 at (1, 1): g = (1, 9)
        >>> h = torch.tensor([1.0, 9.0])
        >>> objective = Objective(params={"w": torch.ones(2)}, loss_fn=lambda p, _: (h * p["w"] ** 2).sum() / 2)
        >>> found = batch_sharpness(objective, objective.here())
        >>> f"{found.value:.4f} = {found.curvature:.0f} / {found.grad_norm_squared:.0f}"
        '8.9024 = 730 / 82'
    """
    with objective.linearized(at, differences=True) as product:
        length = float(norm(product.gradient))
        if not 0 < length < math.inf:
            return BatchSharpness(math.nan, 0.0 if length == 0 else math.nan, length**2)
        unit = scale(product.gradient, 1 / length)  # a small gradient times H is nothing in half precision
        value = float(dot(unit, product(unit))) / float(norm(unit)) ** 2
    return BatchSharpness(value, value * length**2, length**2)


def batch_sharpness_of(
    rows: Mapping[str, Any], *, window: int | None = None, level: float = 0.95, seed: int = 0
) -> BatchSharpnessAverages:
    """Batch sharpness over some steps or batches, by both averages, each with an interval.

        mean of ratios = mean of gᵀHg/‖g‖²,   ratio of means = mean of gᵀHg / mean of ‖g‖²

    They differ where batches with longer gradients have another curvature along them. The intervals are those of a
    block bootstrap over rows, in blocks of ∛n, as neighbouring steps are alike, with Student's correction for few.

    Args:
        rows: `curvature` and `grad_norm_squared`, (n,) each, such as `recorder.read("batch_sharpness")`; rows of
            several batches count each batch. Those that hold no number, or no gradient, are left out.
        window: How many of the last rows count; all by default.
        level: The level of the intervals.
        seed: Of the bootstrap.

    Returns:
        `BatchSharpnessAverages`, in units of loss per squared parameter; without intervals for fewer than 8 rows.

    Raises:
        ValueError: if `window` is not positive or `level` does not lie in (0, 1).
    Source: Andreyev & Beneventano (2024), arXiv:2412.20553; for the blocks Künsch (1989), Annals of Statistics 17.

    Example:
        >>> found = batch_sharpness_of({"curvature": [2.0, 40.0] * 8, "grad_norm_squared": [1.0, 10.0] * 8})
        >>> found.mean_of_ratios.value, round(found.ratio_of_means.value, 3)         # (2 + 4)/2 and 42/11
        (3.0, 3.818)
    """
    if (window is not None and window < 1) or not 0 < level < 1:
        raise ValueError(f"`window` must be at least 1 and `level` lie in (0, 1); found {window} and {level}.")
    given = (np.asarray(rows[name], dtype=np.float64) for name in ("curvature", "grad_norm_squared"))
    pairs = np.stack([each[-window:].reshape(-1) if window else each.reshape(-1) for each in given])
    pairs = pairs[:, np.isfinite(pairs).all(0) & (pairs[1] > 0)]
    count = pairs.shape[1]
    if count == 0:
        nothing = Average(math.nan, math.nan, math.nan)
        return BatchSharpnessAverages(nothing, nothing, 0)
    ratios = pairs[0] / pairs[1]
    means = resampled_means(np.stack([*pairs, ratios]), level, seed) if count >= FEWEST else None
    return BatchSharpnessAverages(
        mean_of_ratios=_average(ratios.mean(), None if means is None else means[2], level),
        ratio_of_means=_average(pairs[0].mean() / pairs[1].mean(), None if means is None else over_means(means), level),
        rows=count,
    )


def _average(value: Any, spread: Any, level: float) -> Average:
    return Average(float(value), *((math.nan, math.nan) if spread is None else interval(spread, level)))
