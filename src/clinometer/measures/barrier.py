"""The loss barrier between two solutions: how far the loss rises on the straight line from one to the other."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction
from clinometer.objective.progress import Progress, progress_callback
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class Barrier:
    """The loss along the line (1 − t) a + t b. Infinite and NaN values are kept."""

    sizes: Tensor  # (s,) t, from 0 to 1
    losses: Tensor  # (s,) L((1 − t) a + t b); the first and the last are L(a) and L(b), bit for bit
    height: float  # max over t of L((1 − t) a + t b) − [(1 − t) L(a) + t L(b)]; 0 if the line nowhere rises above it
    above_mean: float  # max over t of L((1 − t) a + t b), minus the mean of L(a) and L(b)


def barrier(objective: Objective, a: Point, b: Point, points: int = 25, *, progress: Progress | Any = None) -> Barrier:
    """The loss at evenly spaced points between two solutions, and how high it rises.

        height = max over t of L((1 − t) a + t b) − [(1 − t) L(a) + t L(b)]

    It is 0 for a convex loss, and for two solutions that lie in one valley. `above_mean` takes the mean of L(a) and
    L(b) in place of the interpolated loss, and so sees a difference of the two as a barrier.

    BatchNorm: in train mode each point normalises with the batch's statistics. In eval mode all points use the running
    statistics that the model has now, which belong to neither the points between nor, usually, to both ends: the
    barrier is then mostly that of stale statistics (Jordan et al., 2023).

    Cost: one forward pass for each point. Memory while it runs: two extra copies of the parameters.

    Args:
        objective: The frozen loss.
        a: The first solution, such as `objective.here()`.
        b: The second solution, of the same names and shapes.
        points: How many, both ends included.
        progress: As for `plane`.

    Raises:
        ValueError: if there are fewer than three points, or `a` and `b` have other names or shapes.
    Source: `height`: Entezari et al. (2022), arXiv:2110.06296; `above_mean`: Frankle et al. (2020), arXiv:1912.05671,
        who take it of the error instead of the loss.

    Example:
        >>> from torch import nn                                    # L(w) = (w² − 1)², with solutions at −1 and 1
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: (m.weight.square() - 1).square().sum(), None)
        >>> a, b = ({"weight": torch.tensor([[w]])} for w in (-1.0, 1.0))
        >>> barrier(objective, a, b, points=5).losses, barrier(objective, a, b).height
        (tensor([0.0000, 0.5625, 1.0000, 0.5625, 0.0000]), 1.0)
    """
    if points < 3:
        raise ValueError(f"expected three points or more, both ends included; found {points}.")
    check_direction(a, b)
    check_direction(b, a)
    sizes = [index / (points - 1) for index in range(points)]
    found, report = list[Tensor](), progress_callback(progress)
    with objective.isolated():
        for t in sizes:
            found.append(objective.loss(a if t == 0 else b if t == 1 else between(a, b, t)))
            if report:
                report(len(found), points)
    losses = torch.stack(found)
    first, *_, last = values = losses.tolist()
    above = [value - ((1 - t) * first + t * last) for t, value in zip(sizes, values, strict=True)]
    return Barrier(
        torch.tensor(sizes, dtype=torch.float64), losses, _highest(above), _highest(values) - (first + last) / 2
    )


def between(a: Point, b: Point, t: float) -> dict[str, Tensor]:
    """The point (1 − t) a + t b.

    Example:
        >>> between({"w": torch.tensor(1.0)}, {"w": torch.tensor(3.0)}, 0.25)
        {'w': tensor(1.5000)}
    """
    return {name: torch.lerp(value, b[name], t) for name, value in a.items()}


def _highest(values: list[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)
