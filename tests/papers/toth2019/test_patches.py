"""What is read and written through Gaussian filters, against sums over pixels written out."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from clinometer.papers.toth2019.filters import Window, grid_filters, window
from clinometer.papers.toth2019.read import Read, patch
from clinometer.papers.toth2019.write import GridWrite, LineWrite

SIDE, GRID = 8, 5


def gaussian(at: float, mean: float, variance: float) -> float:
    return math.exp(-((at - mean) ** 2) / (2 * variance))


def spot(x: float, y: float, variance: float, first: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A Gaussian over the pixels around (x, y), with sum 1, pixel by pixel."""
    across, down = ([gaussian(a + first, mean, variance) for a in range(SIDE)] for mean in (x, y))
    values = np.array([[one * other for one in across] for other in down])
    return values / values.sum()


def random(seed: int = 0, count: int = 5) -> Tensor:
    return torch.randn(3, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.3


@pytest.mark.parametrize("first", [0, 1])
def test_a_patch_is_a_sum_over_pixels(first: int) -> None:
    """The direct sum γ Σ_ab x_ab G(a, μ_i) G(b, μ_j) at centres g + (i − N/2 − ½) δ from the formulas of DRAW."""
    numbers, image = random(), torch.rand(3, SIDE, SIDE, dtype=torch.float64)
    found = patch(grid_filters(window(numbers, SIDE, GRID), SIDE, GRID, first), image).view(3, GRID, GRID)
    for n in range(3):
        gx, gy, log_variance, log_stride, log_gain = numbers[n].tolist()
        x, y = ((SIDE + 1) / 2 * (each + 1) for each in (gx, gy))
        stride = (SIDE - 1) / (GRID - 1) / math.exp(log_stride)
        for j in range(GRID):
            for i in range(GRID):
                at = [centre + (k + first - GRID / 2 - 0.5) * stride for centre, k in ((x, i), (y, j))]
                expected = math.exp(log_gain) * (spot(*at, math.exp(log_variance), first) * image[n].numpy()).sum()
                assert found[n, j, i].item() == pytest.approx(expected, rel=1e-9)


def test_what_is_written_is_a_sum_of_spots() -> None:
    """The direct sum Σ_ij W_ji G_i G_j / γ, and the centre as the window has it."""
    torch.manual_seed(0)
    write = GridWrite(4, SIDE, GRID).double()
    hidden = torch.randn(1, 4, dtype=torch.float64)
    with torch.no_grad():
        stroke = write(hidden)
        at = window(write.window(hidden), SIDE, GRID)
        values = write.values(hidden).view(GRID, GRID)
    x, y = at.centre[0].tolist()
    stride, variance = float(at.stride), float(at.variance)
    spots = [
        float(values[j, i]) * spot(x + (i - 2) * stride, y + (j - 2) * stride, variance, 1)
        for i in range(GRID)
        for j in range(GRID)
    ]
    np.testing.assert_allclose(stroke.drawn[0], sum(spots) / float(at.gain), rtol=1e-9)
    assert stroke.centres[0].tolist() == [[x, y]]


def test_lines_are_rotated_rows_of_spots() -> None:
    """Each line's spots by hand, at the centre plus multiples of the stride in the direction (−sin φ, cos φ)."""
    torch.manual_seed(0)
    write = LineWrite(4, SIDE, GRID, patches=2).double()
    hidden = 20 * torch.randn(1, 4, dtype=torch.float64)
    with torch.no_grad():
        stroke = write(hidden)
        windows = [window(each(hidden), SIDE, GRID) for each in write.windows]
    expected = np.zeros((SIDE, SIDE))
    for at in windows:
        assert at.angle is not None
        (x, y), angle, stride = at.centre[0].tolist(), float(at.angle), float(at.stride)
        for i in range(-2, 3):
            expected += spot(
                x - i * stride * math.sin(angle), y + i * stride * math.cos(angle), float(at.variance), 1
            ) / float(at.gain)
    np.testing.assert_allclose(stroke.drawn[0], expected, rtol=1e-9)
    assert stroke.centres.shape == (1, 2, 2)


def test_a_grid_at_the_centre_is_symmetric_as_in_draw_and_shifted_as_in_the_authors_code() -> None:
    """Counted from 1, an image and its mirror image give mirrored patches; counted from 0 the grid is a stride off."""
    image = torch.rand(1, SIDE, SIDE, dtype=torch.float64)
    at = window(torch.zeros(1, 5, dtype=torch.float64), SIDE, GRID)
    read, mirrored = (patch(grid_filters(at, SIDE, GRID), each).view(GRID, GRID) for each in (image, image.flip(2)))
    torch.testing.assert_close(read, mirrored.flip(1))
    shifted = grid_filters(at, SIDE, GRID, counted_from=0)
    means = (shifted.across[0] * torch.arange(SIDE)).sum(1)
    assert float(means[GRID // 2]) < (SIDE - 1) / 2, "the middle filter lies left of the middle of the image"


def test_filters_have_sum_one_unless_they_lie_far_outside() -> None:
    """Each is a weighted mean of pixels; far outside it sees nothing, and is not blown up to see anything."""
    centre = torch.tensor([[4.5, 4.5], [1000.0, 4.5]])
    at = Window(centre, torch.ones(2, 1), torch.ones(2, 1), torch.ones(2, 1))
    filters = grid_filters(at, SIDE, GRID)
    torch.testing.assert_close(filters.down.sum(2), torch.ones(2, GRID))
    assert not filters.across[1].any()


def test_reading_looks_at_the_image_and_at_the_error_through_one_window() -> None:
    """Two equal images give two equal halves; a place that the decoder chose moves both."""
    read = Read(3, SIDE, GRID)
    image = torch.rand(2, SIDE, SIDE)
    first, second = read(image, image, torch.randn(2, 3)).chunk(2, 1)
    assert torch.equal(first, second)
    assert first.shape == (2, GRID * GRID)


@pytest.mark.parametrize("make", [GridWrite, LineWrite])
def test_gradients_of_writing_are_right(make: type[GridWrite | LineWrite]) -> None:
    """Against finite differences in float64, by the decoder's output."""
    torch.manual_seed(0)
    write = make(3, SIDE, GRID).double()
    hidden = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: write(h).drawn, hidden, atol=1e-6)


def test_gradients_of_reading_are_right() -> None:
    """Against finite differences in float64, by the image, the error and the decoder's output."""
    torch.manual_seed(0)
    read = Read(3, SIDE, GRID).double()
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in [(1, SIDE, SIDE)] * 2 + [(1, 3)]]
    assert torch.autograd.gradcheck(read, given, atol=1e-6)
