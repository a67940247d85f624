"""One configuration: what its sweep found, and what was predicted of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinometer.analysis.stable_rate import Outcome, Trial, Trials, best_of, is_stable, outcome, rate, trials_of
from clinometer.papers.learning_rates.configurations import PREDICT, Network, configurations, networks
from clinometer.papers.learning_rates.grid import POINTS, family_of, grid_of
from clinometer.papers.learning_rates.prediction import Prediction
from clinometer.papers.learning_rates.rows import PREDICTION, SWEEP, predictions_of
from clinometer.results.run_table import RunTable
from clinometer.studies.study import Scale
from clinometer.training.config import RunConfig

_WORST = 1e6  # what a loss that is not finite counts as between two rates


@dataclass(frozen=True)
class Case:
    """One configuration."""

    config: RunConfig  # of its sweep
    trials: Trials
    raw: Mapping[str, float]  # what each predictor said before it was fitted
    predictions: Mapping[str, Prediction]
    again: tuple[float, ...]  # final losses of the best of the sweep's 7 rates with other seeds
    passes: float  # that `suggest_lr` spent
    reason: str  # why it could not tell

    @property
    def family(self) -> str:
        """The optimizer's name in `GRIDS`."""
        return family_of(self.config)

    @property
    def network(self) -> tuple[str, int, int, str]:
        """The network: configurations that share it are alike."""
        settings = self.config.settings
        return self.config.model, settings["width"], settings["depth"], settings.get("norm", "")

    @property
    def outcome(self) -> Outcome:
        """Where stability ends."""
        return outcome(self.trials)

    @property
    def best(self) -> Trial:
        """The best of all rates that were tried."""
        return self.trials[best_of(self.trials)]

    @property
    def sweep_best(self) -> Trial:
        """The best of the sweep's 7 rates."""
        swept = {each: self.trials[each] for each in grid_of(self.config).sweep}
        return swept[best_of(swept)]

    @property
    def cost(self) -> float:
        """The passes of `suggest_lr` over those of a sweep with one seed."""
        return self.passes / (POINTS * self.config.steps)

    def error(self, predictor: str) -> float:
        """Log of the predicted largest stable rate over the measured one; see `log_error`."""
        return log_error(self.predictions[predictor].largest, self.outcome)

    def covered(self, predictor: str) -> bool:
        """Whether the predicted interval meets that in which stability is known to end."""
        found, answer = self.outcome, self.predictions[predictor]
        return answer.low <= found.unstable and answer.high >= found.largest

    def excess(self, predictor: str) -> float:
        """The final loss at the chosen rate over that of the sweep's best; infinite without a rate.

        Where the rate was not trained, it lies between two that the sweep has tried: by log-log interpolation, and
        beyond the last one as there.
        """
        answer = self.predictions[predictor]
        if not answer.answered:
            return math.inf
        loss = answer.trial.loss if answer.trial else self.loss_at(answer.chosen)
        return loss / self.sweep_best.loss

    def loss_at(self, lr: float) -> float:
        """The final loss at a rate, by log-log interpolation between the rates that were tried."""
        rates = np.log([rate(each) for each in self.trials])
        losses = np.log([min(trial.loss, _WORST) for trial in self.trials.values()])
        return float(np.exp(np.interp(math.log(lr), rates, losses)))

    def failed(self, predictor: str) -> bool:
        """Whether the predictor chose a rate at which training is not stable.

        Where the rate was not trained, whether it is at least the first that was found not to be stable.
        """
        answer = self.predictions[predictor]
        if not answer.trial:
            return answer.chosen >= self.outcome.unstable
        return not is_stable(answer.trial, self.best)


def log_error(predicted: float, found: Outcome) -> float:
    """log(predicted / measured), where the largest stable rate is known to lie between two of the grid's rates.

    0 between them, else the distance to the nearer one, positive where the prediction is too high. Where the grid ended
    before stability did, no prediction is known to be too high. NaN without a prediction or a stable rate.

    Example:
        >>> found = Outcome(best=0.1, best_loss=0.5, largest=1.0, unstable=1.4, holes=0)
        >>> [round(log_error(rate, found), 3) for rate in (0.5, 1.2, 2.8)]
        [-0.693, 0.0, 0.693]
    """
    if not (predicted > 0 and found.largest > 0):
        return math.nan
    too_low = min(math.log(predicted / found.largest), 0.0)
    return too_low if found.censored else too_low + max(math.log(predicted / found.unstable), 0.0)


def read_cases(runs: RunTable, sweeps: Sequence[RunConfig]) -> list[Case]:
    """The cases of those configurations whose sweep and prediction are both there."""
    return [
        _case(runs, sweep, prediction_of(sweep))
        for sweep in sweeps
        if runs.seeds(sweep) and runs.seeds(prediction_of(sweep))
    ]


def cases_in(folder: Path, scale: Scale, of: Sequence[Network]) -> list[Case]:
    """The cases of one set in a study's folder; of the other set nothing is read."""
    sweeps = configurations(networks(of, scale.bases), scale.bases)
    return read_cases(RunTable.read(folder, [*sweeps, *map(prediction_of, sweeps)]), sweeps)


def prediction_of(sweep: RunConfig) -> RunConfig:
    """The config of the predictions for a configuration, from that of its sweep."""
    return sweep.vary(trainer=PREDICT)


def _case(runs: RunTable, sweep: RunConfig, prediction: RunConfig) -> Case:
    swept, row = runs.row(sweep, SWEEP), runs.row(prediction, PREDICTION)
    raw = dict(zip(row["predictor"].tolist(), map(float, row["raw"]), strict=True))
    again = tuple(np.asarray(swept["again"], dtype=float).tolist())
    passes, reason = float(row["passes"]), str(row["reason"])
    return Case(sweep, trials_of(swept), raw, predictions_of(row), again, passes, reason)
