"""Smoothness that does not depend on the scale of the weights.

BatchNorm takes out the scale of the filters before it, and a ReLU lets a scale pass from one layer to the next. So one
function has weights of many scales, and as many raw values of β or λ. In units of the weights' own norms it has one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from clinometer.measures.filter_norm import filter_norms
from clinometer.measures.line import Line, check_sizes, line_of
from clinometer.objective.computed import Computed, along, difference
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, gap_and_cosine, norm


def relative_walk(
    objective: Objective,
    origin: Point,
    direction: Point,
    sizes: Sequence[float] | Tensor,
    *,
    norms: Point | None = None,
    start: tuple[Tensor, Point] | None = None,
) -> Line:
    """As `walk`, measured in the norms n of the weights at the origin: lengths are ‖d/n‖, and gradients ‖n g‖.

        distances = ‖(x_a − x) / n‖,   grad_gaps = ‖n (g(x_a) − g(x))‖,   cosines = cos(n g(x_a), n g(x))

    That is the loss by the coordinates u = w / n, in which a filter has length 1: its gradient is n g, its Hessian
    n H n. Let weights be rescaled, block by block, such that the loss is the same: w → c w has g → g / c and n → c n.
    Then nothing here changes, if the direction is rescaled with the weights, as filter-normalised ones are
    (`normalised`). What `gradient_predictiveness` and `effective_smoothness` read from the line is as invariant.

    By default n is ‖w_f‖ of each filter. That is invariant where a block is a filter or made of whole filters: each
    filter before BatchNorm by its own c, or a layer before a ReLU by c and the layer after it by 1/c. Parameters
    without a norm, by default those of fewer than two dimensions, move if the direction moves them, and count in no
    length; so do filters that are zero.

    Cost: s + 1 forward-backward passes for s sizes; s with `start`. Memory: as `walk`.

    Args:
        objective: The frozen loss.
        origin: Where the walk starts, x.
        direction: Where it goes, d. Names that it lacks do not move.
        sizes: The step sizes a, (s,).
        norms: n, positive or zero, in shapes that multiply the parameters; `filter_norms(origin)` by default.
        start: Loss and gradient at `origin`, if known already.

    Returns:
        A `Line`: distances are pure numbers, gaps and `grad_norm` in units of the loss.

    Raises:
        ValueError: if `sizes` or `direction` does not fit, as for `walk`, or there is no norm.
    Source: for filter norms Li et al. (2018), arXiv:1712.09913; for the scale of weights before BatchNorm
    van Laarhoven (2017), arXiv:1706.05350.

    Example:
        >>> model = torch.nn.Linear(1, 1, bias=False)                                # L(w) = w², at 2 and along −4
        >>> objective = Objective(model, lambda m, _: m.weight.square().sum(), None)
        >>> x, d = {"weight": torch.tensor([[2.0]])}, {"weight": torch.tensor([[-4.0]])}
        >>> line = relative_walk(objective, x, d, [0.25])
        >>> float(line.distances), float(line.grad_norm), float(line.grad_gaps)     # half of 2; 2 · 4; 2 · 2
        (0.5, 8.0, 4.0)
    """
    steps = check_sizes(sizes)
    norms = filter_norms(origin) if norms is None else norms
    if not norms:
        raise ValueError("no parameter has a norm: all have fewer than two dimensions. Pass move_1d=True.")
    check_direction(origin, direction)
    loss, gradient = start or objective.loss_and_grad(origin)
    here = _times(gradient, norms)
    with objective.isolated():
        points = (along(origin, direction, size) for size in steps)
        compared = [_compare(objective, at, origin, here, norms) for at in points]
    return line_of(steps, compared, loss, norm(here))


def relative_norm(direction: Point, norms: Point) -> Tensor:
    """‖d / n‖ over the parameters that have a norm, (); parts whose norm is zero do not count."""
    return norm(Computed(norms, lambda name: torch.where(norms[name] > 0, direction[name] / norms[name], 0.0)))


def _compare(objective: Objective, at: Point, origin: Point, here: Point, norms: Point) -> tuple[Tensor, ...]:
    """How far a point lies from the origin, its loss, and how its gradient times norms lies to that of the origin."""
    loss, gradient = objective.loss_and_grad(at, list(norms))
    far = relative_norm(difference(at, origin), norms)
    return far, loss, *gap_and_cosine(_times(gradient, norms), here)


def _times(gradient: Point, norms: Point) -> Point:
    return Computed(norms, lambda name: gradient[name] * norms[name])
