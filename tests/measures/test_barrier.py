"""The loss barrier between two solutions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import batch, cross_entropy, everything, quadratic
from properties import assert_same, traces
from torch import nn

from clinometer import Objective, walk
from clinometer.measures.barrier import barrier, between
from clinometer.objective.params import sub


@given(st.lists(st.floats(0.0, 5.0), min_size=2, max_size=4), st.integers(0, 1000))
def test_a_convex_loss_has_none(eigenvalues: list[float], seed: int) -> None:
    """By Jensen's inequality: nowhere above the straight line between the ends; 0 is the ends themselves."""
    a, b = torch.randn(2, len(eigenvalues), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = barrier(quadratic(eigenvalues, a.tolist()), {"w": a}, {"w": b}, points=9)
    assert 0.0 <= found.height <= 1e-12
    h = torch.tensor(eigenvalues, dtype=torch.float64)
    line = a + found.sizes[:, None] * (b - a)
    torch.testing.assert_close(found.losses, (h * line**2).sum(1) / 2, rtol=1e-10, atol=1e-12)
    mean = float(found.losses[0] + found.losses[-1]) / 2
    assert found.above_mean == pytest.approx(float(found.losses.max()) - mean, abs=1e-12)


def double_well(tilt: float) -> Objective:
    """(w² − 1)² + tilt · w, in float64."""
    model = nn.Linear(1, 1, bias=False).double()
    return Objective(model, lambda m, _: ((m.weight.square() - 1).square() + tilt * m.weight).sum(), None)


@pytest.mark.parametrize("tilt", [0.0, 0.1])
def test_a_double_well_has_the_height_of_its_hill(tilt: float) -> None:
    """Closed form between −1 and 1: the line between the ends is tilt · w, the hill 1 above it at 0, whatever the tilt.

    The mean of the ends is 0; above it the highest point is that of (w² − 1)² + tilt · w.
    """
    a, b = ({"weight": torch.tensor([[w]], dtype=torch.float64)} for w in (-1.0, 1.0))
    found = barrier(double_well(tilt), a, b, points=41)
    assert found.height == pytest.approx(1.0, rel=1e-12)
    w = torch.linspace(-1, 1, 41, dtype=torch.float64)
    assert found.above_mean == pytest.approx(float(((w**2 - 1) ** 2 + tilt * w).max()), rel=1e-12)


def test_the_ends_are_the_solutions_bit_for_bit_and_the_line_is_a_walk() -> None:
    """By `objective.loss` at the ends, which a + 1 · (b − a) would miss by rounding, and by `walk` between them."""
    objective = Objective(everything(), cross_entropy, batch())
    here = objective.here()
    there = {name: value + 0.3 * torch.randn_like(value) for name, value in here.items()}
    found = barrier(objective, here, there, points=5)
    assert_same(found.losses[0], objective.loss(here))
    assert_same(found.losses[-1], objective.loss(there))
    line = walk(objective, here, sub(there, here), found.sizes)
    torch.testing.assert_close(found.losses, line.losses, rtol=1e-5, atol=0.0)
    assert_same(between(here, there, 0.0), here)


def test_a_loss_that_is_not_finite_makes_the_height_so() -> None:
    """NaN anywhere leaves no highest point; an infinite loss between the ends is an infinite barrier."""
    a, b = ({"weight": torch.tensor([[w]])} for w in (-1.0, 1.0))
    model = nn.Linear(1, 1, bias=False)
    root = barrier(Objective(model, lambda m, _: m.weight.sqrt().sum(), None), a, b, points=5)
    assert math.isnan(root.height)
    assert root.losses.isnan().tolist() == [True, True, False, False, False]
    pole = barrier(Objective(model, lambda m, _: m.weight.square().reciprocal().sum(), None), a, b, points=5)
    assert pole.height == pole.above_mean == math.inf


def test_it_leaves_no_trace_and_counts() -> None:
    """All of a run's state, bit for bit; progress from 1 to the number of points."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    objective = Objective(model, cross_entropy, batch())
    here = objective.here()
    before = traces(model, optimizer)
    seen: list[int] = []
    barrier(objective, here, {n: -v for n, v in here.items()}, 7, progress=lambda done, _: seen.append(done))
    assert_same(traces(model, optimizer), before)
    assert seen == [1, 2, 3, 4, 5, 6, 7]


def test_bad_input_is_refused() -> None:
    """Two points are no line, and two networks no solutions of one."""
    objective = double_well(0.0)
    here = objective.here()
    with pytest.raises(ValueError, match="three points or more"):
        barrier(objective, here, here, points=2)
    with pytest.raises(ValueError, match="not a parameter of the origin"):
        barrier(objective, here, {**here, "other": torch.ones(1)})
    with pytest.raises(ValueError, match="not a parameter of the origin"):
        barrier(objective, {**here, "other": torch.ones(1)}, here)


def test_batchnorm_in_eval_mode_gives_the_other_solution_statistics_that_are_not_its_own() -> None:
    """The truth is the other network's own loss: train mode has it at the end of the line, eval mode has not."""
    networks: list[nn.Module] = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4)))
        for _ in range(50):
            networks[-1](batch(seed)[0])  # running statistics of its own
    other = {name: value.detach().clone() for name, value in networks[1].named_parameters()}
    for train in (True, False):
        first, second = (each.train(train) for each in networks)
        objective = Objective(first, cross_entropy, batch())
        at_the_end = float(barrier(objective, objective.here(), other, points=3).losses[-1])
        own = cross_entropy(second, batch()).item()
        assert (at_the_end == pytest.approx(own, rel=1e-5)) == train
