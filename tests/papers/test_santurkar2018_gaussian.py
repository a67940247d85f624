import pytest
import torch

from clinometer.nn.vgg import glorot_
from clinometer.papers.santurkar2018.networks.deep_linear import DeepLinear
from clinometer.papers.santurkar2018.networks.gaussian import gaussian


def test_moments_are_those_of_the_standard_normal() -> None:
    """10,000 entries of x: mean 0 ± 0.01, variance 1 ± 0.014; bounds are five standard errors."""
    data = gaussian(seed=3)
    assert data.inputs.mean().item() == pytest.approx(0, abs=0.05)
    assert data.inputs.var().item() == pytest.approx(1, abs=0.07)
    assert data.matrix.var().item() == pytest.approx(1, abs=5 * (2 / 100) ** 0.5)


def test_targets_are_the_maps_images() -> None:
    """Sample by sample: A x."""
    data = gaussian(seed=0, samples=5, width=3)
    for x, y in zip(data.inputs, data.targets, strict=True):
        torch.testing.assert_close(y, data.matrix @ x)


def test_the_seed_decides_and_the_weights_stream_is_another() -> None:
    """torch's generator reads 32 bits of a seed: one that is off by 2³² would draw what the weights drew."""
    assert torch.equal(gaussian(0).inputs, gaussian(0).inputs)
    assert not torch.equal(gaussian(0).inputs, gaussian(1).inputs)
    theirs = torch.randn(1000, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert not torch.equal(gaussian(0).inputs, theirs)
    weights = glorot_(DeepLinear("none"), 0).layers.layer1.linear.weight.detach().flatten()
    assert abs(torch.corrcoef(torch.stack([weights, gaussian(0).inputs[:10].flatten()]))[0, 1]) < 0.5
