"""The corpus's optimizers against torch's own, and what Muon's step is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from clinometer import Recorder
from clinometer.nn.newton_schulz import orthogonalised
from clinometer.papers.instability.networks.cnn import cnn
from clinometer.papers.instability.networks.mlp import mlp
from clinometer.papers.instability.optimizers import Muon, adamw, muon, sgd

ROWS = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(16) % 10


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1_000), st.floats(1e-6, 1e6))
def test_the_orthogonal_step_keeps_directions_and_evens_out_their_sizes(
    rows: int, columns: int, seed: int, size: float
) -> None:
    """NumPy's SVD is the truth: U and V stay, and singular values come between 0.5 and 1.5, as Jordan states.

    That holds from a thousandth of the matrix's norm upwards, whatever the scale of all.
    """
    drawn = np.random.default_rng(seed).standard_normal((rows, columns))
    u, _, vt = np.linalg.svd(drawn, full_matrices=False)
    values = np.geomspace(1, 1e-2, len(vt))
    matrix = torch.from_numpy(size * (u * values) @ vt)
    inside = u.T @ orthogonalised(matrix).numpy() @ vt.T
    assert ((np.diag(inside) > 0.5) & (np.diag(inside) < 1.5)).all()
    np.testing.assert_allclose(inside - np.diag(np.diag(inside)), 0, atol=1e-9)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (8, 24)])
def test_muon_is_torchs(shape: tuple[int, int]) -> None:
    """torch's own Muon is the truth. It iterates in bfloat16, of 8 bits: singular values differ by a few percent."""
    generator = torch.Generator().manual_seed(1)
    start, gradients = torch.randn(shape, generator=generator), torch.randn((4, *shape), generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    settings: dict[str, Any] = {"lr": 0.1, "momentum": 0.95, "weight_decay": 0.1}
    muon_class: Any = getattr(torch.optim, "Muon")  # noqa: B009 (absent before 2.9)
    both = Muon([{"params": [ours]}], **settings), muon_class([theirs], **settings)
    for gradient in gradients:
        for p, optimizer in zip((ours, theirs), both, strict=True):
            p.grad = gradient.clone()
            optimizer.step()
    moved, expected = ours.detach() - start, theirs.detach() - start
    assert float((moved - expected).norm()) < 0.05 * float(expected.norm())


def test_what_muon_does_not_make_orthogonal_is_stepped_as_torchs_adamw() -> None:
    """torch's AdamW is the truth, for the first and last weight and for all biases, at their own rate."""
    first, second = (_trained(factory) for factory in (lambda p: muon(p, 0.02, weight_decay=0.1), _only_adam))
    assert first.keys() == second.keys()
    for name in first:
        same = torch.allclose(first[name], second[name], rtol=1e-4, atol=1e-6)
        assert same == (name not in ("layer2.linear.weight", "layer3.linear.weight")), name


def _only_adam(parameters: Any) -> torch.optim.Optimizer:
    return adamw(parameters, 0.002, weight_decay=0.1)


def _trained(factory: Callable[[Any], torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Weights after one step: from the second on, the gradients of the two would differ."""
    torch.manual_seed(0)
    model = mlp()
    optimizer = factory(model.parameters())
    loss_fn(model, (ROWS, CLASSES)).backward()
    optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize("steps", [3])
def test_adamw_in_muon_stays_torchs_over_several_steps(steps: int) -> None:
    """torch's AdamW is the truth for the same gradients, with its corrections of both averages."""
    ours, theirs = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    both = muon([ours], 0.1, weight_decay=0.1), adamw([theirs], 0.01, weight_decay=0.1)
    for step in range(steps):
        for p, optimizer in zip((ours, theirs), both, strict=True):
            p.grad = torch.linspace(-1, 2, 5) * (step + 1)
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_kernels_are_made_orthogonal_as_matrices() -> None:
    """NumPy's SVD is the truth: with a row per output channel, a kernel's first step has even singular values."""
    torch.manual_seed(0)
    model = cnn()
    kernel = model.get_parameter("layer3.conv.weight")  # (16, 8, 3, 3)
    before = kernel.detach().clone()
    optimizer = muon(model.parameters(), lr=0.1)
    loss_fn(model, (ROWS, CLASSES)).backward()
    optimizer.step()
    values = np.linalg.svd((kernel.detach() - before).flatten(1).numpy(), compute_uv=False) / 0.1
    assert values.max() < 1.5
    assert np.median(values) > 0.5


def test_the_recorder_reads_the_rates_that_each_parameter_had() -> None:
    """The settings themselves are the truth: Muon's rate for hidden weights, a tenth of it for the others."""
    seen: list[dict[str, float]] = []

    def rates(step: Any) -> dict[str, Any]:
        seen.append(dict(step.rates))
        return {"n": torch.tensor(len(step.rates))}

    torch.manual_seed(0)
    model = mlp()
    optimizer = muon(model.parameters(), lr=0.02)
    recorder = Recorder(model, loss_fn, {"rates": rates}, optimizer=optimizer, strict=True)
    with recorder.step((ROWS, CLASSES)):
        loss_fn(model, (ROWS, CLASSES)).backward()
        optimizer.step()
        optimizer.zero_grad()
    recorder.state_dict()  # measures the last step
    hidden = {"layer2.linear.weight", "layer3.linear.weight"}
    assert seen == [{name: 0.02 if name in hidden else 0.1 * 0.02 for name, _ in model.named_parameters()}]


def test_the_others_are_torchs_with_the_settings_named() -> None:
    """torch's own classes: the settings are found in their groups."""
    p = [nn.Parameter(torch.ones(2))]
    assert sgd(p, 0.1, 0.9, 1e-4).param_groups[0].items() >= {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}.items()
    group = adamw(p, 0.1, beta2=0.5, eps=1e-3).param_groups[0]
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.5), 1e-3, 0.01)
