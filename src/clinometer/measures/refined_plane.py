"""A plane that is evaluated where its loss bends, and interpolated where it does not."""

import itertools
from pathlib import Path
from typing import Any

import torch

from clinometer.measures.line import check_sizes
from clinometer.measures.plane import Plane, Sizes, plane_of
from clinometer.measures.plane_losses import open_losses
from clinometer.measures.refinement import Refinement
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.objective.progress import Progress, progress_callback


def refined_plane(
    objective: Objective,
    origin: Point,
    one: Point,
    two: Point,
    sizes: Sizes,
    sizes_two: Sizes | None = None,
    *,
    budget: int = 500,
    tolerance: float = 0.05,
    to: str | Path | None = None,
    progress: Progress | Any = None,
) -> Plane:
    """As `plane` on a fine grid, with forward passes only where the loss needs them.

    Five lines each way are evaluated first, and each of their cells is split into four. A cell is split further while
    the estimated error of bilinear interpolation in it is above `tolerance`:

        error = |interpolated − L| / max(|interpolated|, |L|)

    which is estimated as half of what it was at the points that the last split added. That is right for kinks, such as
    those of ReLU, and too much for a smooth loss, for which it would be a quarter. On known functions the true error
    was up to twice the tolerance. Cells with the largest error times area come first. What is narrower than an eighth
    of the grid, and lies between the first points, is not seen.

    `Plane.evaluated` says which losses were evaluated. The others are interpolated between evaluated ones, and NaN
    where one of those is not finite: the border of a region where the loss diverges is followed as far as the budget
    allows.

    Cost: `budget` forward passes at most. Memory: as `plane`.

    Args:
        objective: The frozen loss.
        origin: As for `plane`.
        one: The first direction.
        two: The second direction.
        sizes: The multiples of `one`, and of `two` unless `sizes_two` is given; rising, three or more.
        sizes_two: The multiples of `two`.
        budget: How many points may be evaluated, 25 or more; those that the file has count as well.
        tolerance: The relative error that is good enough.
        to: A file of losses, as for `plane`.
        progress: As for `plane`: called as `progress(done, budget)`.

    Raises:
        ValueError: as for `plane`; or if sizes do not rise, `budget` is below 25 or `tolerance` is not positive.

    Example:
        >>> from torch import nn                                                    # L(w) = 1 + w₁² + w₂²
        >>> model = nn.Linear(2, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 1 + m.weight.square().sum(), None)
        >>> x, one, two = ({"weight": torch.tensor([each])} for each in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0]))
        >>> found = refined_plane(objective, x, one, two, torch.linspace(-1, 1, 33))
        >>> found.losses.numel(), int(found.evaluated.sum())
        (1089, 81)
    """
    first, second = check_sizes(sizes), check_sizes(sizes if sizes_two is None else sizes_two)
    _check(first, second, budget, tolerance)
    done, report = 0, progress_callback(progress)
    with open_losses(objective, origin, one, two, to) as loss_at:

        def value(row: int, column: int) -> float:
            nonlocal done, like
            like = loss_at(first[row], second[column])
            done += 1
            if report:
                report(done, budget)
            return float(like)

        like = torch.tensor(0.0)
        refined = Refinement(value, first, second, tolerance, budget).run()
    if report and callable(progress) and done < budget:
        report(done, done)  # so that a line ends
    losses = torch.from_numpy(refined.values).to(like.device, like.dtype)
    evaluated = torch.from_numpy(refined.evaluated).to(like.device)
    return plane_of(first, second, losses, evaluated, one, two, refined.error)


def _check(first: list[float], second: list[float], budget: int, tolerance: float) -> None:
    for each in (first, second):
        if len(each) < 3 or not all(low < high for low, high in itertools.pairwise(each)):
            raise ValueError(f"`sizes` must rise, and be three or more; found {each[:6]}. Pass e.g. evenly(-1, 1, 65).")
    if budget < 25 or not tolerance > 0:
        raise ValueError(
            f"expected a budget of 25 points or more and a positive tolerance; found {budget} and {tolerance}."
        )
