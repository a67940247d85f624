import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils import parameters_to_vector

from clinometer.objective.params import dot, flattened, gap_and_cosine, norm, scale, step, sub, unflattened

SEEDS = st.integers(0, 10_000)


def point(seed: int, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"a": (3, 4), "b": (5,), "c": ()}
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for name, shape in shapes.items()
    }


def flat(p: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.flatten() for value in p.values()])


@given(SEEDS, st.floats(-10, 10))
def test_arithmetic_is_that_of_the_flattened_vector(seed: int, a: float) -> None:
    """The truth is torch's own arithmetic on one vector; float64 rounding allows 1e-12 here."""
    x, y = point(seed), point(seed + 1)
    torch.testing.assert_close(flat(step(x, y, a)), flat(x) + a * flat(y), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(flat(sub(x, y)), flat(x) - flat(y))
    torch.testing.assert_close(flat(scale(x, a)), a * flat(x))
    torch.testing.assert_close(dot(x, y), flat(x) @ flat(y), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm(x), flat(x).norm())
    gap, cosine = gap_and_cosine(x, y)
    torch.testing.assert_close(gap, (flat(x) - flat(y)).norm())
    torch.testing.assert_close(cosine, torch.cosine_similarity(flat(x), flat(y), dim=0), rtol=1e-12, atol=1e-12)


def test_large_and_small_parameters_of_several_types_are_summed_alike() -> None:
    """Enough of each to be joined in several ways; the truth is the flattened vector in float64.

    A float32 sum of n = 500,000 squares errs by about √n · 6e-8 = 4e-5 at the worst.
    """
    generator = torch.Generator().manual_seed(0)
    kinds = [torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.float32]
    sizes = [3, 300_000, 7, 5, 200_000]
    x, y = (
        {
            str(i): torch.randn(n, generator=generator).to(kind)
            for i, (n, kind) in enumerate(zip(sizes, kinds, strict=True))
        }
        for _ in range(2)
    )
    wide_x, wide_y = (torch.cat([value.double() for value in p.values()]) for p in (x, y))
    gap, cosine = gap_and_cosine(x, y)
    assert norm(x).item() == pytest.approx(wide_x.norm().item(), rel=4e-5)
    assert gap.item() == pytest.approx((wide_x - wide_y).norm().item(), rel=4e-5)
    assert cosine.item() == pytest.approx(torch.cosine_similarity(wide_x, wide_y, dim=0).item(), abs=4e-5)


@given(SEEDS)
def test_order_of_parameters_does_not_matter(seed: int) -> None:
    """An inner product does not depend on how the coordinates are listed; sums may round otherwise in the last bits."""
    x = point(seed)
    reversed_x = dict(reversed(x.items()))
    torch.testing.assert_close(norm(reversed_x), norm(x))
    torch.testing.assert_close(dot(reversed_x, x), dot(x, x))


def test_half_precision_is_summed_in_float32() -> None:
    """4,096 ones have norm 64; a float16 sum of squares would stop growing at 2,048 and give 45.25."""
    assert norm({"w": torch.ones(4096, dtype=torch.float16)}).item() == 64.0


def test_cosine_of_huge_and_tiny_vectors() -> None:
    """A vector has cosine 1 with itself whatever its length; the product of two norms of 2e-20 underflows float32."""
    for size in (1e18, 1e-20):
        x = {"w": torch.full((4,), size)}
        assert gap_and_cosine(x, x)[1].item() == pytest.approx(1.0, abs=1e-6)


def test_complex_parameters() -> None:
    """|3 + 4i| = 5 by definition."""
    x = {"w": torch.tensor([3.0 + 4.0j])}
    assert norm(x).item() == 5.0
    assert dot(x, x).item() == 25.0


def test_size_zero_is_the_origin_itself_even_along_an_infinite_direction() -> None:
    """0 · ∞ is NaN in IEEE 754, and standing still is not."""
    x = {"w": torch.tensor([1.0])}
    assert step(x, {"w": torch.tensor([torch.inf])}, 0.0)["w"].item() == 1.0


def test_a_direction_may_leave_parameters_out() -> None:
    """What is not named stays: a per-layer walk moves one layer."""
    moved = step({"a": torch.ones(1), "b": torch.ones(1)}, {"b": torch.ones(1)}, 2.0)
    assert (moved["a"].item(), moved["b"].item()) == (1.0, 3.0)


@pytest.mark.parametrize("direction", [{"nope": torch.ones(1)}, {"a": torch.ones(2)}])
def test_a_direction_that_does_not_fit_is_refused(direction: dict[str, torch.Tensor]) -> None:
    """Broadcasting a wrong shape would move the wrong place silently."""
    with pytest.raises(ValueError, match=r"nope|shape \(2,\)"):
        step({"a": torch.ones(1)}, direction, 1.0)


@given(shapes=st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=5), data=st.data())
def test_a_vector_of_all_values_is_the_point(shapes: list[list[int]], data: st.DataObject) -> None:
    """There and back is the identity, bit for bit, and the order is that of torch's own `parameters_to_vector`."""
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
    point = {str(index): torch.randn(shape).to(dtype) for index, shape in enumerate(shapes)}
    vector = flattened(point)
    assert vector.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(vector, parameters_to_vector(point.values()).to(vector.dtype), rtol=0.0, atol=0.0)
    back = unflattened(vector, point)
    assert list(back) == list(point)
    for name, value in point.items():
        torch.testing.assert_close(back[name], value, rtol=0.0, atol=0.0)
