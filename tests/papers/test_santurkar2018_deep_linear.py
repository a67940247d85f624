import functools

import pytest
import torch
from torch import nn

from clinometer import NORMS
from clinometer.nn.vgg import glorot_
from clinometer.papers.santurkar2018.networks.deep_linear import DeepLinear, squared_error
from clinometer.papers.santurkar2018.networks.readings import READINGS

X = torch.randn(50, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_without_norms_it_is_the_product_of_its_matrices() -> None:
    """Matrix multiplication, written out: x ↦ W_k ⋯ W_1 x. 25 products in float64 round to 1e-14 or so."""
    model = glorot_(DeepLinear("none"), seed=1)
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    assert len(weights) == 25
    product = functools.reduce(lambda so_far, weight: weight @ so_far, weights)
    torch.testing.assert_close(model(X), X @ product.T, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "instance"])  # it needs space
def test_layers_are_named_and_start_alike(norm: str) -> None:
    """What probes and pairings rely on: the names, float64, and weights that depend on the seed alone."""
    model, other = glorot_(DeepLinear(norm, depth=4), 3), glorot_(DeepLinear("none", depth=4), 3)
    modules = dict(model.named_modules())
    assert {f"layers.layer{k}.{part}" for k in range(1, 5) for part in ("linear", "norm")} <= set(modules)
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    for name, layer in other.named_modules():
        if isinstance(layer, nn.Linear):  # a norm on weights trains what was drawn; weight norm, its lengths too
            assert torch.equal(list(model.get_submodule(name).parameters())[-1], layer.weight)


def test_the_last_norm_can_be_left_out() -> None:
    """With BatchNorm last, outputs have mean 0 and variance 1 by definition; without, they do not."""
    whole, bare = (
        glorot_(DeepLinear("batch", depth=3, last_norm=READINGS[row].last_norm), 0) for row in ("dln", "dln_bare")
    )
    torch.testing.assert_close(whole(X).var(0, correction=0), torch.ones(10).double(), rtol=1e-3, atol=0)
    assert (bare(X).var(0, correction=0) - 1).abs().max() > 0.1
    assert isinstance(bare.layers.layer3.norm, nn.Identity)


def test_the_readings_of_the_loss() -> None:
    """torch's own losses are the truth for the sum and the mean."""
    y, target = X, X.flip(0)
    for row, reduction in (("dln", "sum"), ("dln_bare", "sum"), ("dln_mean", "mean")):
        ours = squared_error(y, target, READINGS[row].scale(*y.shape))
        torch.testing.assert_close(ours, nn.functional.mse_loss(y, target, reduction=reduction))


def test_bad_arguments_are_refused() -> None:
    """A network without layers, and a norm that there is not."""
    with pytest.raises(ValueError, match="no norm 'gruop'; there are none, batch"):
        DeepLinear("gruop")
    with pytest.raises(ValueError, match="depth and width must be at least 1; found 0 and 10"):
        DeepLinear(depth=0)
