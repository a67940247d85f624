"""GraphNorm and PairNorm against torch's InstanceNorm, closed forms, and numerical gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinometer.nn.norms import NORMS
from clinometer.nn.norms.graph import GraphNorm, PairNorm


def sample(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(4, 3, 7), (4, 3, 5, 2)])
def test_graph_norm_starts_as_torchs_instance_norm(shape: tuple[int, ...]) -> None:
    """With α = 1 the formula is InstanceNorm's, which torch computes."""
    y = sample(*shape) + 2
    torch.testing.assert_close(GraphNorm(3).double()(y), nn.functional.instance_norm(y))


@given(seed=st.integers(0, 99), alpha=st.floats(-2, 2), nodes=st.integers(2, 9))
def test_graph_norm_by_its_formula(seed: int, alpha: float, nodes: int) -> None:
    """Written out for one unit of one graph: γ (y − α μ) / √(mean((y − α μ)²) + ε) + β."""
    y = sample(2, 3, nodes, seed=seed)
    norm = GraphNorm(3).double()
    gamma, beta = sample(3, seed=seed + 1), sample(3, seed=seed + 2)
    with torch.no_grad():
        norm.mean_scale.fill_(alpha)
        norm.weight.copy_(gamma)
        norm.bias.copy_(beta)
    values = y[1, 2]
    left = values - alpha * values.sum() / nodes
    expected = gamma[2] * left / ((left**2).sum() / nodes + 1e-5) ** 0.5 + beta[2]
    torch.testing.assert_close(norm(y)[1, 2], expected)


@given(seed=st.integers(0, 99), scale=st.floats(0.1, 10), nodes=st.integers(2, 9))
def test_pair_norm_keeps_the_sum_of_squared_distances(seed: int, scale: float, nodes: int) -> None:
    """Zhao and Akoglu's reason for it: over all pairs of n nodes the squared distances sum to 2 n² s²."""
    y = 5 * sample(2, 3, nodes, seed=seed) + 1
    out = PairNorm(3, scale, eps=0.0)(y)
    distances = (out[:, :, :, None] - out[:, :, None, :]).square().sum((1, 2, 3))
    torch.testing.assert_close(distances, torch.full_like(distances, 2 * nodes**2 * scale**2))
    torch.testing.assert_close(out.mean(2), torch.zeros_like(out[:, :, 0]))


def test_individual_nodes_have_the_norm_s() -> None:
    """PairNorm-SI divides each centred node by its own norm, so that all of them lie on a sphere of radius s."""
    out = PairNorm(3, 2.0, individually=True, eps=0.0)(sample(2, 3, 6))
    torch.testing.assert_close(out.norm(dim=1), torch.full((2, 6), 2.0, dtype=torch.float64))


@pytest.mark.parametrize("name", ["graph", "pair"])
def test_one_graph_without_a_batch_is_a_batch_of_one(name: str) -> None:
    """(N, C) is one graph of N nodes, which (1, C, N) writes as well; training and evaluation are alike."""
    y = sample(6, 3)
    norm = NORMS[name](3, 0).double()
    torch.testing.assert_close(norm(y), norm(y.T[None])[0].T)
    assert torch.equal(norm(y), norm.eval()(y))


@pytest.mark.parametrize("name", ["graph", "pair"])
def test_graphs_of_a_batch_do_not_see_each_other(name: str) -> None:
    """The statistics are a graph's own: alone it gets what it gets in a batch."""
    y, norm = sample(4, 3, 5), NORMS[name](3, 1).double()
    torch.testing.assert_close(norm(y)[2:3], norm(y[2:3]))


@given(seed=st.integers(0, 99), factor=st.floats(0.1, 10), shift=st.floats(-5, 5))
@pytest.mark.parametrize("name", ["graph", "pair"])
def test_scales_and_shifts_that_change_nothing(name: str, seed: int, factor: float, shift: float) -> None:
    """Both divide by what grows with a scale and take off what a shift adds; a graph norm with α < 1 sees the shift."""
    y = sample(2, 3, 6, seed=seed)
    norm = NORMS[name](3, 1, eps=0.0).double()
    torch.testing.assert_close(norm(factor * y + shift), norm(y))
    if isinstance(norm, GraphNorm):
        with torch.no_grad():
            norm.mean_scale.fill_(0.5)
        torch.testing.assert_close(norm(factor * y), norm(y))
        assert not torch.allclose(norm(y + 3), norm(y))


@pytest.mark.parametrize("norm", [GraphNorm(3), PairNorm(3), PairNorm(3, individually=True)])
def test_gradients(norm: nn.Module) -> None:
    """torch's gradcheck compares the gradient with finite differences."""
    y = sample(2, 3, 5).requires_grad_()
    assert torch.autograd.gradcheck(norm.double(), (y,))


@pytest.mark.parametrize("name", ["graph", "pair"])
def test_bad_input_is_refused_in_words(name: str) -> None:
    """A tensor of other features would be scaled by numbers that mean nothing, or fail in torch's words."""
    with pytest.raises(ValueError, match=r"3 features: expected \(N, 3, ...\), found \(2, 4, 5\)"):
        NORMS[name](3, 1)(torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match="scale must be positive; found 0"):
        PairNorm(3, 0.0)


@pytest.mark.parametrize("name", ["graph", "pair"])
def test_a_graph_of_equal_nodes_is_finite(name: str) -> None:
    """Without a deviation ε keeps the quotient at 0, and its gradient finite."""
    y = torch.ones(1, 3, 4, requires_grad=True)
    out = NORMS[name](3, 1)(y)
    out.sum().backward()
    assert torch.equal(out, torch.zeros_like(out))
    assert y.grad is not None
    assert bool(y.grad.isfinite().all())
