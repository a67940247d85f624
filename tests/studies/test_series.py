"""A line over seeds keeps what it summarises."""

import dataclasses

import numpy as np
import pytest

from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Series
from clinometer.studies.series import StyledVariant, curves
from clinometer.training.config import RunConfig

LOSSES = {3: [4.0, 2.0, 1.0], 0: [2.0, 4.0, 3.0], 5: [0.0, 0.0, 2.0]}


def test_a_line_keeps_the_values_of_each_seed() -> None:
    """By hand: the rows are those stored, in the order of the seeds that the series names, whatever the table's order;
    the line is their mean, (2 + 4 + 0) / 3 = 2 first, and the band their range."""
    arm = RunConfig("nets:mlp", steps=3)
    runs = RunTable.of_arrays({dataclasses.replace(arm, seed=s): {"train": {"loss": v}} for s, v in LOSSES.items()})
    (line,) = curves(runs, [StyledVariant(arm, "mine", 0)], "train", "loss")
    assert line.seeds == (0, 3, 5)
    np.testing.assert_array_equal(line.each, [LOSSES[seed] for seed in line.seeds])
    np.testing.assert_array_equal(line.y, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal((line.low, line.high), ([0.0, 0.0, 1.0], [4.0, 4.0, 3.0]))


@pytest.mark.parametrize("seeds", [(), (0,), (0, 1, 2)])
def test_values_of_seeds_that_are_not_named_are_refused(seeds: tuple[int, ...]) -> None:
    """By hand: two rows belong to two seeds; with another number of names a row would be told under a wrong one."""
    with pytest.raises(ValueError, match=rf"each.*\(2, 3\).*\({len(seeds)}, 3\)"):
        Series("mine", 0, np.arange(3), each=np.zeros((2, 3)), seeds=seeds)
