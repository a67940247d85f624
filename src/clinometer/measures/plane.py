"""The loss over a plane through parameter space, by forward passes alone.

`plane` evaluates a whole grid, `refined_plane` only where the loss bends. Directions come from `directions`, or from
solutions and checkpoints by `plane_axes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clinometer.measures.line import check_sizes
from clinometer.measures.plane_losses import open_losses
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, dot, norm
from clinometer.objective.progress import Progress, progress_callback
from clinometer.readable.results import readable

Sizes = Sequence[float] | Tensor


@readable
@dataclass(frozen=True)
class Plane:
    """The loss at x + a d₁ + b d₂ on a grid of a and b. Infinite and NaN losses are kept: divergence is data."""

    sizes_one: Tensor  # (a,) the multiples of d₁
    sizes_two: Tensor  # (b,) the multiples of d₂
    losses: Tensor  # (a, b) L(x + a d₁ + b d₂)
    evaluated: Tensor  # (a, b) whether the loss was evaluated; elsewhere it is interpolated, or NaN if that cannot be
    norms: Tensor  # (2,) ‖d₁‖ and ‖d₂‖: a size times this is a distance
    cosine: Tensor  # () of d₁ and d₂: not 0 where the axes are drawn at another angle than they have
    error: float = 0.0  # the largest estimated |interpolated − L| / max(|interpolated|, |L|); infinite if not known


def plane(
    objective: Objective,
    origin: Point,
    one: Point,
    two: Point,
    sizes: Sizes,
    sizes_two: Sizes | None = None,
    *,
    to: str | Path | None = None,
    progress: Progress | Any = None,
) -> Plane:
    """The loss at `origin + a · one + b · two` for all sizes a and b.

    The coordinates are multiples of the directions as they are given, of any length and angle. Nothing is rounded to a
    grid: at sizes 0, 0 stands the loss at the origin, bit for bit, and along an axis those of `walk`. `evenly` makes
    sizes of which one is 0.

    Cost: one forward pass for each pair of sizes; none with `to` for those that the file has, and one more to see that
    it is of this plane. Memory while it runs: two extra copies of the parameters.

    Args:
        objective: The frozen loss. BatchNorm in train mode normalises each point's activations with the batch's own
            statistics, in eval mode with the running statistics that the model has now, whatever the point.
        origin: The point x of the plane that has both coordinates 0.
        one: The first direction d₁; names that it lacks do not move.
        two: The second direction d₂.
        sizes: The multiples a of `one`, and b of `two` unless `sizes_two` is given; finite.
        sizes_two: The multiples b of `two`.
        to: A file that gets each loss as soon as it is known. If it is there already, the losses that it has are not
            evaluated again, whatever grid they were evaluated for. Of several processes the first one writes.
        progress: Called as `progress(done, total)` after each point, or an object with `update(1)`, such as tqdm's
            bar; `objective.progress.show_progress` makes one that needs no library.

    Returns:
        A `Plane`, with losses of shape (a, b) in the unit of the loss.

    Raises:
        ValueError: if sizes are empty or not finite, a direction does not fit `origin`, or the file holds anything
            else: other directions, or losses of another batch or model.
    Source: Li, Xu, Taylor, Studer, Goldstein (2018), arXiv:1712.09913, section 3, whose directions
        `measures.directions` makes.

    Example:
        >>> from torch import nn                                                    # L(w) = w₁² + w₂
        >>> model = nn.Linear(2, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: m.weight[0, 0] ** 2 + m.weight[0, 1], None)
        >>> x = {"weight": torch.tensor([[0.0, 1.0]])}
        >>> one, two = {"weight": torch.tensor([[1.0, 0.0]])}, {"weight": torch.tensor([[0.0, 1.0]])}
        >>> plane(objective, x, one, two, [0.0, 2.0]).losses
        tensor([[1., 3.],
                [5., 7.]])
    """
    first, second = check_sizes(sizes), check_sizes(sizes if sizes_two is None else sizes_two)
    total, report = len(first) * len(second), progress_callback(progress)
    with open_losses(objective, origin, one, two, to) as loss_at:
        losses: list[Tensor] = []
        for a in first:
            for b in second:
                losses.append(loss_at(a, b))
                if report:
                    report(len(losses), total)
    values = torch.stack(losses).view(len(first), len(second))
    return plane_of(first, second, values, torch.ones_like(values, dtype=torch.bool), one, two)


def plane_of(
    first: Sequence[float],
    second: Sequence[float],
    losses: Tensor,
    evaluated: Tensor,
    one: Point,
    two: Point,
    error: float = 0.0,
) -> Plane:
    """A `Plane` of losses (a, b) that are known, with the lengths of its directions and their cosine."""
    lengths = torch.stack([norm(one), norm(two)])
    common = {name: value for name, value in one.items() if name in two}
    inner = dot(common, two) if common else lengths.new_zeros(())
    cosine = (inner / lengths[0] / lengths[1]).clamp(-1.0, 1.0)
    a, b = (torch.tensor(each, dtype=torch.float64) for each in (first, second))
    return Plane(a, b, losses, evaluated, lengths, cosine, error)


def evenly(low: float, high: float, count: int) -> list[float]:
    """Evenly spaced sizes that cover `low` to `high`, of which one is exactly 0.

    The spacing is the least that allows it, so that one end may lie beyond.

    Args:
        low: Where they begin at the latest; 0 or less.
        high: Where they end at the earliest; 0 or more.
        count: How many.

    Raises:
        ValueError: if 0 does not lie between `low` and `high`, or there are too few to lie on both sides of it.

    Example:
        >>> evenly(-1.0, 1.0, 5), evenly(-0.5, 1.5, 4)
        ([-1.0, -0.5, 0.0, 0.5, 1.0], [-0.75, 0.0, 0.75, 1.5])
    """
    if not (low <= 0.0 <= high and low < high and count >= 2 + (low < 0.0 < high)):
        raise ValueError(
            f"expected low <= 0 <= high, low < high and at least three sizes; found {low}, {high} and {count}. "
            "Pass e.g. evenly(-1.0, 1.0, 25)."
        )
    sides = range(bool(low), count - bool(high))  # how many lie below 0
    spacing, below = min((max(-low / (n or 1), high / (count - 1 - n or 1)), n) for n in sides)
    return [spacing * (index - below) for index in range(count)]
