"""The nearest-neighbour graph of an image's pixels, and how alike its nodes become."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from clinometer.papers.bronstein2021.data import digits
from clinometer.papers.bronstein2021.networks.graph import graph, neighbours, normalised
from clinometer.papers.bronstein2021.smoothing import mean_cosine


@given(seed=st.integers(0, 999), k=st.integers(1, 8))
@settings(max_examples=15)
def test_neighbours_are_scipys(seed: int, k: int) -> None:
    """Without ties the k nearest nodes are those of SciPy's tree, joined in both directions."""
    spatial = pytest.importorskip("scipy.spatial")
    nodes = torch.randn(1, 3, 20, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    _, near = spatial.cKDTree(nodes[0].T.numpy()).query(nodes[0].T.numpy(), k + 1)
    expected = torch.zeros(20, 20, dtype=torch.bool)
    expected[torch.arange(20)[:, None], torch.from_numpy(near)] = True
    assert torch.equal(neighbours(nodes, k)[0], expected | expected.T)


def test_equal_distances_are_all_neighbours() -> None:
    """On a grid of equal pixels every node's four neighbours are as near: with k = 1 all of them are joined."""
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    found = neighbours(torch.stack([rows, columns]).flatten(1)[None], 1)[0]
    assert found[5].nonzero().flatten().tolist() == [1, 4, 5, 6, 9]


def test_the_normalised_adjacency_has_the_spectrum_of_random_walks() -> None:
    """Similar to D⁻¹A, a stochastic matrix: its largest eigenvalue is 1, and none is below −1."""
    (x, _), _ = digits(1)
    weights = graph().stages[0](x[:4].double()).weights
    assert torch.equal(weights, weights.mT)
    values = torch.linalg.eigvalsh(weights)
    torch.testing.assert_close(values[:, -1], torch.ones(4, dtype=torch.float64))
    assert bool((values > -1).all())
    degrees = torch.tensor([[[1.0, 1.0], [1.0, 1.0]]])
    torch.testing.assert_close(normalised(degrees), torch.full((1, 2, 2), 0.5, dtype=torch.float64))


@given(seed=st.integers(0, 999), nodes=st.integers(2, 6))
@settings(max_examples=15)
def test_mean_cosine_is_torchs_over_pairs(seed: int, nodes: int) -> None:
    """torch's cosine of every pair of different nodes, averaged."""
    signal = torch.randn(3, 4, nodes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pairs = [(i, j) for i in range(nodes) for j in range(nodes) if i != j]
    expected = torch.stack([F.cosine_similarity(signal[..., i], signal[..., j]) for i, j in pairs]).mean()
    assert mean_cosine(signal) == pytest.approx(float(expected))


def test_nodes_without_features_have_no_direction() -> None:
    """They are left out; where less than two are left there is no number, rather than a cosine of 0."""
    signal = torch.tensor([[[1.0, 2.0, 0.0], [1.0, 2.0, 0.0]]])
    assert mean_cosine(signal) == pytest.approx(1.0)
    assert mean_cosine(signal[..., 1:]) != mean_cosine(signal[..., 1:])


def test_averaging_makes_nodes_alike() -> None:
    """Li et al.: powers of the normalised adjacency of a connected graph go to its top eigenvector, one direction."""
    (x, _), _ = digits(1)
    weights = graph().stages[0](x[:4].double()).weights
    signal = torch.randn(4, 5, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    deep = signal @ torch.linalg.matrix_power(weights, 500)
    assert abs(mean_cosine(signal)) < 0.1
    assert mean_cosine(deep) > 0.999
