"""Lanczos's recurrence against matrices whose eigenvalues are known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clinometer.measures.lanczos import Lanczos


def symmetric(eigenvalues: Tensor, seed: int = 0) -> Tensor:
    """A matrix with these eigenvalues and a random orthonormal basis of eigenvectors."""
    generator = torch.Generator().manual_seed(seed)
    n = len(eigenvalues)
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=eigenvalues.dtype))
    return basis @ torch.diag(eigenvalues) @ basis.T


def start(n: int, seed: int = 1) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30), seed=st.integers(0, 99), scale=st.floats(1e-6, 1e6))
def test_a_complete_basis_has_the_eigenvalues(n: int, seed: int, scale: float) -> None:
    """LAPACK's eigenvalues of the dense matrix, and one product for each dimension."""
    matrix = scale * symmetric(start(n, seed))
    basis = Lanczos(lambda v: matrix @ v, start(n))
    while not basis.complete:
        basis.extend()
    torch.testing.assert_close(basis.ritz().values, torch.linalg.eigvalsh(matrix), rtol=0, atol=1e-11 * scale)
    assert basis.products == n


@pytest.mark.parametrize("restarted", [False, True])
def test_the_basis_stays_orthonormal_and_projects_the_matrix(restarted: bool) -> None:
    """By matrix products: QQᵀ = 1 and QHQᵀ is the small matrix, after the top pair has long converged."""
    matrix = symmetric(torch.cat([torch.tensor([100.0]), torch.linspace(-1, 1, 199)]).double())
    basis = Lanczos(lambda v: matrix @ v, start(200))
    for product in range(60):
        basis.extend()
        if restarted and product % 20 == 19:
            basis.restart([0, 1, len(basis.rows) - 1])
    rows = torch.stack(basis.rows)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)).double(), rtol=0, atol=1e-14)
    torch.testing.assert_close(rows @ matrix @ rows.T, basis.projected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("restarted", [False, True])
def test_residuals_are_those_of_the_vectors(restarted: bool) -> None:
    """‖Hy − θy‖ by a product with the dense matrix, also just after a restart."""
    matrix = symmetric(torch.linspace(-3, 10, 80).double() ** 3)
    basis = Lanczos(lambda v: matrix @ v, start(80))
    for _ in range(12):
        basis.extend()
    if restarted:
        basis.restart([0, 5, 11])
    ritz = basis.ritz()
    vectors = ritz.coordinates.T @ torch.stack(basis.rows)
    exact = (vectors @ matrix - ritz.values[:, None] * vectors).norm(dim=1)
    torch.testing.assert_close(ritz.residuals, exact, rtol=1e-9, atol=1e-9)
    eigenvalues = torch.linspace(-3, 10, 80).double() ** 3
    nearest = (eigenvalues[:, None] - ritz.values).abs().min(0).values
    assert (nearest <= ritz.residuals + 1e-9).all(), "an eigenvalue lies within the residual"


def test_a_restart_loses_nothing_of_the_pairs_it_keeps() -> None:
    """With six rows at most, the largest eigenvalue is found all the same, by LAPACK's account, in more products."""
    eigenvalues = torch.cat([torch.linspace(0, 1, 299).double(), torch.tensor([1.1], dtype=torch.float64)])
    matrix = symmetric(eigenvalues)

    def products(most: int) -> int:
        basis = Lanczos(lambda v: matrix @ v, start(300))
        while not basis.rows or basis.ritz().residuals[-1] > 1e-8:
            if len(basis.rows) == most:
                basis.restart(range(most - 2, most))
            basis.extend()
            assert len(basis.rows) <= most
        assert float(basis.ritz().values[-1]) == pytest.approx(1.1, abs=1e-10)
        return basis.products

    assert products(300) < products(6) < 2 * products(300)


def test_an_invariant_subspace_is_left_by_a_random_vector() -> None:
    """Closed form: from an eigenvector, or in a matrix with few distinct eigenvalues, all multiplicities are found."""
    eigenvalues = torch.tensor([5.0, 5.0, 5.0, 1.0, 1.0, -2.0, 0.0]).double()
    matrix = symmetric(eigenvalues)
    eigenvector = torch.linalg.eigh(matrix).eigenvectors[:, 3]
    for first in (eigenvector, start(7), torch.zeros(7).double()):
        basis = Lanczos(lambda v: matrix @ v, first)
        while not basis.complete:
            basis.extend()
        torch.testing.assert_close(basis.ritz().values, eigenvalues.sort().values, rtol=0, atol=1e-12)


def test_a_zero_matrix_has_zero_eigenvalues_without_a_residual() -> None:
    """By definition; nothing is divided by zero."""
    basis = Lanczos(torch.zeros_like, torch.ones(4))
    basis.extend()
    basis.extend()
    assert basis.ritz().values.tolist() == [0.0, 0.0]
    assert basis.ritz().residuals.tolist() == [0.0, 0.0]


def test_weights_are_the_starts_shares() -> None:
    """Closed form: ⟨start, eigenvector⟩² / ‖start‖² on a diagonal matrix, with sum 1."""
    basis = Lanczos(lambda v: torch.tensor([1.0, 2.0, 3.0]).double() * v, torch.tensor([3.0, 4.0, 12.0]).double())
    while not basis.complete:
        basis.extend()
    torch.testing.assert_close(basis.ritz().weights, torch.tensor([9.0, 16.0, 144.0]).double() / 169)


def test_what_is_not_finite_has_no_eigenvalues() -> None:
    """NaN, and no error of LAPACK's."""
    basis = Lanczos(lambda v: v * math.inf, torch.ones(4))
    basis.extend()
    assert basis.ritz().values.isnan().all()


def test_the_error_bound_uses_the_gap() -> None:
    """Closed form for a basis of two vectors: r²/gap where that is smaller; with one vector the residual alone."""
    basis = Lanczos(lambda v: torch.tensor([10.0, 1.0, 0.5]).double() * v, torch.tensor([1.0, 0.3, 0.3]).double())
    basis.extend()
    assert basis.ritz().errors.equal(basis.ritz().residuals)
    basis.extend()
    ritz = basis.ritz()
    gap = ritz.values[1] - ritz.values[0]
    assert float(ritz.errors[1]) == pytest.approx(float(ritz.residuals[1] ** 2 / gap))
    # The other Ritz value lies a little below the next eigenvalue: the gap, 9.02, is too wide by less than 1%.
    assert abs(float(ritz.values[1]) - 10) <= 1.01 * float(ritz.errors[1])
