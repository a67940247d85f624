"""The null of F2: what Theorem 4.1's subtracted terms take of a random gradient, in the paper's own networks."""

import numpy as np
import pytest
import torch
from torch import nn

from clinometer.measures.batchnorm import gradient_terms
from clinometer.papers.santurkar2018.configs import CHANNELS, vgg
from clinometer.papers.santurkar2018.theorem_4_1_in_training import samples_per_unit
from clinometer.training.from_config import build_model

SIDES = {"digits": 8, "cifar10": 32}


@pytest.mark.parametrize(("data", "plan"), [("digits", "vgg_digits"), ("cifar10", "vgg16")])
def test_m_is_what_each_batchnorm_averages_over(data: str, plan: str) -> None:
    """The networks themselves say it: the values of a channel that enter each of their BatchNorm layers."""
    arm = vgg(data=data, plan=plan, width=1 / 16, batch_size=4)
    model, seen = build_model(arm), list[float]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda _m, given: seen.append(given[0].numel() / given[0].shape[1]))
    model(torch.zeros(4, CHANNELS[data], SIDES[data], SIDES[data]))
    np.testing.assert_array_equal(samples_per_unit(arm), seen)


def test_of_a_random_gradient_the_terms_take_two_of_m() -> None:
    """4,000 Gaussian gradients through inputs of any kind: the mean of share · m/2 is 1, within 4 standard errors.

    The terms are the squared length of g along two orthogonal directions of m, so the share is distributed as
    Beta(1, m/2 − 1): share · m/2 has mean 1, and a variance below 1.
    """
    m, units = 32, 4_000
    drawn = torch.Generator().manual_seed(0)
    y = torch.randn(m, units, generator=drawn).exp()  # skewed: the null asks nothing of the inputs
    terms = gradient_terms(y, torch.randn(m, units, generator=drawn), eps=0.0)
    times = ((terms.mean + terms.correlation) / terms.gradient * m / 2).numpy()
    assert times.mean() == pytest.approx(1.0, abs=4 / np.sqrt(units))
