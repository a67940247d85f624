"""The two networks: what differs between norms, and what does not."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from clinometer.nn.resnet import ResidualBlock
from clinometer.papers.norms import networks
from clinometer.papers.norms.configs import NORMS


def convolutions(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]


def plain_weight(layer: nn.Module) -> Tensor:
    """The weight before a norm on it."""
    if not parametrize.is_parametrized(layer, "weight"):
        return layer.weight
    originals = layer.parametrizations["weight"]
    return originals.original if hasattr(originals, "original") else originals.original1


@pytest.mark.parametrize("build", [networks.vgg, networks.resnet])
@pytest.mark.parametrize("norm", NORMS)
def test_networks_of_one_seed_differ_in_their_norm_alone(build: networks.Build, norm: str) -> None:
    """Bit for bit, the weights of every layer are those of the network without a norm; Fixup's start is its own."""
    ours, plain = build(norm, seed=3), build("none", seed=3)
    pairs = list(zip(convolutions(ours), convolutions(plain), strict=True))
    assert len(pairs) == 5
    for one, other in pairs:
        if norm == "fixup" and build is networks.resnet:
            continue
        assert torch.equal(plain_weight(one), plain_weight(other))
    assert ours(torch.randn(4, 3, 16, 16)).shape == (4, 10)


def test_fixup_starts_residual_branches_at_zero() -> None:
    """Zhang et al. (2019): the last layer of a branch starts at 0, so a block is the identity before its ReLU."""
    model = networks.resnet("fixup")
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    x = torch.rand(2, 16, 4, 4)
    assert len(blocks) == 2
    for block in blocks:
        assert torch.equal(block(x), x)


def test_group_norm_is_not_instance_norm() -> None:
    """With torch's layer itself: groups of two channels and more."""
    found = [module for module in networks.vgg("group").modules() if isinstance(module, nn.GroupNorm)]
    assert len(found) == 5
    assert all(norm.num_channels // norm.num_groups >= 2 for norm in found)


def test_group_norm_follows_standardized_weights() -> None:
    """As in the paper of weight standardization; torch's own layer after each convolution."""
    model = networks.vgg("weight_standardization")
    assert len([module for module in model.modules() if isinstance(module, nn.GroupNorm)]) == 5
    assert all(parametrize.is_parametrized(layer, "weight") for layer in convolutions(model))
