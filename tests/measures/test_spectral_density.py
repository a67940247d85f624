"""The spectral density against dense eigenvalues, planted spectra, and other libraries."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import batch, quadratic
from spectra import dense_hessian, planted, small, spectra
from torch import nn
from torch.nn import functional as F

from clinometer import Objective
from clinometer.measures.spectral_density import Density, common_sigma, decades, density_on, spectral_density


def wasserstein(density: Density, eigenvalues: torch.Tensor) -> float:
    """The Wasserstein-1 distance of the quadrature to eigenvalues."""
    stats = pytest.importorskip("scipy.stats")
    return stats.wasserstein_distance(density.nodes.flatten(), eigenvalues, density.weights.flatten())


def test_a_network_in_train_mode() -> None:
    """The truth is the spectrum of a Hessian of central differences, with BatchNorm in train mode and dropout frozen.

    The distance is below 2% of the spectrum's width; that of all eigenvalues at their mean is 10 times as large.
    """
    objective = small()
    eigenvalues = torch.linalg.eigvalsh(dense_hessian(objective))
    found = spectral_density(objective, objective.here(), probes=5, steps=20)
    assert found.products == 100
    width = float(eigenvalues[-1] - eigenvalues[0])
    assert wasserstein(found, eigenvalues) < 0.02 * width
    assert float(found.top()[0]) == pytest.approx(float(eigenvalues[-1]), rel=1e-6)
    assert float(found.nodes[:, 0].min()) == pytest.approx(float(eigenvalues[0]), rel=1e-6)


@pytest.mark.parametrize("spectrum", spectra(40))
def test_weights_and_moments(spectrum: str) -> None:
    """The moments are those of the matrix itself, within four standard errors; a row of weights sums to 1."""
    objective = planted(spectra(200)[spectrum])
    found = spectral_density(objective, objective.here(), probes=12, steps=16)
    assert found.nodes.shape == found.weights.shape == found.residuals.shape == (12, 16)
    torch.testing.assert_close(found.weights.sum(1), torch.ones(12, dtype=torch.float64))
    assert bool((found.weights >= 0).all())
    for order in (1, 2):
        truth = float(torch.linalg.matrix_power(objective.hessian, order).trace()) / 200
        moment = found.moment(order)
        assert abs(moment.value - truth) < 4 * moment.error


def test_moments_of_one_vector_are_its_products() -> None:
    """By definition: vᵀHv and ‖Hv‖², with v drawn here from the same seed."""
    objective = planted(spectra(80)["outliers"])
    found = spectral_density(objective, objective.here(), probes=1, steps=12, seed=5)
    v = torch.randn(80, generator=torch.Generator().manual_seed(5)).double()
    v = v / v.norm()
    image = objective.hessian @ v
    assert found.moment(1).value == pytest.approx(float(v @ image))
    assert found.moment(2).value == pytest.approx(float(image @ image))
    assert math.isnan(found.moment(1).error)


def test_moment_errors_are_those_that_are_made() -> None:
    """Over 100 matrices: the true errors' root mean square over the claimed ones', itself known to about 10%."""
    eigenvalues = spectra(100)["outliers"]
    found = []
    for seed in range(100):
        objective = planted(eigenvalues, seed=seed % 10)
        moment = spectral_density(objective, objective.here(), probes=8, steps=3, seed=seed).moment(1)
        found.append((moment.value - float(eigenvalues.mean()), moment.error))
    off, claimed = torch.tensor(found).square().mean(0).sqrt().tolist()
    assert 0.75 < off / claimed < 1.3


def test_outliers_are_found_with_their_share() -> None:
    """Five eigenvalues of 300 lie far out: each converges, and together they have 5/300 of the mass, as far as chance
    lets the vectors see: a share of a random vector varies by √(2/5) and less with 20 of them."""
    objective = planted(spectra(300)["outliers"])
    eigenvalues = torch.linalg.eigvalsh(objective.hessian)
    found = spectral_density(objective, objective.here(), probes=14, steps=20)
    values, residuals = found.top(5)
    torch.testing.assert_close(values, eigenvalues.flip(0)[:5], rtol=1e-8, atol=0)
    assert bool((residuals < 1e-3).all())
    mass = (found.weights * (found.nodes > 5)).sum(1)
    assert float(mass.mean()) == pytest.approx(5 / 300, rel=4 * math.sqrt(2 / 5 / 14))


def test_few_parameters_give_the_exact_spectrum() -> None:
    """The truth is the spectrum of central differences; each eigenvalue has weight 1/n and nothing has an error."""
    objective = small()
    found = spectral_density(objective, objective.here(), probes=4, steps=40)
    torch.testing.assert_close(found.nodes[0], torch.linalg.eigvalsh(dense_hessian(objective)), rtol=0, atol=1e-7)
    assert (found.products, found.n, found.moment(2).error) == (128, 128, 0.0)
    assert found.exact


def test_a_block_has_its_own_spectrum() -> None:
    """The truth is a block of the matrix of central differences, whose cross terms with the rest are left out."""
    objective = small()
    names = ["second.weight", "second.bias"]
    sizes = {name: value.numel() for name, value in objective.here().items()}
    start = sum(size for name, size in sizes.items() if list(sizes).index(name) < list(sizes).index(names[0]))
    truth = torch.linalg.eigvalsh(dense_hessian(objective)[start : start + 36, start : start + 36])
    found = spectral_density(objective, objective.here(), only=names)
    assert found.n == 36
    torch.testing.assert_close(found.nodes[0], truth, rtol=0, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_a_loss_times_c_has_c_times_the_nodes(factor: float) -> None:
    """By linearity, with the same vectors; the weights stay."""
    objective = planted(spectra(60)["outliers"])
    once, scaled = (
        spectral_density(each, each.here(), probes=2, steps=8)
        for each in (objective, type(objective)(factor * objective.hessian))
    )
    torch.testing.assert_close(scaled.nodes, factor * once.nodes, rtol=1e-6, atol=1e-9 * factor)
    torch.testing.assert_close(scaled.weights, once.weights, rtol=1e-5, atol=1e-9)


def test_a_zero_hessian_has_all_its_mass_at_zero() -> None:
    """No invariant subspace ends it early, and nothing is divided by zero."""
    objective = planted(torch.zeros(100))
    found = spectral_density(objective, objective.here(), probes=2, steps=6)
    assert not found.nodes.any()
    assert found.moment(2).value == found.moment(2).error == 0
    smooth = density_on(found, torch.zeros(1), common_sigma([found]))
    assert math.isfinite(float(smooth.values))


def test_no_finite_second_derivative_has_no_number_but_a_reason() -> None:
    """√|w| at 0: its slope is infinite there, and the loss is finite."""
    model = nn.Linear(400, 1, bias=False).double()
    nn.init.zeros_(model.weight)
    objective = Objective(model, lambda m, _: m.weight.abs().sqrt().sum(), None)
    found = spectral_density(objective, objective.here())
    assert bool(found.nodes.isnan().all())
    assert math.isnan(found.moment(1).value)
    assert bool(found.top(2)[0].isnan().all())
    assert found.products == 1
    assert found.notes == "a second derivative of the loss is not finite here"


def test_the_smoothed_density_integrates_to_one_on_either_axis() -> None:
    """By the trapezoid rule over a grid that reaches beyond the nodes by eight σ."""
    objective = planted(spectra(200)["outliers"])
    found = spectral_density(objective, objective.here())
    for within in (None, 0.01):
        sigma = common_sigma([found], linear_within=within)
        low, high = (float(decades(edge, within)) for edge in (found.nodes.min(), found.nodes.max()))
        axis = torch.linspace(low - 8 * sigma, high + 8 * sigma, 4001, dtype=torch.float64)
        grid = axis if within is None else 2 * within * torch.sinh(axis * math.log(10))
        values = density_on(found, grid, sigma, within).values
        assert float(torch.trapezoid(values, axis)) == pytest.approx(1, abs=1e-6)


def test_the_smoothed_density_is_scipys_kernel_density() -> None:
    """scipy's Gaussian kernel density of dense eigenvalues with the same σ, which it scales by their deviation."""
    stats = pytest.importorskip("scipy.stats")
    objective = small()
    exact = spectral_density(objective, objective.here(), probes=4, steps=40)
    eigenvalues = torch.linalg.eigvalsh(dense_hessian(objective)).numpy()
    theirs = stats.gaussian_kde(eigenvalues, bw_method=0.02 / np.std(eigenvalues, ddof=1))
    grid = torch.linspace(-0.5, 1.0, 50, dtype=torch.float64)
    np.testing.assert_allclose(density_on(exact, grid, 0.02).values, theirs(grid.numpy()), rtol=1e-4, atol=1e-8)


