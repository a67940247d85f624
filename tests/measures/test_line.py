import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak
from models import batch, cross_entropy, everything, quadratic
from properties import assert_same
from torch import nn

from clinometer import Line, Objective, effective_smoothness, gradient_predictiveness, loss_range, walk
from clinometer.objective.params import Point, norm, scale

EIGENVALUES = st.lists(st.floats(-5, 5), min_size=2, max_size=4)
SIZES = st.lists(st.floats(1e-3, 2.0), min_size=1, max_size=5)


def along_gradient(objective: Objective, sizes: list[float]) -> Line:
    here = objective.here()
    return walk(objective, here, scale(objective.loss_and_grad(here)[1], -1.0), sizes)


@given(EIGENVALUES, SIZES, st.integers(0, 1000))
def test_a_quadratic_is_known_everywhere(eigenvalues: list[float], sizes: list[float], seed: int) -> None:
    """Closed form: L = ½Σλx², g = λx, and along −g the gap is a‖λ²x‖. Sums of a few float64 terms round to 1e-12."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(eigenvalues), generator=generator, dtype=torch.float64)
    h = torch.tensor(eigenvalues, dtype=torch.float64)
    line = along_gradient(quadratic(eigenvalues, x.tolist()), sizes)
    a = torch.tensor(sizes, dtype=torch.float64)
    points = x - a[:, None] * (h * x)
    close = {"rtol": 1e-10, "atol": 1e-12}
    torch.testing.assert_close(line.losses, (h * points.square()).sum(1) / 2, **close)
    torch.testing.assert_close(line.grad_gaps, a * (h.square() * x).norm(), **close)
    torch.testing.assert_close(line.distances, a * (h * x).norm(), **close)
    torch.testing.assert_close(line.grad_norm, (h * x).norm(), **close)
    if (h * x).norm() > 1e-6:
        assert effective_smoothness(line) <= h.abs().max() * (1 + 1e-6)


def test_beta_is_the_eigenvalue_along_its_eigenvector() -> None:
    """On a quadratic β = λ exactly where the direction is an eigenvector."""
    objective = quadratic([1.0, 7.0], [0.0, 2.0])
    assert effective_smoothness(along_gradient(objective, [0.1, 0.2])) == pytest.approx(7.0, rel=1e-12)


def test_linear_regression_has_the_smoothness_of_its_gram_matrix() -> None:
    """For mean squared error over m samples the Hessian is 2XᵀX/m: β along −g is ‖Hg‖/‖g‖ at every size."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(12, k, generator=generator, dtype=torch.float64) for k in (4, 1))
    model = nn.Linear(4, 1, bias=False).double()
    objective = Objective(model, lambda m, b: (m(b[0]) - b[1]).square().mean(), (x, y))
    hessian = 2 * x.T @ x / len(x)
    gradient = objective.loss_and_grad(objective.here())[1]["weight"][0]
    expected = ((hessian @ gradient).norm() / gradient.norm()).item()
    assert effective_smoothness(along_gradient(objective, [0.01, 1.0])) == pytest.approx(expected, rel=1e-9)


def test_size_zero_gives_the_training_loss_bit_for_bit() -> None:
    """The truth is the training step's own forward pass, with BatchNorm, dropout and all."""
    model = everything()
    objective = Objective(model, cross_entropy, batch())
    line = along_gradient(objective, [0.0, 0.1])
    loss = cross_entropy(model, batch()).detach()
    assert_same(line.losses[0], loss)
    assert_same(line.loss, loss)
    assert (line.grad_gaps[0].item(), line.distances[0].item()) == (0.0, 0.0)
    assert line.grad_gaps[1].item() > 0


