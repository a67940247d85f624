import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from clinometer.nn.vgg import glorot_
from clinometer.papers.santurkar2018.networks.deep_linear import DeepLinear, squared_error
from clinometer.papers.santurkar2018.networks.linear_statistics import EXACT, losses, stacked, statistics

Sample = tuple[Tensor, Tensor]


def sample(seed: int, n: int = 1000, width: int = 10) -> Sample:
    """Inputs whose mean is not zero, so that it takes part, and a map."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, width, generator=generator, dtype=torch.float64) + 0.3
    return inputs, torch.randn(width, width, generator=generator, dtype=torch.float64)


def on_samples(model: nn.Module, data: Sample) -> Tensor:
    return squared_error(model(data[0]), data[0] @ data[1].T)


def point_of(*models: nn.Module) -> dict[str, Tensor]:
    parts = [dict(model.named_parameters()) for model in models]
    return {name: torch.stack([part[name].detach() for part in parts]).requires_grad_() for name in parts[0]}


def assert_agree(model: nn.Module, data: Sample, norm: str) -> None:
    """Loss and gradient by the statistics, and by autograd on the samples, within 1e-10 of the gradient's length.

    Not parameter by parameter: a hidden β has gradient 0 exactly, where backpropagation leaves 1e-14 of rounding.
    """
    point = point_of(model)
    ours, truth = losses(point, statistics(*data), norm)[0], on_samples(model, data)
    torch.testing.assert_close(ours, truth, rtol=1e-10, atol=0)
    found = torch.cat([g.flatten() for g in torch.autograd.grad(ours, list(point.values()))])
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(truth, list(model.parameters()))])
    assert (found - expected).norm() <= 1e-10 * expected.norm()


def descend(model: nn.Module, data: Sample, steps: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)  # at 1e-6 some networks without norms diverge
    for _ in range(steps):
        optimizer.zero_grad()
        on_samples(model, data).backward()
        optimizer.step()


@pytest.mark.parametrize("last_norm", [True, False])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("norm", EXACT)
def test_ten_numbers_per_unit_stand_for_a_thousand(norm: str, seed: int, last_norm: bool) -> None:
    """The plain network on all 1,000 samples is the truth, at 25 layers, at the start and after 40 steps of descent."""
    data = sample(seed)
    model = glorot_(DeepLinear(norm, last_norm=last_norm), seed)
    assert_agree(model, data, norm)
    descend(model, data, steps=40)
    assert_agree(model, data, norm)


@settings(max_examples=60)
@given(st.sampled_from(list(EXACT)), st.integers(1, 4), st.integers(1, 4), st.integers(8, 30), st.integers(0, 10**6))
def test_any_shape_and_any_affine(norm: str, depth: int, width: int, n: int, seed: int) -> None:
    """The same truth at random γ and β, where every mean takes part."""
    model = glorot_(DeepLinear(norm, depth, width), seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if ".norm." in name:
            nn.init.uniform_(parameter, 0.5, 1.5, generator=generator)
    assert_agree(model, sample(seed, n, width), norm)


@pytest.mark.parametrize("norm", EXACT)
def test_a_network_does_not_feel_the_others_in_its_stack(norm: str) -> None:
    """Bit for bit: loss and gradient of a network alone, and among others, one of which has left the floats."""
    models = [glorot_(DeepLinear(norm), seed) for seed in range(5)]
    nn.init.constant_(models[4].layers.layer2.linear.weight, torch.inf)
    data = [statistics(*sample(seed)) for seed in range(5)]

    def evaluated(chosen: list[int]) -> tuple[Tensor, list[Tensor]]:
        point = point_of(*(models[i] for i in chosen))
        found = losses(point, stacked([data[i] for i in chosen]), norm)
        return found, list(torch.autograd.grad(found.sum(), list(point.values())))

    for chosen in ([0, 1, 2, 3, 4], [3, 1], [2, 4, 0]):
        together, gradients = evaluated(chosen)
        for place, index in enumerate(chosen):
            alone, gradient = evaluated([index])
            assert torch.equal(together[place], alone[0]) or index == 4
            assert index == 4 or all(torch.equal(a[place], b[0]) for a, b in zip(gradients, gradient, strict=True))


def rotation(n: int) -> Tensor:
    """A random rotation of n samples that leaves the constant vector in place."""
    generator = torch.Generator().manual_seed(9)
    basis = torch.randn(n, n, generator=generator, dtype=torch.float64)
    basis[:, 0] = 1.0
    basis = torch.linalg.qr(basis).Q
    turned = torch.linalg.qr(torch.randn(n - 1, n - 1, generator=generator, dtype=torch.float64)).Q
    return basis @ torch.block_diag(torch.ones(1, 1).double(), turned) @ basis.T


@pytest.mark.parametrize("norm", ["none", "batch", "l2", "l1", "linf"])
def test_the_norms_that_have_statistics_are_those_that_commute_with_rotations(norm: str) -> None:
    """The hypothesis, on samples alone: the loss is the same after a rotation for three norms and not for L1, L∞."""
    inputs, matrix = sample(0, n=60)
    model = glorot_(DeepLinear(norm, depth=6), 0)
    before, after = on_samples(model, (inputs, matrix)), on_samples(model, (rotation(60) @ inputs, matrix))
    gap = abs(after.item() / before.item() - 1)
    assert gap < 1e-10 if norm in EXACT else gap > 1e-4
