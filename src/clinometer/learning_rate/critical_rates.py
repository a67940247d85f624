"""From which rate on a training's next step would not lower the loss: the whole step, and each block of it alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from clinometer.learning_rate.trials import FORWARD, Trial, Trials
from clinometer.measures.critical_step import critical_step, rounding_of
from clinometer.measures.layers import blocks_of, within
from clinometer.objective.computed import along
from clinometer.objective.params import Point, dot, norm, sub

_APART = 3.0  # how much lower than the median a block's critical rate is before it is told
_MOST = 8  # blocks that are looked at
_TINY = 1e-30  # for a block whose parameters are 0


@dataclass(frozen=True)
class CriticalRates:
    """The critical rate of one step of a training, λ_c = 2/rate for gradient descent, and of its parts."""

    whole: float
    blocks: Mapping[str, float]  # of a block that moves alone, on a parabola; NaN where rounding hides it

    def multipliers(self) -> dict[str, float]:
        """The critical rates of blocks over their median, where they are less than a third of it.

        Example:
            >>> CriticalRates(1.0, {"stem": 1.0, "body": 2.0, "head": 0.1}).multipliers()
            {'head': 0.1}
        """
        known = {block: rate for block, rate in self.blocks.items() if 0 < rate < math.inf}
        middle = median(known.values()) if known else math.nan
        return {block: rate / middle for block, rate in known.items() if rate * _APART < middle}


def critical_rates(trials: Trials, trial: Trial, rate: float) -> CriticalRates:
    """The critical rates of a trial's next step, which is taken with `rate`.

    A block's rate is that of the parabola through the loss, its slope and the loss after the block's part of a step
    half as long as the whole critical one. Of more than eight blocks it looks at those that move most for their length.
    Cost: two forward-backward passes, and forward ones: about four and one per block.
    """
    number, before = len(trial.losses), trial.here()
    objective = trial.objective(number)
    loss, gradient = objective.loss_and_grad(before)
    trials.passes += 1
    trial.step(rate)
    update = sub(trial.here(), before)
    found = critical_step(objective, before, update, precision=0.3, loss=loss, gradient=gradient)
    trials.passes += FORWARD * found.evaluations
    size = found.multiple / 2 if 0 < found.multiple < math.inf else 1.0
    blocks: dict[str, float] = {}
    for block, names in _fastest(trials, before, update).items():
        part = within(update, names)
        slope = float(dot(within(gradient, names), part))
        rise = float(objective.loss(along(before, part, size))) - float(loss)
        trials.passes += FORWARD
        bent = rise - slope * size
        seen = bent > rounding_of(loss) and slope < 0
        blocks[block] = rate * size * (-slope * size) / bent if seen else math.nan
    return CriticalRates(found.learning_rate(rate), blocks)


def _fastest(trials: Trials, before: Point, update: Point) -> dict[str, tuple[str, ...]]:
    """The blocks to look at, with their parameters' names; none in a model without layers."""
    try:
        blocks = blocks_of(trials.model, "layers", before)
    except ValueError:
        return {}

    def speed(block: str) -> float:
        return float(norm(within(update, blocks[block])) / norm(within(before, blocks[block])).clamp_min(_TINY))

    chosen = sorted(blocks, key=speed, reverse=True)[:_MOST]
    return {block: names for block, names in blocks.items() if block in chosen}
