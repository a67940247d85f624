"""Where a walk goes from the start of a step: along the gradient, the optimizer's update, or a random direction."""

import math
from typing import Literal

import torch

from clinometer.measures.directions import gaussian
from clinometer.objective.computed import Computed
from clinometer.objective.params import Point, norm, scale
from clinometer.probes.base import Step

Direction = Literal["gradient", "update", "random"]


def direction_of(step: Step, direction: Direction, relative: bool) -> tuple[Point, float]:
    """A direction, and how far along it a walk of size 1 goes.

    With `relative` a size of 1 goes as far as gradient descent would at the step's learning rates, each parameter at
    its own, with the gradient as the optimizer got it: clipped, for instance. That is NaN where a rate is unknown.

    Example:
        >>> from clinometer import Objective
        >>> from torch import nn
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 3 * m.weight.sum(), None)
        >>> here = objective.here()
        >>> step = Step(0, objective, here, here, 0.1, {"weight": 0.1})
        >>> along, unit = direction_of(step, "gradient", relative=True)
        >>> dict(along), unit
        ({'weight': tensor([[-3.]])}, 0.1)
    """
    if direction == "update":
        return step.update, 1.0
    rates = set(step.rates.values())
    if relative and len(rates) > 1 and not any(map(math.isnan, rates)):
        factors, unit = step.rates, step.factor
    else:
        factors = {name: math.copysign(1.0, rate) for name, rate in step.rates.items()}
        unit = 1.0 if not relative or step.lr is None else step.lr * step.factor
    along = Computed(step.gradient, lambda name: step.gradient[name] * -factors[name])
    if direction == "random":
        drawn = random_direction(step)
        return drawn if len(rates) == 1 or not relative else scale(drawn, norm(along) / norm(drawn)), unit
    return along, unit


def bare_direction(step: Step, direction: Direction) -> Point:
    """A direction whose length means nothing, for walks by distance: neither learning rates nor a gradient scale it."""
    return _drawn(step) if direction == "random" else direction_of(step, direction, relative=False)[0]


def of_length_one(direction: Point) -> tuple[Point, float]:
    """The direction over its length, computed as it is read, and 1; NaN where it has no length, or no finite one.

    Example:
        >>> along, unit = of_length_one({"w": torch.tensor([3.0, 4.0])})
        >>> along["w"], unit, of_length_one({"w": torch.zeros(2)})[1]
        (tensor([0.6000, 0.8000]), 1.0, nan)
    """
    length = float(norm(direction))
    if not 0 < length < math.inf:
        return direction, math.nan
    return Computed(direction, lambda name: direction[name] / length), 1.0


def random_direction(step: Step) -> Point:
    """A Gaussian direction as long as the gradient."""
    drawn = _drawn(step)
    return scale(drawn, norm(step.gradient) / norm(drawn))


def _drawn(step: Step) -> Point:
    """A Gaussian direction from the program's seed and the step's index.

    A generator of its own: a run that draws nothing would otherwise meet the same direction at every step.
    """
    seed = step.objective.ranks.broadcast((1_000_003 * torch.initial_seed() + step.index) % 2**53)
    return gaussian(step.gradient, seed)
