"""What a search for a learning rate has found, or why it cannot tell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clinometer.readable import html
from clinometer.readable.results import readable

PREDICTORS = {
    "curvature": "where the curvature at the start is the optimizer's threshold, 2/λ for SGD",
    "smoothness": "2/β, of the gradient's change along itself at the start",
    "critical_step": "where a step after the first ones would not have lowered the loss",
    "range_test": "where a rising rate blew the loss up; usual finders take a tenth of it",
}


@readable
@dataclass(frozen=True)
class LearningRates:
    """Learning rates for one model, loss and optimizer, with what is certain of them.

    A rate is that of the optimizer's first group; others keep their ratio to it. Where `reason` says why the search
    cannot tell, the rates and the warm-up are NaN.

    Example:
        >>> print(LearningRates(reason="7 batches are too few; at least 20 are needed"))
        cannot tell: 7 batches are too few; at least 20 are needed
        cost                 0 forward-backward passes
    """

    largest: float = math.nan  # the largest rate at which a run of some hundred steps is stable
    low: float = math.nan  # the interval around it
    high: float = math.nan
    suggested: float = math.nan  # the rate to take
    warm_up: float = math.nan  # steps over which to raise the rate from 0; 0 where none is needed
    multipliers: Mapping[str, float] = field(default_factory=dict[str, float])  # of the rate, for blocks to slow down
    passes: float = 0.0  # forward-backward passes spent
    reason: str = ""  # why it cannot tell
    predictors: Mapping[str, float] = field(default_factory=dict[str, float])  # the largest, by each; NaN if unknown

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON has it: numbers that are not finite become None."""
        found = {name: value for name, value in vars(self).items() if not isinstance(value, Mapping)}
        rates: dict[str, Any] = {name: _or_none(value) for name, value in found.items()}
        return rates | {name: dict(map(_item, vars(self)[name].items())) for name in ("multipliers", "predictors")}

    def __str__(self) -> str:
        """A few lines for a reader."""
        if self.reason:
            return f"cannot tell: {self.reason}\n{self._cost()}"
        lines = [
            f"largest stable rate  {self.largest:.2g}  (90%: {self.low:.2g} to {self.high:.2g})",
            f"suggested rate       {self.suggested:.2g}",
            f"warm-up              {f'{self.warm_up:.0f} steps' if self.warm_up else 'none needed'}",
            *(f"slow down            {name}: × {factor:.2g}" for name, factor in self.multipliers.items()),
            *(f"by {name:<18}{value:.2g}  {PREDICTORS[name]}" for name, value in self.predictors.items()),
            self._cost(),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html.lines(self)

    def _cost(self) -> str:
        return f"cost                 {self.passes:.0f} forward-backward passes"


def _item(item: tuple[str, float]) -> tuple[str, Any]:
    return item[0], _or_none(item[1])


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
