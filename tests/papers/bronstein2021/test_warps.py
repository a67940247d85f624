"""Deformations of images, against closed forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinometer.papers.bronstein2021.warps import random_warp, warped


@given(down=st.integers(-3, 3), right=st.integers(-3, 3), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_a_translation_by_whole_pixels_moves_them(down: int, right: int, seed: int) -> None:
    """x(u − τ) with a constant τ is the image further down and right, where it comes from within."""
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    moved = warped(x, torch.tensor([down, right], dtype=torch.float64).expand(8, 8, 2))
    inner = slice(3, 5)
    expected = x[..., 3 - down : 5 - down, 3 - right : 5 - right]
    torch.testing.assert_close(moved[..., inner, inner], expected, atol=1e-12, rtol=0)


@given(seed=st.integers(0, 99), size=st.floats(0.01, 0.3))
@settings(max_examples=20)
def test_a_plane_is_deformed_exactly(seed: int, size: float) -> None:
    """Bilinear interpolation has no error on a + b·u: x(u − τ(u)) = x(u) − b·τ(u), away from the border."""
    warp = random_warp(8, size, torch.Generator().manual_seed(seed))
    rows, columns = torch.meshgrid(*[torch.arange(8, dtype=torch.float64)] * 2, indexing="ij")
    x = (2 * rows - 3 * columns)[None, None]
    expected = x[0, 0] - (2 * warp.displacement[..., 0] - 3 * warp.displacement[..., 1])
    inside = (rows - warp.displacement[..., 0]).clamp(0, 7) == rows - warp.displacement[..., 0]
    inside &= (columns - warp.displacement[..., 1]).clamp(0, 7) == columns - warp.displacement[..., 1]
    torch.testing.assert_close(warped(x, warp.displacement)[0, 0][inside], expected[inside], atol=1e-10, rtol=0)


@pytest.mark.parametrize("size", [0.05, 0.4])
def test_the_gradient_is_that_of_the_displacement(size: float) -> None:
    """Central differences of τ on a fine grid; the largest singular value is what was asked for."""
    warp = random_warp(400, size, torch.Generator().manual_seed(1))
    differences = torch.stack(torch.gradient(warp.displacement, dim=(0, 1)), -1)
    inner = slice(1, -1)
    torch.testing.assert_close(differences[inner, inner], warp.gradient[inner, inner], atol=1e-4, rtol=0)
    assert float(torch.linalg.svdvals(warp.gradient).max()) == pytest.approx(size)


def test_the_border_stays() -> None:
    """Half a pixel outside of the image τ is 0: the outermost pixels hardly move."""
    warp = random_warp(64, 0.3, torch.Generator().manual_seed(2))
    assert float(warp.displacement[0].abs().max()) < 0.05 * float(warp.displacement.abs().max()) + 0.3


def test_bad_input_is_refused_in_words() -> None:
    """A warp that folds the image has no size that means anything."""
    for size in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="where no image folds"):
            random_warp(8, size, torch.Generator())
    with pytest.raises(ValueError, match=r"expected images of \(8, 8\) pixels; found \(8, 6\)"):
        warped(torch.zeros(1, 1, 8, 6), torch.zeros(8, 8, 2))