def test_standard_errors_need_two_vectors() -> None:
    """One vector has no spread; of two, half their distance is the standard error of the mean."""
    objective = planted(spectra(100)["outliers"])
    both = spectral_density(objective, objective.here(), probes=2, steps=10)
    grid = torch.tensor([0.0, 50.0])
    single = [
        density_on(Density(both.nodes[i : i + 1], both.weights[i : i + 1], both.residuals, 100, 1), grid, 0.5)
        for i in range(2)
    ]
    assert bool(single[0].errors.isnan().all())
    torch.testing.assert_close(density_on(both, grid, 0.5).errors, (single[0].values - single[1].values).abs() / 2)


def test_the_seed_decides() -> None:
    """Equal seeds give equal bits and leave torch's own generator alone, other seeds give other vectors."""
    objective = planted(spectra(100)["flat"])
    first = spectral_density(objective, objective.here(), probes=2, steps=5, seed=3)
    state = torch.get_rng_state()
    again = spectral_density(objective, objective.here(), probes=2, steps=5, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(again.nodes, first.nodes)
    other = spectral_density(objective, objective.here(), probes=2, steps=5, seed=4)
    assert not torch.equal(other.nodes, first.nodes)
    assert not torch.equal(first.nodes[0], first.nodes[1])


def test_bad_input() -> None:
    """Said before any product."""
    objective = quadratic([1.0, 4.0], [1.0, 1.0])
    for arguments in ({"probes": 0}, {"steps": 1}):
        with pytest.raises(ValueError, match="expected at least 1 of `probes` and 2 `steps`; found"):
            spectral_density(objective, objective.here(), **arguments)
    found = spectral_density(objective, objective.here())
    with pytest.raises(ValueError, match=r"`sigma` must be above 0; found 0\.0"):
        density_on(found, torch.zeros(1), 0.0)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")  # what the oracle warns of is its own affair
def test_hessian_eigenthings_has_the_same_density_in_eval_mode() -> None:
    """Written by others, with random vectors of its own: both lie near the dense spectrum, and near each other."""
    eigenthings = pytest.importorskip("hessian_eigenthings", reason="the oracle is not installed")
    objective = small(train=False)
    x, y = batch()
    operator = eigenthings.HessianOperator(
        objective.model, [(x.double(), y)], lambda m, b: F.cross_entropy(m(b[0]), b[1])
    )
    theirs = eigenthings.spectral_density(operator, num_runs=5, lanczos_steps=20, num_grid_points=11, seed=0)
    ours = spectral_density(objective, objective.here(), probes=5, steps=20)
    stats = pytest.importorskip("scipy.stats")
    apart = stats.wasserstein_distance(
        ours.nodes.flatten(), theirs.raw_eigenvalues.flatten(), ours.weights.flatten(), theirs.raw_weights.flatten()
    )
    width = float(ours.nodes.max() - ours.nodes.min())
    assert apart < 0.02 * width
    assert float(theirs.raw_eigenvalues.max()) == pytest.approx(float(ours.nodes.max()), rel=1e-6)
    eigenvalues = torch.linalg.eigvalsh(dense_hessian(objective))
    assert wasserstein(ours, eigenvalues) < 0.02 * width
