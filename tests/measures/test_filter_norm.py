"""Filter normalisation, against a loop over filters in float64 and against the authors' rule for 1-D parameters."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from clinometer.measures.filter_norm import normalised


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Embedding(5, 4), nn.Linear(4, 6), nn.ConvTranspose1d(2, 3, 2)
    ).double()


def drawn(seed: int = 1, dtype: torch.dtype = torch.float64) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A random direction, and the weights of a network with every kind of layer."""
    generator = torch.Generator().manual_seed(seed)
    at = {name: p.detach().to(dtype) for name, p in network().named_parameters()}
    return {n: torch.randn(w.shape, generator=generator, dtype=torch.float64).to(dtype) for n, w in at.items()}, at


def by_hand(d: Tensor, w: Tensor) -> Tensor:
    """Li et al., section 4, as a loop in plain floats: each filter of d as long as that of w."""
    rows = []
    for own, weights in zip(d, w, strict=True):
        length = math.sqrt(sum(x * x for x in own.flatten().tolist()))
        wanted = math.sqrt(sum(x * x for x in weights.flatten().tolist()))
        rows.append([x * wanted / length for x in own.flatten().tolist()])
    return torch.tensor(rows, dtype=torch.float64).reshape(d.shape)


def test_each_filter_is_as_long_as_its_weights() -> None:
    """The paper's formula, filter by filter, by Python's floats; 1-D parameters are zero as in the authors' code."""
    direction, at = drawn()
    found = normalised(direction, at)
    for name, value in found.items():
        if value.ndim < 2:
            assert not value.any()
        else:
            torch.testing.assert_close(value, by_hand(direction[name], at[name]), rtol=1e-14, atol=0)


def test_each_layer_is_as_long_as_its_weights() -> None:
    """Closed form: the norm is that of the weights, and the direction is kept up to a positive factor."""
    direction, at = drawn()
    for name, value in normalised(direction, at, "layer", move_1d=True).items():
        expected = direction[name] * (at[name].norm() / direction[name].norm())
        torch.testing.assert_close(value, expected, rtol=1e-14, atol=0)


@given(factors=st.lists(st.floats(0.01, 100), min_size=3, max_size=3), by=st.sampled_from(["filter", "layer"]))
def test_the_direction_s_own_scale_does_not_matter(factors: list[float], by: Any) -> None:
    """By the definition: a filter's direction may be multiplied by any positive number; so may a layer's."""
    direction, at = drawn()
    c = torch.tensor(factors if by == "filter" else factors[:1] * 3, dtype=torch.float64)
    scaled = direction | {"0.weight": direction["0.weight"] * c[:, None, None, None]}
    found, expected = normalised(scaled, at, by)["0.weight"], normalised(direction, at, by)["0.weight"]
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


@given(c=st.floats(0.01, 100))
def test_the_result_scales_with_the_weights(c: float) -> None:
    """By the definition: weights c times as long have a direction c times as long, so their relation stays."""
    direction, at = drawn()
    bigger = {name: c * value for name, value in at.items()}
    for name, value in normalised(direction, bigger).items():
        torch.testing.assert_close(value, c * normalised(direction, at)[name], rtol=1e-13, atol=0)


def test_zero_filters_stay_zero() -> None:
    """Where the weights or the direction are zero there is no length to take, or nothing to lengthen; no NaN."""
    w = {"w": torch.tensor([[0.0, 0.0], [3.0, 4.0]])}
    d = {"w": torch.tensor([[1.0, 2.0], [0.0, 0.0]])}
    for by in ("filter", "layer"):
        assert torch.equal(normalised({"w": torch.zeros(2, 2)}, w, by)["w"], torch.zeros(2, 2))
    assert torch.equal(normalised(d, w)["w"], torch.zeros(2, 2))


def test_half_precision_is_summed_in_single() -> None:
    """In float16 the squares of 300 overflow; the truth is float64's, to the eleven bits of a float16."""
    w = {"w": torch.full((2, 400), 300.0, dtype=torch.float16)}
    d = {"w": torch.full((2, 400), 2.0, dtype=torch.float16)}
    found = normalised(d, w)["w"]
    assert found.dtype is torch.float16
    torch.testing.assert_close(found.double(), torch.full((2, 400), 300.0, dtype=torch.float64), rtol=2**-10, atol=0)


def test_complex_filters_have_real_lengths() -> None:
    """Closed form: |3 + 4i| is 5."""
    found = normalised({"w": torch.tensor([[2j]])}, {"w": torch.tensor([[3 + 4j]])})["w"]
    torch.testing.assert_close(found, torch.tensor([[5j]]))


def test_what_does_not_fit_is_refused() -> None:
    """Before anything is computed, with what was expected."""
    direction, at = drawn()
    with pytest.raises(ValueError, match="`by` must be one of filter, layer; found 'weight'"):
        normalised(direction, at, "weight")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="not a parameter of the origin"):
        normalised({"other": torch.ones(1)}, at)
