"""Signal and noise of the gradient as the curvature weighs them: GᵀHG and tr(HΣ), for the noise scale of the theory.

A step of gradient descent pays for its noise where the loss is curved. The simple noise scale leaves the Hessian out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from clinometer.objective.distributed import Ranks
from clinometer.objective.objective import Batch, Objective
from clinometer.objective.params import Point, dot
from clinometer.objective.parts import size_of
from clinometer.readable.results import readable

FEWEST = 3  # batches: two gradients and a Hessian, each of its own samples


@readable
@dataclass(frozen=True)
class CurvatureNoise:
    """What the gradients and Hessians of a step's batches say; both estimates are unbiased, and may be off."""

    signal: float  # of GᵀHG
    noise: float  # of tr(HΣ)


def curvature_noise(objective: Objective, at: Point, *, size: Callable[[Batch], float] = size_of) -> CurvatureNoise:
    """Unbiased estimates of GᵀHG and tr(HΣ), whose ratio is the noise scale of the theory, B_noise = tr(HΣ) / GᵀHG.

        GᵀHG = gᵢᵀ Hⱼ gₖ,   tr(HΣ) = bᵢ (gᵢᵀ Hⱼ gᵢ − gᵢᵀ Hⱼ gₖ)   for batches i, j, k that are all different

    averaged over j, with i the next one and k all others. A Hessian of the same samples would go along with their
    gradients: the estimates would be biased by as much as the noise that they tell of. The rest is as for
    `gradient_noise`.

    Cost: one forward-backward pass and one Hessian-vector product a batch. Memory: a gradient for each batch.

    Args:
        objective: The loss on three batches or more.
        at: Where gradients and Hessians are taken.
        size: How many samples a batch has; NaN where it cannot say.

    Returns:
        `CurvatureNoise`, in loss³ per parameter⁴, the noise times samples; NaN where a size is unknown.

    Raises:
        ValueError: if there are fewer than three batches, or the loss has no second derivative.
    Source: McCandlish, Kaplan, Amodei et al. (2018), arXiv:1812.06162, section 2.2, for what is estimated.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(1, 1, bias=False)                       # L = (w − x)²: H = 2, g = 2 (w − x)
        >>> loss_fn = lambda model, x: (model.weight - x).square().mean()
        >>> objective = Objective(model, loss_fn, torch.ones(1)).with_batch(torch.ones(1)).with_batch(torch.ones(1))
        >>> curvature_noise(objective, {"weight": torch.tensor([[3.0]])})             # 4 · 2 · 4, and no noise
        CurvatureNoise(signal=32, noise=0)
    """
    count = objective.batches
    if count < FEWEST:
        raise ValueError(f"expected {FEWEST} batches or more, two gradients and a Hessian of others; found {count}.")
    alone = [objective.only([number]) for number in range(count)]
    sizes = [_size(float(size(batch)), objective.ranks) for batch in objective.each_batch()]
    gradients = [each.loss_and_grad(at)[1] for each in alone]
    signals: list[float] = []
    noises: list[float] = []
    for j in range(count):
        i = (j + 1) % count
        product = alone[j].hvp(at, gradients[i])
        others = [float(dot(product, gradients[k])) for k in range(count) if k not in (i, j)]
        signals.append(sum(others) / len(others))
        noises.append(sizes[i] * (float(dot(product, gradients[i])) - signals[-1]))
    return CurvatureNoise(sum(signals) / count, sum(noises) / count)


def _size(mine: float, ranks: Ranks) -> float:
    """The size of a batch of which each process has a part that counts alike: that of one with as much noise."""
    inverse = ranks.mean(1 / mine if mine > 0 else math.nan)
    return ranks.size / inverse
