"""Batch sharpness against dense Hessians, and its averages against numpy and known distributions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import quadratic
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures.batch_sharpness import batch_sharpness, batch_sharpness_of


def regression(rows: int) -> tuple[Objective, Tensor, Tensor]:
    """Least squares in float64, with the gradient and the Hessian Xᵀ X · 2/n that it is known to have."""
    generator = torch.Generator().manual_seed(rows)
    x, y = (torch.randn(rows, k, generator=generator, dtype=torch.float64) for k in (4, 1))
    model = nn.Linear(4, 1, bias=False).double()
    objective = Objective(model, lambda m, b: (m(b[0]) - b[1]).square().mean(), (x, y))
    gradient = 2 / rows * x.T @ (x @ model.weight.detach().T - y)
    return objective, gradient[:, 0], 2 / rows * x.T @ x


@pytest.mark.parametrize("rows", [3, 20])
def test_it_is_the_curvature_along_the_gradient(rows: int) -> None:
    """Least squares, whose gradient and Hessian are written out by hand; at most the largest eigenvalue."""
    objective, gradient, hessian = regression(rows)
    found = batch_sharpness(objective, objective.here())
    assert found.curvature == pytest.approx(float(gradient @ hessian @ gradient))
    assert found.grad_norm_squared == pytest.approx(float(gradient @ gradient))
    assert found.value == pytest.approx(found.curvature / found.grad_norm_squared)
    assert found.value <= float(torch.linalg.eigvalsh(hessian).max()) * (1 + 1e-12)


@pytest.mark.parametrize("share", [0.98, 1.02])
def test_a_step_of_descent_raises_the_loss_of_its_batch_iff_it_exceeds_two_over_the_rate(share: float) -> None:
    """torch.optim.SGD itself, on least squares, at a rate 2% below and above 2 over the batch sharpness."""
    objective, _, _ = regression(7)
    before = objective.here()
    rate = share * 2 / batch_sharpness(objective, before).value
    optimizer = torch.optim.SGD(objective.model.parameters(), lr=rate)
    loss, gradient = objective.loss_and_grad(before)
    objective.model.get_parameter("weight").grad = gradient["weight"]
    optimizer.step()
    assert (objective.loss(objective.here()) > loss) == (share > 1)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.lists(st.floats(-5, 5).map(lambda value: round(value, 9)), min_size=3, max_size=3))
def test_scaling_the_loss_scales_it(height: float, eigenvalues: list[float]) -> None:
    """An invariant, on quadratics with eigenvalues of both signs, none so small that its square is 0 in floats."""
    start = [1.0, -2.0, 0.5]
    one, other = (quadratic([h * scale for h in eigenvalues], start) for scale in (1.0, height))
    found, scaled = (batch_sharpness(each, each.here()) for each in (one, other))
    assert scaled.value == pytest.approx(height * found.value, rel=1e-9, nan_ok=True)


def test_no_gradient_and_no_finite_loss_have_no_number() -> None:
    """At a minimum there is no direction; divergence is data."""
    flat, diverged = quadratic([1.0], [0.0]), quadratic([1.0], [math.nan])
    assert math.isnan(batch_sharpness(flat, flat.here()).value)
    assert batch_sharpness(flat, flat.here()).grad_norm_squared == 0
    assert math.isnan(batch_sharpness(diverged, diverged.here()).value)


def rows_of(rows: int, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    squared = generator.lognormal(size=rows)
    return {"curvature": squared * (3 + squared + generator.normal(size=rows)), "grad_norm_squared": squared}


def test_both_averages_are_numpys() -> None:
    """By hand; they differ, as longer gradients have more curvature here."""
    rows = rows_of(50)
    found = batch_sharpness_of(rows)
    assert found.mean_of_ratios.value == pytest.approx(np.mean(rows["curvature"] / rows["grad_norm_squared"]))
    assert found.ratio_of_means.value == pytest.approx(rows["curvature"].mean() / rows["grad_norm_squared"].mean())
    assert found.mean_of_ratios.value < found.ratio_of_means.value
    assert found.rows == 50
    assert batch_sharpness_of(rows, window=10) == batch_sharpness_of({n: v[-10:] for n, v in rows.items()})


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """100 samples of a known distribution: E[3 + s + e] = 3 + √e, and E[s(3 + s)]/E[s] = 3 + e^1.5, in ~90%."""
    trials = [batch_sharpness_of(rows_of(200, seed), level=0.9) for seed in range(100)]
    of_ratios = [t.mean_of_ratios.low <= 3 + math.exp(0.5) <= t.mean_of_ratios.high for t in trials]
    of_means = [t.ratio_of_means.low <= 3 + math.exp(1.5) <= t.ratio_of_means.high for t in trials]
    assert 0.8 < np.mean(of_ratios) < 0.97
    assert 0.6 < np.mean(of_means) < 0.95, "the squares of a lognormal have heavy tails"


def test_intervals_of_alike_neighbours_are_wider() -> None:
    """Rows that repeat three times hold a third of the information: by √3, were the blocks long; they are 4 rows."""
    rows = rows_of(100)
    often = {name: np.repeat(values, 3) for name, values in rows.items()}
    once, thrice = (batch_sharpness_of(each).mean_of_ratios for each in (rows, often))
    naive = (once.high - once.low) / math.sqrt(3)
    assert thrice.high - thrice.low > 1.25 * naive


def test_rows_without_numbers_are_left_out_and_few_have_no_interval() -> None:
    """A step without a gradient has no ratio."""
    rows = {"curvature": [4.0, math.nan, 0.0, 2.0], "grad_norm_squared": [2.0, 1.0, 0.0, 2.0]}
    found = batch_sharpness_of(rows)
    assert (found.rows, found.mean_of_ratios.value) == (2, 1.5)
    assert math.isnan(found.mean_of_ratios.low)
    assert math.isnan(batch_sharpness_of({"curvature": [], "grad_norm_squared": []}).ratio_of_means.value)


def test_bad_input_is_refused() -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match="`window` must be at least 1 and `level` lie in"):
        batch_sharpness_of(rows_of(3), window=0)
