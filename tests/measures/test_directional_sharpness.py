"""Directional sharpness against dense Hessians in float64, and the second-order model against the loss itself."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import batch, cross_entropy, quadratic
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures.critical_step import critical_step
from clinometer.measures.directional_sharpness import directional_sharpness
from clinometer.objective.params import flattened, scale, unflattened


def bumpy(h: Tensor, power: float = 3.0, height: float = 1.0) -> Objective:
    """wᵀHw/2 and a little of another power, over two tensors: the Hessian is not constant, and has blocks."""
    params = {"a": torch.ones(2, dtype=torch.float64), "b": torch.full((3,), -0.5, dtype=torch.float64)}

    def loss_fn(p: Any, _batch: Any) -> Tensor:
        w = torch.cat([p["a"], p["b"]])
        return height * (w @ h @ w / 2 + 0.1 * w.pow(power).sum())

    return Objective(params=params, loss_fn=loss_fn)


def symmetric(seed: int) -> Tensor:
    root = torch.randn(5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root + root.T


def dense(objective: Objective, h: Tensor) -> Tensor:
    return h + torch.diag(0.6 * flattened(objective.here()))


BLOCKS = {"first": ["a"], "second": ["b"]}


@pytest.mark.parametrize("seed", range(3))
def test_all_of_it_is_what_the_dense_hessian_says(seed: int) -> None:
    """By hand, with the Hessian written out as a matrix: total, blocks, cross terms, gain and penalty."""
    h = symmetric(seed)
    objective = bumpy(h)
    here = objective.here()
    d = torch.randn(5, generator=torch.Generator().manual_seed(9 + seed), dtype=torch.float64)
    matrix, w = dense(objective, h), flattened(here)
    gradient = h @ w + 0.3 * w**2
    found = directional_sharpness(objective, here, unflattened(d, here), BLOCKS)
    squared = float(d @ d)
    assert found.value == pytest.approx(float(d @ matrix @ d) / squared)
    inner = [float(d[part] @ matrix[part, part] @ d[part]) for part in (slice(0, 2), slice(2, 5))]
    assert found.within.tolist() == pytest.approx([each / squared for each in inner])
    assert found.cross == pytest.approx(2 * float(d[:2] @ matrix[:2, 2:] @ d[2:]) / squared)
    assert found.gain == pytest.approx(-float(gradient @ d))
    assert found.gains.tolist() == pytest.approx([-float(gradient[:2] @ d[:2]), -float(gradient[2:] @ d[2:])])
    assert found.penalty == pytest.approx(float(d @ matrix @ d) / 2)
    assert found.penalties.tolist() == pytest.approx([each / 2 for each in inner])
    assert found.products == 3


def test_through_train_mode_batchnorm_it_is_the_second_derivative_of_the_loss_along_the_step() -> None:
    """Central differences of the loss alone, in float64, along a random direction through BatchNorm in train mode."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4)).double()
    objective = Objective(model, cross_entropy, (batch()[0].double(), batch()[1]))
    here = objective.here()
    d = {name: torch.randn_like(value) for name, value in here.items()}
    found = directional_sharpness(objective, here, d)
    h = 1e-4  # the error is of order h² for the truncation and 1e-16/h² for rounding
    up, middle, down = (objective.loss({n: here[n] + a * d[n] for n in d}).item() for a in (h, 0.0, -h))
    assert 2 * found.penalty == pytest.approx((up - 2 * middle + down) / h**2, rel=1e-5)
    assert -found.gain == pytest.approx((up - down) / (2 * h), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.floats(-1e3, 1e3).filter(lambda a: abs(a) > 1e-9), st.floats(1e-3, 1e3))
def test_scaling_the_step_leaves_it_and_scaling_the_loss_scales_it(seed: int, longer: float, higher: float) -> None:
    """Invariants of dᵀHd/‖d‖², for steps of any length and sign; gain is linear in d, penalty quadratic."""
    h = symmetric(seed)
    objective = bumpy(h)
    here = objective.here()
    d = unflattened(torch.randn(5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), here)
    found = directional_sharpness(objective, here, d, BLOCKS)
    stretched = directional_sharpness(objective, here, scale(d, longer), BLOCKS)
    assert stretched.value == pytest.approx(found.value, rel=1e-9)
    assert stretched.gain == pytest.approx(longer * found.gain, rel=1e-9)
    assert stretched.penalty == pytest.approx(longer**2 * found.penalty, rel=1e-9)
    raised = directional_sharpness(bumpy(h, height=higher), here, d)
    assert raised.value == pytest.approx(higher * found.value, rel=1e-9)
    for each in (found, stretched):
        assert float(each.within.sum()) + each.cross == pytest.approx(each.value, rel=1e-9, abs=1e-9)


