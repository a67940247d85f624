"""The trainer of a prediction: what `suggest_lr` and the usual predictors say, then a training at the rate it took."""

import math
from collections.abc import Mapping

import numpy as np

from clinometer.analysis.stable_rate import Trial, trial
from clinometer.learning_rate.learning_rates import LearningRates
from clinometer.learning_rate.suggest import suggest_lr
from clinometer.papers.learning_rates.grid import family_of
from clinometer.papers.learning_rates.prediction import PREDICTORS, SUGGESTED, Prediction, fitted
from clinometer.papers.learning_rates.rows import PREDICTION, Values
from clinometer.papers.learning_rates.training import SEEDS, loss_fn, seeds_of, write
from clinometer.training.config import RunConfig
from clinometer.training.curve import batches, build, curve, samples
from clinometer.training.from_config import build_optimizer
from clinometer.training.keeper import Keeper
from clinometer.training.parts import Samples


def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Predict the learning rate of each config before it is trained, and train at the rate that `suggest_lr` took.

    Rows: `train`, loss and accuracy of the first seed at that rate, or where it cannot tell at that of the optimizer
    alone; and one of `prediction`: `predictor` (p,) names, their `raw` rates, `largest`, `low`, `high` and `chosen`
    (p,); and of `suggest_lr` its `passes`, `warm_up` and `reason`, and `initial`, `final` and `accuracy` (seeds,) of
    the trainings, NaN where it cannot tell.
    """
    for config, keeper in runs.items():
        _predict(config, keeper, samples(config, device, keeper.data), device)


def _predict(config: RunConfig, keeper: Keeper, data: Samples, device: str) -> None:
    found = suggested(config, data, device)
    raw = {SUGGESTED: found.largest, **{name: found.predictors.get(name, math.nan) for name in PREDICTORS}}
    raw |= {SUGGESTED: found.largest, "constant": 1.0}
    answers = {name: fitted(name, family_of(config), raw[name]) for name in PREDICTORS}
    answers[SUGGESTED] = Prediction(found.largest, found.low, found.high, found.suggested)
    answer = answers[SUGGESTED] if answers[SUGGESTED].answered else answers["constant"]
    curves = [curve(config, answer.chosen, seed, data, device) for seed in seeds_of(config)]
    trained = trial(curves) if answers[SUGGESTED].answered else None
    row = {**columns(raw, answers, trained), "passes": found.passes, "warm_up": found.warm_up, "reason": found.reason}
    write(keeper, curves[0], {PREDICTION: row})


def suggested(config: RunConfig, data: Samples, device: str = "cpu") -> LearningRates:
    """What `suggest_lr` says of a config's first seed, before training."""
    (seed, *_) = seeds_of(config)
    model = build(config, seed).to(device)
    return suggest_lr(
        model, loss_fn, batches(config, seed, data), optimizer=lambda parameters: build_optimizer(config, parameters)
    )


def columns(raw: Mapping[str, float], answers: Mapping[str, Prediction], trained: Trial | None) -> dict[str, Values]:
    """The row of predictions, less what only `suggest_lr` says."""
    nothing = [math.nan] * SEEDS
    return {
        "predictor": np.array(list(answers)),
        "raw": np.array([raw[name] for name in answers]),
        **{
            name: np.array([getattr(each, name) for each in answers.values()])
            for name in ("largest", "low", "high", "chosen")
        },
        **{name: np.array(getattr(trained, name) if trained else nothing) for name in ("initial", "final", "accuracy")},
    }
