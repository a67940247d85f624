import math

import pytest
import torch
from torch import nn

from clinometer import NORMS
from clinometer.nn.vgg import INITS, VGG, glorot_, initialise_
from clinometer.nn.vgg_plans import PLANS


def test_vgg16_has_the_published_convolutions() -> None:
    """Simonyan and Zisserman's configuration D, table 1: 13 convolutions with these widths."""
    model = VGG(PLANS["vgg16"], norm="none")
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert {c.kernel_size for c in convolutions} == {(3, 3)}
    assert sum(c.weight.numel() + c.bias.numel() for c in convolutions) == 14_714_688  # torchvision's vgg16.features


@pytest.mark.parametrize("plan", PLANS)
def test_every_plan_brings_its_images_down_to_one_pixel(plan: str) -> None:
    """The head is linear in the channels: a plan with a pool too few would not fit."""
    side = 8 if plan == "vgg_digits" else 32
    assert VGG(PLANS[plan], width=1 / 16, in_channels=1)(torch.zeros(2, 1, side, side)).shape == (2, 10)


def test_networks_that_differ_in_their_norm_start_from_the_same_weights() -> None:
    """What makes paired comparisons paired. A norm on weights trains what was drawn; weight norm, its lengths too."""
    weights = []
    for norm in NORMS:
        model = glorot_(VGG(PLANS["vgg_digits"], norm, 0.5, 1), seed=3)
        layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        weights.append([[p for name, p in m.named_parameters() if name != "bias"][-1] for m in layers])
    for others in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], others, strict=True))


def test_glorot_uniform_by_its_bound() -> None:
    """U(−b, b) with b = √(6/(fan_in + fan_out)) has standard deviation b/√3; 36,864 draws fix it to 1%."""
    conv = glorot_(nn.Conv2d(64, 64, 3), seed=0)
    bound = math.sqrt(6 / (64 * 9 + 64 * 9))
    assert conv.weight.abs().max().item() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert not conv.bias.any()


def test_seeds_decide_and_the_global_stream_does_not() -> None:
    """The program's own stream is neither read nor moved."""
    state = torch.get_rng_state()
    first, second, third = (glorot_(nn.Linear(4, 4, bias=False), seed).weight for seed in (0, 0, 1))
    torch.manual_seed(5)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert torch.equal(glorot_(nn.Linear(4, 4), 0).weight, first)
    torch.set_rng_state(state)


def test_an_unknown_norm_is_named() -> None:
    """A KeyError would not say what there is."""
    with pytest.raises(ValueError, match="no norm 'gruop'; there are none, batch"):
        VGG(PLANS["vgg11"], norm="gruop")


@pytest.mark.parametrize(("init", "variance"), [("glorot_normal", 2 / (32 + 64)), ("kaiming_normal", 2 / 32)])
def test_other_initialisations_by_their_variance(init: str, variance: float) -> None:
    """Glorot and Bengio (2010), equation 12, and He et al. (2015), equation 10, say it; 18,432 draws give it to 5%."""
    weight = initialise_(nn.Conv2d(32, 64, 3), seed=0, init=init).weight
    assert float(weight.detach().var()) == pytest.approx(variance / 9, rel=0.05)  # 3 × 3 inputs and outputs of each


def test_an_unknown_initialisation_is_refused_with_those_there_are() -> None:
    """The message names each row of `INITS`."""
    with pytest.raises(ValueError, match=", ".join(INITS)):
        initialise_(nn.Linear(2, 2), seed=0, init="zero")
