"""Rank correlations over norms against SciPy's, and their interval against simulated studies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clinometer.papers.norms.rank_correlation import kendall, rank_correlation, spearman

VALUES = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=20)


@given(VALUES)
def test_both_are_scipys(pairs: list[tuple[int, int]]) -> None:
    """The oracle is SciPy, with many ties among few whole numbers; both are NaN where all values of one are equal."""
    x, y = np.array(pairs, dtype=float).T
    with np.errstate(invalid="ignore"):
        if len(set(x)) == 1 or len(set(y)) == 1:
            assert np.isnan(spearman(x, y))
            assert np.isnan(kendall(x, y))
            return
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_it_is_of_the_means_over_seeds() -> None:
    """SciPy's number of the means, of values that are missing in some seeds; a norm without any is left out."""
    x, y = np.random.default_rng(0).normal(size=(2, 12, 4))
    x[3, 1], y[5, :2], x[7] = np.nan, np.nan, np.nan
    kept = np.arange(12) != 7
    expected = stats.spearmanr(np.nanmean(x[kept], 1), np.nanmean(y[kept], 1)).statistic
    found = rank_correlation(x, y, draws=50)
    assert found.value == pytest.approx(expected)
    assert found.norms == 11


def test_norms_drawn_anew_make_it_wider_than_seeds_alone() -> None:
    """Of seeds that hardly differ nothing is uncertain about these norms, and much about others of their kind."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(18, 1)) + 1e-6 * generator.normal(size=(18, 5))
    y = x + generator.normal(size=(18, 1))
    both, seeds = (rank_correlation(x, y, over=over) for over in ("norms and seeds", "seeds"))
    assert both.value == seeds.value
    assert seeds.high - seeds.low < 0.01
    assert both.high - both.low > 0.2


def test_too_few_norms_have_no_correlation() -> None:
    """Two points are always in order, which says nothing."""
    found = rank_correlation(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
    assert np.isnan([found.value, found.low, found.high, found.p]).all()


def test_equal_values_have_no_correlation() -> None:
    """Of all rates equal no rank is known: no interval, rather than one around a number that is none."""
    found = rank_correlation(np.arange(5.0)[:, None], np.ones((5, 1)))
    assert np.isnan([found.value, found.low, found.high, found.p]).all()


def test_it_covers_what_it_says() -> None:
    """300 simulated studies of 18 norms and 5 seeds: normal pairs with correlation 0, and with 0.7.

    Spearman's ρ of normal pairs is 6/π · arcsin(r/2) (Pearson, 1907). Expected misses at 95%: 15, with a standard
    deviation of 3.8; a percentile interval of 18 points is known to miss more often, and up to a tenth is let pass.
    """
    generator = np.random.default_rng(2)
    for r in (0.0, 0.7):
        truth, missed = 6 / np.pi * np.arcsin(r / 2), 0
        for _ in range(300):
            a, b = generator.normal(size=(2, 18, 1))
            x, y = (each + 0.1 * generator.normal(size=(18, 5)) for each in (a, r * a + np.sqrt(1 - r * r) * b))
            found = rank_correlation(x, y, draws=400)
            missed += not found.low <= truth <= found.high
        assert missed <= 30, (r, missed)
