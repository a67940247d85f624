"""The rows that the benchmark's runs write, and what they were written from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from clinometer.papers.learning_rates.grid import rate
from clinometer.papers.learning_rates.outcome import Trial
from clinometer.papers.learning_rates.prediction import Prediction

SWEEP, PREDICTION = "sweep", "prediction"

Values = np.ndarray[Any, Any]


def columns(trials: Mapping[int, Trial]) -> dict[str, Values]:
    """The row of a sweep."""
    return {
        "half_octaves": np.array(list(trials)),
        "lr": np.array([rate(each) for each in trials]),
        **{
            name: np.array([getattr(each, name) for each in trials.values()])
            for name in ("initial", "final", "accuracy")
        },
    }


def trials_of(row: Mapping[str, Values]) -> dict[int, Trial]:
    """The trials that a row of a sweep was written from."""
    parts = zip(*(row[name] for name in ("half_octaves", "initial", "final", "accuracy")), strict=True)
    return {int(k): Trial(*(tuple(map(float, each)) for each in (i, f, a))) for k, i, f, a in parts}


def predictions_of(row: Mapping[str, Values]) -> dict[str, Prediction]:
    """The predictions that a row was written from, by predictor."""
    found: dict[str, Prediction] = {}
    for index, name in enumerate(row["predictor"].tolist()):
        largest, low, high, chosen = (float(row[field][index]) for field in ("largest", "low", "high", "chosen"))
        parts = [tuple(map(float, row[field][index])) for field in ("initial", "final", "accuracy")]
        found[name] = Prediction(largest, low, high, chosen, None if np.isnan(parts[0]).any() else Trial(*parts))
    return found