@given(st.floats(0.1, 10.0))
@settings(max_examples=20)
def test_scaling_the_loss_scales_what_it_should(factor: float) -> None:
    """c·L has loss, gradient and β multiplied by c, for the same points; cosines stay. Float64 rounds to 1e-12."""
    x, y = batch()
    model, data = everything().double(), (x.double(), y)
    plain = Objective(model, cross_entropy, data)
    scaled = Objective(model, lambda m, b: factor * cross_entropy(m, b), data)
    here, d = plain.here(), plain.loss_and_grad(plain.here())[1]
    one, other = (walk(objective, here, d, [-0.2, 0.3]) for objective in (plain, scaled))
    for field in ("losses", "grad_gaps", "loss", "grad_norm"):
        torch.testing.assert_close(getattr(other, field), factor * getattr(one, field), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(other.cosines, one.cosines, rtol=1e-9, atol=1e-9)
    assert effective_smoothness(other) == pytest.approx(factor * effective_smoothness(one), rel=1e-9)


@given(st.floats(0.1, 10.0))
@settings(max_examples=20)
def test_a_direction_and_its_size_may_trade_a_factor(factor: float) -> None:
    """x + a·d = x + (a/c)·(c·d): the walk is the same but for rounding, and so is every quantity read from it."""
    objective = Objective(everything().double(), cross_entropy, (batch()[0].double(), batch()[1]))
    here, d = objective.here(), objective.loss_and_grad(objective.here())[1]
    one = walk(objective, here, d, [-0.1, -0.4])
    other = walk(objective, here, scale(d, factor), [-0.1 / factor, -0.4 / factor])
    for read in (loss_range, gradient_predictiveness):
        assert read(other) == pytest.approx(read(one), rel=1e-6)
    assert effective_smoothness(other) == pytest.approx(effective_smoothness(one), rel=1e-6)


@given(st.permutations(range(6)))
@settings(max_examples=20)
def test_permuting_hidden_units_changes_nothing(order: list[int]) -> None:
    """Hidden units are exchangeable: permuting rows of one layer and columns of the next is the same function."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2)).double()
    x = torch.randn(9, 3, dtype=torch.float64)
    objective = Objective(model, lambda m, b: m(b).square().mean(), x)
    here = objective.here()
    permuted = {
        name: value[:, order] if name == "3.weight" else value if name == "3.bias" else value[order]
        for name, value in here.items()
    }
    assert _beta(objective, permuted) == pytest.approx(_beta(objective, here), rel=1e-9)


def test_distances_are_lengths_on_either_side() -> None:
    """‖a d‖ does not know a's sign: by hand, d = (3, 4) has length 5."""
    objective = quadratic([1.0, 1.0], [0.0, 0.0])
    line = walk(objective, objective.here(), {"w": torch.tensor([3.0, 4.0]).double()}, [-2.0, 1.0])
    assert line.distances.tolist() == [10.0, 5.0]


def test_zero_is_left_out_of_the_ranges() -> None:
    """The paper's range is over the probe steps; the loss at zero is the run's own."""
    line = along_gradient(quadratic([1.0, 1.0], [1.0, 1.0]), [0.0, 0.5, 1.0])
    assert loss_range(line) == (0.0, 0.25)
    assert gradient_predictiveness(line)[0] == pytest.approx(math.sqrt(2) / 2)


def test_divergence_is_data() -> None:
    """exp(w) overflows to inf and its gradient differences to NaN: both must stay in sight."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    objective = Objective(model, lambda m, x: m(x).exp().sum(), torch.ones(1, 1))
    line = walk(objective, objective.here(), {"weight": torch.ones(1, 1)}, [1.0, 1000.0])
    assert loss_range(line)[1] == math.inf
    assert math.isinf(effective_smoothness(line))
    nan = walk(objective, objective.here(), {"weight": torch.full((1, 1), math.nan)}, [1.0, 2.0])
    assert math.isnan(loss_range(nan)[0])
    assert math.isnan(loss_range(nan)[1])


def test_a_known_start_saves_its_evaluation_and_changes_nothing() -> None:
    """Counted: s + 1 calls of the loss without it, s with it."""
    calls: list[int] = []
    objective = quadratic([2.0], [1.0])
    counted = Objective(objective.model, lambda m, _: (calls.append(1), m())[1], None)
    here = counted.here()
    start = counted.loss_and_grad(here)
    calls.clear()
    first = walk(counted, here, here, [0.1, 0.2, 0.3])
    assert len(calls) == 4
    calls.clear()
    assert_same(vars(walk(counted, here, here, [0.1, 0.2, 0.3], start=start)), vars(first))
    assert len(calls) == 3


def test_memory_does_not_grow_with_the_number_of_sizes() -> None:
    """Counted by torch's own allocator hooks: at most two copies of the parameters and one gradient more, at any size.

    The network is 64 matrices of 256 × 256 and the batch two vectors, so that parameters are what memory is made of;
    a tenth is left for activations, and for the two matrices that are being compared.
    """
    model = nn.Sequential(*[nn.Linear(256, 256, bias=False) for _ in range(64)])
    objective = Objective(model, lambda m, x: m(x).square().mean(), torch.ones(2, 256))
    here = objective.here()
    start = objective.loss_and_grad(here)
    down = scale(start[1], -1.0)
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    for sizes in ([0.1], [0.1] * 8):
        assert peak(lambda sizes=sizes: walk(objective, here, down, sizes, start=start)) < 3.2 * parameters


@pytest.mark.parametrize("sizes", [[], [[0.1]], [math.nan], [0.1, math.inf], 0.1])
def test_sizes_that_say_nothing_are_refused_before_any_work(sizes: object) -> None:
    """The objective would raise if it were called."""
    with pytest.raises(ValueError, match=r"`sizes` must be .* Pass e\.g\."):
        walk(None, {}, {}, sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("read", [loss_range, gradient_predictiveness, effective_smoothness])
def test_a_walk_that_stands_still_has_no_range(read: object) -> None:
    """Over no nonzero size, min and max do not exist."""
    line = along_gradient(quadratic([1.0], [1.0]), [0.0])
    with pytest.raises(ValueError, match="nonzero step; found"):
        read(line)  # type: ignore[operator]


def _beta(objective: Objective, at: Point) -> float:
    d = objective.loss_and_grad(at)[1]
    assert float(norm(d)) > 0
    return effective_smoothness(walk(objective, at, d, [-0.3, -0.9]))


@pytest.mark.parametrize("size", [0.001, 0.004, 0.02])
def test_beta_divides_by_the_distance_that_rounding_lets_it_move(size: float) -> None:
    """Closed form: on λ‖w‖²/2 with λ = 4, any two points have β = λ, also those that bfloat16 rounds to.

    The norms of both differences are taken in float32; a·‖d‖ is off by a factor where steps are shorter than rounding.
    """
    torch.manual_seed(0)
    model = nn.Linear(32, 8, bias=False).bfloat16()
    objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)
    here = objective.here()
    line = walk(objective, here, objective.loss_and_grad(here)[1], [-size])
    moved = torch.add(here["weight"], objective.loss_and_grad(here)[1]["weight"], alpha=-size)
    true = (moved.double() - here["weight"].double()).norm()
    assert effective_smoothness(line) == pytest.approx(4.0, rel=1e-5)
    assert float(line.distances[0]) == pytest.approx(float(true), rel=1e-5)


def test_where_rounding_lets_nothing_move_beta_is_not_a_number() -> None:
    """0/0: the definition has no value there; sizes that do move count as if the others were not there."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)
    at, along = {"weight": torch.ones(1, 1)}, {"weight": torch.ones(1, 1)}
    still = walk(objective, at, along, [1e-12])
    assert (float(still.distances[0]), float(still.grad_gaps[0])) == (0.0, 0.0)
    assert math.isnan(effective_smoothness(still))
    assert effective_smoothness(walk(objective, at, along, [1e-12, 1.0])) == 4.0


def test_a_size_that_diverges_makes_beta_nan_beside_one_that_does_not_move() -> None:
    """NaN is data and must not be lost with the sizes that do not count."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: (1 - m.weight).sqrt().sum(), None)
    line = walk(objective, {"weight": torch.zeros(1, 1) + 0.5}, {"weight": torch.ones(1, 1)}, [1e-12, 4.0])
    assert math.isnan(effective_smoothness(line))
