"""Test accuracies at matched training accuracy, of networks whose curves were chosen."""

import numpy as np
import pytest
from stored import BASES, STUDY, table

from clinometer.analysis.matched_accuracy import SETTLED
from clinometer.analysis.matched_accuracy import test_odds_at_common_accuracies as at_common
from clinometer.papers.santurkar2018.variants import vgg
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig

NONE, BATCH = vgg(BASES, ["none", "batch"])
ARMS = STUDY.figures["figure_01"].arms(BASES)


def trained(config: RunConfig, step: int) -> float:
    """BatchNorm learns a third faster, from chance at the start on."""
    return min(1.0, 0.1 + step / (150 if config["norm"] == "batch" else 200))


def found(runs: RunTable) -> np.ndarray:
    ours, other = at_common(runs, BATCH, NONE, 10**9)
    return ours - other


def test_networks_that_test_alike_at_equal_training_accuracy_differ_by_nothing() -> None:
    """The test accuracy is one function of the training accuracy, whose log odds it is: linear between the points.

    At equal steps BatchNorm is ahead by up to 25 points; running means over 9 steps of a straight line are exact.
    """
    runs = table(ARMS, accuracy=trained, test=lambda c, s: 1 / (1 + np.exp(-2 * trained(c, s))))
    np.testing.assert_allclose(found(runs), 0, atol=0.02)  # but for the bend where BatchNorm reaches 1


def test_the_difference_is_that_of_the_log_odds() -> None:
    """80 against 70 per cent throughout: log(4) − log(7/3), at whatever training accuracies."""
    runs = table(ARMS, accuracy=trained, test=lambda c, _s: 0.8 if c["norm"] == "batch" else 0.7)
    np.testing.assert_allclose(found(runs), np.log(4) - np.log(7 / 3), rtol=1e-6)


def test_the_first_steps_do_not_count() -> None:
    """Until running statistics have settled BatchNorm tests at 10%; whatever it does there, nothing changes."""
    runs = table(
        ARMS,
        accuracy=trained,
        test=lambda c, s: 0.7 if c["norm"] == "none" else 0.8 if s >= SETTLED else 0.1,
    )
    np.testing.assert_allclose(found(runs), np.log(4) - np.log(7 / 3), rtol=1e-6)


@pytest.mark.parametrize("level", [0.1, 0.5], ids=["dead", "below where the other begins"])
def test_networks_without_a_common_training_accuracy_have_no_difference(level: float) -> None:
    """The standard network stays at one accuracy; BatchNorm is at 90% and above once running statistics settled."""
    runs = table(ARMS, accuracy=lambda c, s: level if c["norm"] == "none" else 0.9 + s / 1500)
    assert np.isnan(found(runs)).all()
