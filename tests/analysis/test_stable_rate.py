"""Where stability ends, on sweeps that were made up so that anybody can say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.analysis.stable_rate import Trial, best_of, is_stable, outcome, rate
from clinometer.papers.learning_rates.explore import explore
from clinometer.papers.learning_rates.grid import GRIDS, STRIDE, Grid

GRID = Grid(first=-10, lowest=-16, highest=20)


def trial(loss: float, accuracy: float = 0.9) -> Trial:
    return Trial((2.3,) * 3, (loss,) * 3, (accuracy,) * 3)


def stable_up_to(edge: int, best: int = -4) -> dict[int, Trial]:
    """A loss that falls up to `best` and rises then; what is above `edge` diverges."""
    return {k: trial(0.1 + 0.01 * abs(k - best)) if k <= edge else trial(math.inf, 0.0) for k in range(-40, 41)}


@given(st.integers(-4, 19))
def test_the_edge_is_found_wherever_it_is(edge: int) -> None:
    """The edge was put there. It is found to half an octave, with at most the sweep, its prolongation and two more."""
    truth, tried = stable_up_to(edge), list[int]()

    def train(half_octaves: int) -> Trial:
        tried.append(half_octaves)
        return truth[half_octaves]

    found = outcome(explore(train, GRID))
    assert (found.best, found.largest, found.unstable) == (rate(-4), rate(edge), rate(edge + 1))
    assert not found.censored
    assert len(tried) == len(set(tried)) <= 7 + max(0, math.ceil((edge - 8 + 1) / STRIDE)) + 2


def test_what_is_stable_on_the_whole_grid_is_censored() -> None:
    """Nothing diverges: the edge is known to lie above the grid's end, and no rate beyond it is tried."""
    trials = explore(lambda k: stable_up_to(40)[k], GRID)
    found = outcome(trials)
    assert found.censored
    assert found.largest == rate(max(trials))
    assert max(trials) == 20


def test_smaller_rates_are_tried_where_the_whole_sweep_diverges() -> None:
    """The edge was put below the sweep."""
    found = outcome(explore(lambda k: stable_up_to(-12, best=-13)[k], GRID))
    assert (found.largest, found.unstable) == (rate(-12), rate(-11))


def test_nothing_is_stable() -> None:
    """Every rate diverges: there is no stable rate, and the sweep ends at the grid's lowest."""
    trials = explore(lambda _: trial(math.inf, 0.0), GRID)
    found = outcome(trials)
    assert math.isnan(found.largest)
    assert min(trials) == GRID.lowest


def test_the_first_failure_above_the_best_counts() -> None:
    """A rate that is stable again above a failure is not the largest stable one; a failure below the best is a hole."""
    trials = {0: trial(0.4), 1: trial(0.1), 2: trial(0.3), 3: trial(math.inf, 0.0), 4: trial(0.3)}
    found = outcome(trials)
    assert (found.largest, found.unstable, found.holes) == (rate(2), rate(3), 0)
    assert outcome({**trials, 0: trial(4.0)}).holes == 1


@pytest.mark.parametrize(
    ("loss", "accuracy", "stable"),
    [
        (2.3, 0.5, True),  # not above the initial loss
        (2.4, 0.5, False),
        (0.5, 0.45, True),  # half of the best one's accuracy
        (0.5, 0.44, False),
        (math.inf, 0.0, False),
        (math.nan, 0.9, False),
    ],
)
def test_what_stable_means(loss: float, accuracy: float, stable: bool) -> None:
    """By hand, for each of the rule's conditions."""
    assert is_stable(trial(loss, accuracy), trial(0.1)) is stable


def test_most_seeds_decide() -> None:
    """One of three seeds diverges, then two."""
    one, two = (Trial((2.3,) * 3, (math.inf,) * n + (0.2,) * (3 - n), (0.0,) * n + (0.9,) * (3 - n)) for n in (1, 2))
    assert is_stable(one, trial(0.1))
    assert not is_stable(two, trial(0.1))


def test_the_best_rate_has_the_lowest_mean() -> None:
    """A seed that diverged makes its rate the worst."""
    assert best_of({0: Trial((2.3, 2.3), (0.0, math.inf), (1.0, 0.0)), 1: trial(1.0)}) == 1


def test_sweeps_are_seven_rates_of_the_grid() -> None:
    """As the page says: rates that differ by a factor of about 3, over three decades."""
    for grid in GRIDS.values():
        rates = np.array([rate(each) for each in grid.sweep])
        assert len(rates) == 7
        assert grid.lowest <= grid.sweep[0] <= grid.sweep[-1] <= grid.highest
        np.testing.assert_allclose(rates[1:] / rates[:-1], 2**1.5)