def test_along_an_eigenvector_it_is_the_eigenvalue() -> None:
    """numpy's eigenvectors of the dense Hessian."""
    h = symmetric(4)
    objective = bumpy(h)
    here = objective.here()
    values, vectors = torch.linalg.eigh(dense(objective, h))
    for value, vector in zip(values.tolist(), vectors.T, strict=True):
        assert directional_sharpness(objective, here, unflattened(vector, here)).value == pytest.approx(value)


@pytest.mark.parametrize("power", [2.0, 3.0])
def test_the_quadratic_headroom_is_the_headroom_of_the_loss_where_the_loss_is_nearly_quadratic(power: float) -> None:
    """`critical_step` tries the loss itself: equal to its precision on a quadratic, to 10% with a little cubic."""
    root = symmetric(2)
    h = root @ root + torch.eye(5, dtype=torch.float64)
    objective = bumpy(h, power)
    here = objective.here()
    gradient = objective.loss_and_grad(here)[1]
    d = scale(gradient, -0.2 / float(torch.linalg.eigvalsh(h).max()))
    walked = critical_step(objective, here, d, precision=0.001).multiple
    found = directional_sharpness(objective, here, d)
    assert found.quadratic_headroom == pytest.approx(walked, rel=0.002 if power == 2 else 0.1)
    assert found.change < 0
    assert found.quadratic_headroom == pytest.approx(2 / found.value * float(torch.linalg.eigvalsh(h).max()) / 0.2)


def test_signs_say_what_happens() -> None:
    """By hand on w²/2 at 1, with curvature 1, and on −w²/2: down, too far, uphill, and down for ever."""
    up, down = quadratic([1.0], [1.0]), quadratic([-1.0], [1.0])
    step = lambda size: {"w": torch.tensor([size], dtype=torch.float64)}  # noqa: E731
    for objective, size, room, change in (
        (up, -1.0, 2.0, -0.5),
        (up, -4.0, 0.5, 4.0),
        (up, 1.0, 0.0, 1.5),
        (down, 1.0, math.inf, -1.5),
    ):
        found = directional_sharpness(objective, objective.here(), step(size))
        assert (found.quadratic_headroom, found.change) == pytest.approx((room, change))


@pytest.mark.parametrize("length", [0.0, math.nan, math.inf])
def test_a_step_without_a_length_has_no_number(length: float) -> None:
    """NaN throughout, and no product is spent on it."""
    objective = quadratic([1.0, 2.0], [1.0, 1.0])
    found = directional_sharpness(objective, objective.here(), {"w": torch.full((2,), length).double()}, {"b": ["w"]})
    numbers = [found.value, found.gain, found.penalty, found.change, found.quadratic_headroom, found.cross]
    assert all(map(math.isnan, [*numbers, *found.within.tolist(), *found.gains.tolist()]))
    assert found.products == 0


def test_a_very_short_step_in_half_precision_keeps_its_curvature() -> None:
    """2⁻²³ times the curvature 1/8 is below the least float16; on a diagonal Hessian the answer is known."""
    h = torch.tensor([1.0, 0.125]).half()
    objective = Objective(params={"w": torch.ones(2).half()}, loss_fn=lambda p, _: (h * p["w"] ** 2).sum() / 2)
    found = directional_sharpness(objective, objective.here(), {"w": torch.tensor([0.0, 2.0**-23]).half()})
    assert found.value == pytest.approx(0.125)
    assert found.penalty == pytest.approx(0.125 * 2.0**-46 / 2)


def test_a_loss_that_is_not_finite_has_no_number() -> None:
    """Divergence is data."""
    objective = Objective(params={"w": torch.tensor([-1.0])}, loss_fn=lambda p, _: p["w"].log().sum())
    found = directional_sharpness(objective, objective.here(), {"w": torch.ones(1)})
    assert math.isnan(found.value)
    assert math.isnan(found.quadratic_headroom)


def test_a_direction_or_a_block_that_does_not_fit_is_refused() -> None:
    """By the name of the parameter."""
    objective = quadratic([1.0], [1.0])
    with pytest.raises(ValueError, match="moves 'v', which is not a parameter"):
        directional_sharpness(objective, objective.here(), {"v": torch.ones(1).double()})
    with pytest.raises(ValueError, match="block 'x' names 'v', which the direction lacks"):
        directional_sharpness(objective, objective.here(), {"w": torch.ones(1).double()}, {"x": ["v"]})
