"""How long a training step's gradient and update are beside the weights, without any evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.objective.lengths import lengths
from clinometer.objective.params import Point
from clinometer.readable.results import readable

Lengths = Mapping[str, float]  # the Euclidean norm of each parameter's tensor


@readable
@dataclass(frozen=True)
class StepNorms:
    """Euclidean norms of one step, of each block and of all parameters."""

    gradient: Tensor  # (blocks,) NaN where it is unknown
    update: Tensor  # (blocks,)
    weight: Tensor  # (blocks,) before the step
    total_gradient: float
    total_update: float
    total_weight: float

    @property
    def update_ratio(self) -> Tensor:
        """‖update‖ / ‖weights‖ of each block; NaN where both are zero."""
        return self.update / self.weight


def step_norms(before: Point, after: Point, gradient: Lengths, blocks: Mapping[str, Sequence[str]]) -> StepNorms:
    """The norms of a step's gradient, its update `after` − `before`, and the weights that it started from.

    Cost: no evaluation; three readings of the parameters, and one copy of them for as long as it runs.

    Args:
        before: The parameters where the step started.
        after: Where it ended.
        gradient: The norm of the gradient of each parameter, as `lengths` gives it; those left out are unknown.
        blocks: Block name to parameter names, as `blocks_of` gives it.

    Returns:
        A `StepNorms`. A block's gradient is NaN where that of one of its parameters is unknown, and so is the total.

    Example:
        >>> before, after = {"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([3.0, 3.5])}
        >>> found = step_norms(before, after, {"w": 2.0}, {"layer": ("w",)})
        >>> found.gradient, found.update_ratio, found.total_weight
        (tensor([2.], dtype=torch.float64), tensor([0.1000], dtype=torch.float64), 5.0)
    """
    known = dict.fromkeys(before, math.nan) | {name: gradient[name] for name in before if name in gradient}
    kinds = (known, lengths(after, minus=before), lengths(before))
    gradients, updates, weights = (_of_blocks(each, blocks) for each in kinds)
    return StepNorms(gradients, updates, weights, *(math.hypot(*each.values()) for each in kinds))


def _of_blocks(each: Lengths, blocks: Mapping[str, Sequence[str]]) -> Tensor:
    of_each = [math.hypot(*(each[name] for name in names)) for names in blocks.values()]
    return torch.tensor(of_each, dtype=torch.float64)
