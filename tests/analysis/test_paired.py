"""Pairs of variants, on numbers whose means are done by hand."""

import numpy as np
import pytest

from clinometer.analysis.paired import log_ratio, mean_difference


def test_the_mean_is_over_the_chosen_steps_of_each_seed() -> None:
    """By hand: seed 0 differs by 1 and 3 at its chosen steps; seed 1 has no chosen step, so its mean is NaN."""
    ours, others = np.array([[2.0, 9.0, 5.0], [1.0, 1.0, 1.0]]), np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    where = np.array([[True, False, True], [False, False, False]])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(mean_difference(ours, others, where), [2.0, np.nan])


def test_twice_and_half_weigh_the_same() -> None:
    """The logarithms of 2 and 1/2 cancel, whatever the scale."""
    assert log_ratio(np.array([2.0, 300.0]), np.array([1.0, 600.0])).sum() == pytest.approx(0.0, abs=1e-15)
