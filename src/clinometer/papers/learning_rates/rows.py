"""The rows that the benchmark's runs write, and what they were written from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from clinometer.analysis.stable_rate import Trial
from clinometer.papers.learning_rates.prediction import SUGGESTED, Prediction

SWEEP, PREDICTION = "sweep", "prediction"

Values = np.ndarray[Any, Any]


def predictions_of(row: Mapping[str, Values]) -> dict[str, Prediction]:
    """The predictions that a row was written from, by predictor."""
    initial, final, accuracy = (tuple(map(float, row[field])) for field in ("initial", "final", "accuracy"))
    trained = None if np.isnan(initial).any() else Trial(initial, final, accuracy)
    fields = zip(*(row[name].tolist() for name in ("predictor", "largest", "low", "high", "chosen")), strict=True)
    return {
        name: Prediction(largest, low, high, chosen, trained if name == SUGGESTED else None)
        for name, largest, low, high, chosen in fields
    }
