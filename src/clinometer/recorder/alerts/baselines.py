"""The alarms that people use today, as alerts, so that scores compare them with ours on the same runs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.reading import Numbers
from clinometer.recorder.alerts.rule import Rule, Scores


@dataclass(frozen=True)
class ZScore(Rule):
    """(newest − mean) / standard deviation of the `window` readings before it.

    Args:
        window: How many readings are averaged.
    """

    window: int = 50
    sustained: int = 1
    is_rise: bool = True

    @property
    def needs(self) -> int:
        return self.window + 1

    @property
    def keeps(self) -> int:
        return self.window + 1

    def prepared(self, values: Numbers) -> Numbers:
        return values

    def scores(self, past: Numbers) -> Scores:
        before, newest = past[:-1], past[-1]
        mean, deviation = before.mean(axis=0), before.std(axis=0, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (newest - mean) / deviation
        score = np.where(np.isnan(z), -np.inf, z)
        return Scores(score, score, mean)


@dataclass(frozen=True)
class Cusum(Rule):
    """Page's one-sided CUSUM: the largest sum of (z − drift) over the last readings, z as `ZScore` has it.

        max over k ≤ span of Σ_{i > t−k} (z_i − drift)

    Mean and deviation are those of the `window` readings before the last `span`.

    Source: Page (1954), Biometrika 41, 100.

    Args:
        drift: What is subtracted from each z: half the change that is looked for.
        window: How many readings are averaged.
        span: Over how many of the newest readings it sums at most.
    """

    drift: float = 0.5
    window: int = 50
    span: int = 20
    sustained: int = 1
    is_rise: bool = True

    @property
    def needs(self) -> int:
        return self.window + self.span

    @property
    def keeps(self) -> int:
        return self.window + self.span

    def prepared(self, values: Numbers) -> Numbers:
        return values

    def scores(self, past: Numbers) -> Scores:
        before, newest = past[: self.window], past[-self.span :]
        mean, deviation = before.mean(axis=0), before.std(axis=0, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (newest - mean) / deviation
        z = np.where(np.isnan(z), 0.0, z)  # what is not known, or has never moved, is no evidence
        score = np.cumsum(z[::-1] - self.drift, axis=0).max(axis=0)
        return Scores(score, score, mean)


def _on(quantity: str, rule: Rule, name: str) -> Callable[[float], Alert]:
    return lambda threshold=math.inf: QuantityAlert(quantity, rule, threshold, name=name)


# By name: an alert with a threshold, which the scores tune for each of them alike.
BASELINES: Mapping[str, Callable[[float], Alert]] = {
    "gradient norm": _on("step_norms/total_gradient_norm", Change(), "gradient norm"),
    "update norm": _on("step_norms/total_update_norm", Change(), "update norm"),
    "loss z-score": _on("step_norms/loss", ZScore(), "loss z-score"),
    "loss CUSUM": _on("step_norms/loss", Cusum(), "loss CUSUM"),
    "activation kurtosis": _on(
        "activation_moments/kurtosis", Change(sustained=2, window=16, lag=4), "activation kurtosis"
    ),
}
