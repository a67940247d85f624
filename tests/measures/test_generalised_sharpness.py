"""The bound on generalised sharpness against brute force over the cube, von Neumann's inequality and λ_max."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clinometer import Objective, Point
from clinometer.measures.generalised_sharpness import Norm, generalised_sharpness, norms_of


def symmetric(n: int, seed: int, positive: bool = True) -> Tensor:
    root = torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T if positive else root + root.T


def quadratic(h: Tensor) -> Objective:
    """½ wᵀHw over two tensors that share w."""
    params = {"a": torch.ones(2, dtype=torch.float64), "b": torch.ones(len(h) - 2, dtype=torch.float64)}

    def loss_fn(p: Any, _batch: Any) -> Tensor:
        w = torch.cat([p["a"], p["b"]])
        return w @ h @ w / 2

    return Objective(params=params, loss_fn=loss_fn)


def random_starts(like: Point, count: int) -> list[Point]:
    generator = torch.Generator().manual_seed(5)
    return [
        {name: torch.randn(value.shape, generator=generator, dtype=value.dtype) for name, value in like.items()}
        for _ in range(count)
    ]


def bound(h: Tensor, norm: Norm, starts: int = 1, **options: Any) -> Any:
    objective = quadratic(h)
    here = objective.here()
    return generalised_sharpness(objective, here, random_starts(here, starts), norm, **options)


def over_the_cube(h: Tensor) -> float:
    vertices = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=len(h))), dtype=h.dtype)
    return float(((vertices @ h) * vertices).sum(1).max())


@pytest.mark.parametrize("n", [3, 5, 8])
def test_it_is_the_maximum_over_the_cube_from_many_starts_and_never_above_it(n: int) -> None:
    """Brute force over {−1, 1}ⁿ, where a convex quadratic has its maximum; ten matrices."""
    for seed in range(10):
        h = symmetric(n, seed)
        truth = over_the_cube(h)
        few, many = bound(h, "max", 1), bound(h, "max", 60)
        assert few.value <= truth * (1 + 1e-12)
        assert many.value == pytest.approx(truth, rel=1e-9)
        assert many.lowest <= many.value


@pytest.mark.parametrize("norm", ["max", "spectral", "euclidean"])
@pytest.mark.parametrize("positive", [True, False])
def test_what_it_found_is_there(norm: Norm, positive: bool) -> None:
    """A bound is proved by its direction: inside the ball, with this curvature by the dense Hessian."""
    for seed in range(5):
        h = symmetric(6, seed, positive)
        found = bound(h, norm, 3, iterations=30)
        d = torch.cat([found.direction["a"], found.direction["b"]])
        assert found.value == pytest.approx(float(d @ h @ d), rel=1e-9)
        radii = norms_of(found.direction, norm)
        assert max(radii.values() if isinstance(radii, dict) else [radii]) <= 1 + 1e-9


def test_in_the_euclidean_norm_it_is_the_largest_eigenvalue() -> None:
    """numpy's, in float64; 0 where all are negative, as standing still is in the ball."""
    for seed in range(5):
        h = symmetric(6, seed, positive=False)
        found = bound(h, "euclidean", 2, tolerance=1e-10, iterations=2000)
        assert found.value == pytest.approx(float(torch.linalg.eigvalsh(h).max()), rel=1e-6)
    assert bound(-symmetric(5, 0), "euclidean").value == 0


@pytest.mark.parametrize("shape", [(4, 2), (3, 3), (2, 5)])
def test_in_the_spectral_norm_it_is_von_neumanns_sum(shape: tuple[int, int]) -> None:
    """L = ½‖A W‖²: the most of ‖A D‖² with ‖D‖ ≤ 1 is the sum of A's largest min(m, k) squared singular values."""
    m, k = shape
    a = torch.randn(6, m, generator=torch.Generator().manual_seed(m), dtype=torch.float64)
    params = {"w": torch.ones(m, k, dtype=torch.float64)}
    objective = Objective(params=params, loss_fn=lambda p, _: (a @ p["w"]).square().sum() / 2)
    found = generalised_sharpness(objective, params, random_starts(params, 20), "spectral", iterations=50)
    truth = float(torch.linalg.svdvals(a)[: min(m, k)].square().sum())
    assert found.value <= truth * (1 + 1e-12)
    assert found.value == pytest.approx(truth, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.sampled_from(["max", "spectral", "euclidean"]))
def test_it_scales_with_the_loss_and_with_the_square_of_the_ball(height: float, radius: float, norm: Norm) -> None:
    """Invariants of max dᵀHd over ‖d‖ ≤ r."""
    h = symmetric(5, 1)
    found = bound(h, norm, 2)
    assert bound(height * h, norm, 2).value == pytest.approx(height * found.value, rel=1e-6)
    assert bound(h, norm, 2, radii=radius).value == pytest.approx(radius**2 * found.value, rel=1e-6)


def test_more_products_never_lower_it_and_are_counted() -> None:
    """Each Frank-Wolfe step is a maximum along its segment."""
    h = symmetric(8, 3, positive=False)
    found = [bound(h, "max", iterations=n, tolerance=0.0) for n in range(1, 12)]
    values = [each.value for each in found]
    assert values == sorted(values)
    assert all(each.products <= n + 1 for n, each in enumerate(found, 1))


def test_each_parameter_may_have_a_radius() -> None:
    """What does not move adds nothing: brute force over the rest alone."""
    h = symmetric(6, 2)
    found = bound(h, "max", 20, radii={"a": 0.0, "b": 2.0})
    assert found.value == pytest.approx(4 * over_the_cube(h[2:, 2:]))


def test_no_curvature_and_no_finite_loss() -> None:
    """A Hessian of zeros has S = 0; of NaN it has no number."""
    params = {"w": torch.ones(2, 2)}
    flat = Objective(params=params, loss_fn=lambda p, _: p["w"].sum())
    diverged = Objective(params=params, loss_fn=lambda p, _: (p["w"] * math.nan).square().sum())
    for norm in ("max", "spectral", "euclidean"):
        assert generalised_sharpness(flat, params, [params], norm).value == 0
        assert math.isnan(generalised_sharpness(diverged, params, [params], norm).value)


def test_bad_input_is_refused() -> None:
    """With what was expected."""
    h = symmetric(4, 0)
    with pytest.raises(ValueError, match="norm must be one of max, spectral, euclidean; found 'l2'"):
        bound(h, "l2")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="expected at least one start"):
        bound(h, "max", 0)
    with pytest.raises(ValueError, match="no radius for 'b'; there are radii for a"):
        bound(h, "max", radii={"a": 1.0})
    with pytest.raises(ValueError, match="the euclidean ball has one radius"):
        bound(h, "euclidean", radii={"a": 1.0})
