"""The rows that the benchmark's runs write, and what they were written from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from clinometer.papers.learning_rates.grid import rate
from clinometer.papers.learning_rates.outcome import Trial
from clinometer.papers.learning_rates.prediction import SUGGESTED, Prediction

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
    initial, final, accuracy = (tuple(map(float, row[field])) for field in ("initial", "final", "accuracy"))
    trained = None if np.isnan(initial).any() else Trial(initial, final, accuracy)
    fields = zip(*(row[name].tolist() for name in ("predictor", "largest", "low", "high", "chosen")), strict=True)
    return {
        name: Prediction(largest, low, high, chosen, trained if name == SUGGESTED else None)
        for name, largest, low, high, chosen in fields
    }
