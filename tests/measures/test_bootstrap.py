"""The block bootstrap against the spread of means that is known in closed form."""

import math

import numpy as np
import pytest

from clinometer.measures.bootstrap import interval, ratio_of_means, resampled_means


def test_means_scatter_about_the_mean_as_those_of_independent_rows() -> None:
    """Of n independent rows the mean has the standard error s/√n: for many, blocks and correction change little."""
    rows = np.random.default_rng(0).normal(size=(2, 5000))
    means = resampled_means(rows, 0.95)
    assert means.shape == (2, 1000)
    np.testing.assert_allclose(means.mean(1), rows.mean(1), atol=0.002)
    np.testing.assert_allclose(means.std(1), rows.std(1) / np.sqrt(5000), rtol=0.1)


@pytest.mark.parametrize("rows", [8, 20, 200])
def test_intervals_hold_the_truth_as_often_as_they_say(rows: int) -> None:
    """400 samples of normal numbers with mean 0: between 92% and 99% of intervals at 95% hold it."""
    generator = np.random.default_rng(rows)
    intervals = [interval(resampled_means(generator.normal(size=(1, rows)), 0.95, t)[0], 0.95) for t in range(400)]
    assert 0.92 < np.mean([low <= 0 <= high for low, high in intervals]) < 0.99


def test_a_mean_that_is_not_above_0_makes_the_ratio_infinite() -> None:
    """By hand; and the interval then ends at infinity, not at NaN."""
    ratios = ratio_of_means(np.array([[1.0, 2.0, 3.0], [2.0, 0.0, -1.0]]))
    assert ratios.tolist() == [0.5, math.inf, math.inf]
    assert interval(ratios, 0.95) == (0.5, math.inf)
