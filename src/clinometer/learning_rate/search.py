"""The search for a learning rate: a first step, a rising rate, then trials at fixed rates."""

import math

from clinometer.learning_rate.cannot_tell import CannotTellError
from clinometer.learning_rate.constants import FAMILIES, LONGER, NORMALIZED, family_of, has_norms
from clinometer.learning_rate.critical_rates import CriticalRates, critical_rates
from clinometer.learning_rate.first_step import first_step
from clinometer.learning_rate.fixed_rate import STEPS, FixedRate, fixed_rate
from clinometer.learning_rate.learning_rates import LearningRates
from clinometer.learning_rate.ramp import Ramp, rising_rate
from clinometer.learning_rate.stability_search import StabilitySearch, stability_search
from clinometer.learning_rate.trials import Trials

PASSES = 100.0
_LONGEST = 1000  # steps of warm-up
_AT_THE_END = 10.0  # passes that are kept for critical rates
_CLEAR = 2.0  # times the noise: a mean of six differs by so much from one of four by chance in 1 of 500 trials
_NOISE = 0.3  # of the loss, from batch to batch: a mean of six then differs by half of what a trial must fall by


class Search:
    """One search.

    Args:
        trials: Trainings from where the model is.
    """

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._predictors: dict[str, float] = {}
        self._critical: CriticalRates | None = None

    def run(self) -> LearningRates:
        """Find the learning rates, or why they cannot be told."""
        try:
            return self._found()
        except CannotTellError as reason:
            return LearningRates(passes=self._trials.passes, reason=str(reason), predictors=self._predictors)

    def _found(self) -> LearningRates:
        first = first_step(self._trials)
        self._predictors |= first.predictors(self._trials)
        ramp = rising_rate(self._trials, first.critical_rate)
        _check_noise(ramp)
        self._predictors["range_test"] = ramp.blow_up
        family = FAMILIES[family_of(first.optimizer)]
        expected = ramp.blow_up * family.ramp * (NORMALIZED if has_norms(self._trials.model) else 1.0)
        left = PASSES - self._trials.passes - _AT_THE_END
        found = stability_search(lambda rate: self._train(rate, ramp), expected, LONGER, left)
        _check(found, ramp)
        suggested = min(family.suggested * found.largest**family.power, found.low)
        return LearningRates(
            largest=found.largest,
            low=found.low,
            high=found.high,
            suggested=suggested,
            warm_up=_warm_up(first.critical_rate, self._critical, suggested),
            multipliers=self._critical.multipliers() if self._critical else {},
            passes=self._trials.passes,
            predictors=self._predictors,
        )

    def _train(self, rate: float, ramp: Ramp) -> FixedRate:
        with self._trials.run() as trial:
            found = fixed_rate(trial, rate, ramp)
            if found.stable and self._critical is None:
                self._critical = critical_rates(self._trials, trial, rate)
                self._predictors["critical_step"] = self._critical.whole
        return found


def _check_noise(ramp: Ramp) -> None:
    """Raise if chance alone could let a trial pass for a stable or an unstable one."""
    if not ramp.relative_noise < _NOISE:
        raise CannotTellError(
            f"the loss differs from batch to batch by {ramp.relative_noise:.0%} of its mean, which hides what "
            f"{STEPS} steps do to it. Take larger batches"
        )


def _check(found: StabilitySearch, ramp: Ramp) -> None:
    """Raise unless a stable trial lowered the loss by more than chance does, if there was a stable one."""
    fall = 1 - min((trial.end for trial in found.trials if trial.stable), default=-math.inf)
    if not fall > _CLEAR * ramp.relative_noise:
        raise CannotTellError(
            f"{STEPS} steps lower the loss by {max(fall, 0.0):.1%} at best, at any rate that was tried, and it differs "
            f"by {ramp.relative_noise:.1%} from batch to batch. Take larger batches, or search once the loss falls"
        )


def _warm_up(start: float, later: CriticalRates | None, rate: float) -> float:
    """Steps until the critical rate reaches `rate`, if it goes on to rise as over the first steps; 0 if it is above.

    n log(rate / critical(0)) / log(critical(n) / critical(0)),   n = 28, at most 1000
    """
    if rate <= start:
        return 0.0
    risen = later.whole / start if later and start > 0 else math.nan
    if not risen > 1:
        return math.nan
    return min(math.ceil(STEPS * math.log(rate / start) / math.log(risen)), _LONGEST)
