"""Continuous symmetries: flat directions at critical points, and what the Hessian makes of them elsewhere."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, dot, flattened, norm
from clinometer.papers.bronstein2021.data import digits
from clinometer.papers.bronstein2021.flat_directions import critical_point, descend, targets_of
from clinometer.papers.bronstein2021.networks.grid import grid
from clinometer.papers.bronstein2021.networks.tiny import KINDS, Tiny, samples, squared_error, tiny
from clinometer.papers.bronstein2021.null_space import null_space
from clinometer.papers.bronstein2021.symmetries import product_expected, tangent_of
from clinometer.papers.bronstein2021.symmetrised import projected, rotated_filters, share_outside

WITH_SYMMETRIES = [kind for kind in KINDS if KINDS[kind](2)]


def problem(kind: str, seed: int, count: int = 60) -> tuple[Tiny, Objective]:
    """A tiny network of two units at a random point, with targets that it does not fit."""
    images, noise = samples(count, seed)
    torch.manual_seed(seed)
    network = tiny(kind, 2).double()
    with torch.no_grad():
        for value in network.parameters():
            value += 0.3 * torch.randn_like(value)
    return network, Objective(network, lambda model, batch: squared_error(model(batch[0]), batch[1]), (images, noise))


def moved(at: Point, along: Point, by: float) -> dict[str, Tensor]:
    return {name: value + by * along[name] for name, value in at.items()}


@given(seed=st.integers(0, 99))
@settings(max_examples=5)
@pytest.mark.parametrize("kind", WITH_SYMMETRIES)
def test_gradients_are_orthogonal_to_symmetries(kind: str, seed: int) -> None:
    """The loss does not change along a symmetry, so its slope along the generator is 0."""
    _, objective = problem(kind, seed)
    at = objective.here()
    gradient = objective.loss_and_grad(at)[1]
    for generator in KINDS[kind](2):
        tangent = tangent_of(generator, at)
        assert abs(float(dot(gradient, tangent))) < 1e-12 * float(norm(gradient) * norm(tangent))


@given(seed=st.integers(0, 99))
@settings(max_examples=5)
@pytest.mark.parametrize("kind", WITH_SYMMETRIES)
def test_the_product_with_a_symmetry_by_finite_differences(kind: str, seed: int) -> None:
    """(g(w + e t) − g(w − e t)) / 2e is H t, whose closed form is −(Dt)ᵀ g, at a point where g is not 0."""
    _, objective = problem(kind, seed)
    at = objective.here()
    gradient = objective.loss_and_grad(at)[1]
    for generator in KINDS[kind](2):
        tangent, e = tangent_of(generator, at), 1e-6
        ends = [objective.loss_and_grad(moved(at, tangent, side * e))[1] for side in (1, -1)]
        differences = (flattened(ends[0]) - flattened(ends[1])) / (2 * e)
        expected = flattened(product_expected(generator, at, gradient))
        # Rounding of 1e-16 over 1e-6, and a third derivative times 1e-12; a ReLU's kink between both ends adds 1/60.
        if float((differences - expected).abs().max()) > 1e-7 * float(1 + norm(gradient)):
            assert kind != "linear"
            torch.testing.assert_close(flattened(objective.hvp(at, tangent)), expected)


@given(seed=st.integers(0, 99))
@settings(max_examples=5)
@pytest.mark.parametrize("kind", WITH_SYMMETRIES)
def test_the_hessian_of_a_symmetry_is_the_gradient_moved(kind: str, seed: int) -> None:
    """The exact identity, by double backward: where the gradient is not 0 only translations are flat."""
    _, objective = problem(kind, seed)
    at = objective.here()
    gradient = objective.loss_and_grad(at)[1]
    for generator in KINDS[kind](2):
        product = flattened(objective.hvp(at, tangent_of(generator, at)))
        expected = flattened(product_expected(generator, at, gradient))
        torch.testing.assert_close(product, expected, atol=1e-11, rtol=1e-9)


def test_the_radial_direction_of_a_scale_invariant_filter_is_not_flat() -> None:
    """L(c w) = L(w) gives ⟨g, w⟩ = 0 and H w = −g: flat where g = 0, and nowhere else."""
    _, objective = problem("conv", 3)
    at = objective.here()
    gradient = objective.loss_and_grad(at)[1]
    radial = {name: value if name == "first.weight" else torch.zeros_like(value) for name, value in at.items()}
    product = objective.hvp(at, radial)["first.weight"]
    torch.testing.assert_close(product, -gradient["first.weight"], atol=1e-10, rtol=1e-8)
    assert float(product.norm()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_are_counted_at_a_critical_point(kind: str) -> None:
    """With two units: none with tanh, 2 with ReLU, 2² + 2 in a linear network, 3 · 2 with BatchNorm."""
    images, noise = samples(150)
    torch.manual_seed(0)
    network = tiny(kind, 2).double()
    batch = images, targets_of(network, images, 0 * noise)
    with torch.no_grad():
        for value in network.parameters():
            value += 0.03 * torch.randn_like(value)
    objective = Objective(network, lambda model, given: squared_error(model(given[0]), given[1]), batch)
    losses = descend(network, batch, 10)
    end = critical_point(objective, objective.here())
    assert losses[-1] < losses[0]
    assert end.gradient_norm < 1e-10
    found = null_space(end.eigenvalues)
    assert found.zeros == {"tanh": 0, "relu": 2, "linear": 6, "conv": 6, "p4": 6}[kind] == len(KINDS[kind](2))


@given(zeros=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_zeros_of_a_matrix_of_known_rank(zeros: int, seed: int) -> None:
    """A random matrix of 6 columns less `zeros`, times its transpose, has so many zero eigenvalues."""
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(6, 6 - zeros, generator=generator, dtype=torch.float64)
    factor = torch.linalg.qr(factor).Q * torch.linspace(1, 3, 6 - zeros, dtype=torch.float64)
    assert null_space(torch.linalg.eigvalsh(factor @ factor.T)).zeros == zeros


def test_a_count_without_a_gap_is_none() -> None:
    """Eigenvalues in every decade: whatever the tolerance, its neighbours are as near to it."""
    values = torch.logspace(-14, 0, 60, dtype=torch.float64)
    assert null_space(values).zeros != null_space(values).zeros


@given(seed=st.integers(0, 99), quarters=st.integers(1, 3), padding=st.sampled_from(["zeros", "circular"]))
@settings(max_examples=10)
def test_rotating_filters_is_rotating_images(seed: int, quarters: int, padding: str) -> None:
    """The symmetry on which the fixed subspace rests: f(ρ x; T w) = f(x; w), pooled."""
    torch.manual_seed(seed)
    network = grid(3, 2, padding=padding).double()
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    plain = network(x)
    turned = rotated_filters(dict(network.named_parameters()), quarters)
    torch.testing.assert_close(torch.func.functional_call(network, turned, (x.rot90(quarters, (2, 3)),)), plain)


def test_the_projection_is_one() -> None:
    """Π² = Π, and what it gives is fixed by each rotation; a filter that changes sign at a quarter turn is lost."""
    torch.manual_seed(0)
    at = {name: value.detach() for name, value in grid(3, 2).double().named_parameters()}
    fixed = projected(at)
    for quarters in range(4):
        for name, value in rotated_filters(fixed, quarters).items():
            torch.testing.assert_close(value, fixed[name])
    assert share_outside(fixed) < 1e-15
    assert 0.1 < share_outside(at) < 1


@pytest.mark.parametrize("closed", [True, False])
def test_gradients_lie_in_the_fixed_subspace_where_both_are_symmetric(closed: bool) -> None:
    """On images closed under rotations and at symmetric filters ‖(I − Π) g‖ is 0; on others it is not."""
    torch.manual_seed(1)
    network = grid(3, 2).double()
    (images, classes), _ = digits(1)
    x, labels = images[:9].double(), classes[:9]
    if closed:
        x, labels = torch.cat([x.rot90(q, (2, 3)) for q in range(4)]), labels.repeat(4)
    with torch.no_grad():
        for name, value in projected({n: p.detach().clone() for n, p in network.named_parameters()}).items():
            network.get_parameter(name).copy_(value)
    torch.nn.functional.cross_entropy(network(x), labels).backward()
    share = share_outside({name: value.grad for name, value in network.named_parameters() if value.grad is not None})
    assert share < 1e-14 if closed else share > 1e-2


def test_bad_input_is_refused_in_words() -> None:
    """The kinds are named."""
    with pytest.raises(ValueError, match="expected a kind of tanh, relu, linear, conv, p4"):
        tiny("sigmoid")
