"""The bound along real steps: which norm, which threshold, and what is guaranteed below it."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from clinometer import Recorder, every, generalised_sharpness

MUON = getattr(torch.optim, "Muon", None)


class Signs(Optimizer):
    """signSGD, with decoupled decay, or by the gradient's dual norm."""

    def __init__(self, params: Any, lr: float, weight_decay: float = 0.0, dual: bool = False) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.dual = dual

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            size = sum(p.grad.abs().sum() for p in group["params"]) if self.dual else 1.0
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * size * p.grad.sign())


class Lion(Optimizer):
    """Chen et al. (2023): by the sign of an average."""

    def __init__(self, params: Any, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "betas": (0.9, 0.99)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                average = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * torch.sign(0.9 * average + 0.1 * p.grad))
                average.mul_(0.99).add_(0.01 * p.grad)


def recorded(make: Any, steps: int = 3, dtype: torch.dtype = torch.float32, **options: Any) -> tuple[Recorder, Any]:
    """Some steps on least squares, and the gradients that they used."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)).to(dtype)
    optimizer = make(model.parameters())
    x, y = torch.randn(20, 4, dtype=dtype), torch.randn(20, 2, dtype=dtype)
    loss_fn = lambda m, b: (m(b[0]) - b[1]).square().mean()  # noqa: E731
    probes = [generalised_sharpness(**options)]
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, strict=True)
    gradients = []
    for _ in range(steps):
        with recorder.step((x, y)):
            optimizer.zero_grad()
            loss_fn(model, (x, y)).backward()
            gradients.append([p.grad.clone() for p in model.parameters()])
            optimizer.step()
    return recorder, gradients


NORMS = {
    "signs": ("max", lambda p: Signs(p, lr=0.01)),
    "signs, decayed": ("max", lambda p: Signs(p, lr=0.001, weight_decay=0.1)),
    "Lion": ("max", lambda p: Lion(p, lr=0.001, weight_decay=1.0)),
    "descent": ("euclidean", lambda p: torch.optim.SGD(p, lr=0.01)),
    "descent that hardly moves": ("euclidean", lambda p: torch.optim.SGD(p, lr=1e-7)),
    "Adam, whose first step is by signs": ("euclidean", lambda p: torch.optim.Adam(p, lr=0.01)),
}


@pytest.mark.parametrize("name", NORMS)
def test_the_norm_is_read_from_the_step(name: str) -> None:
    """By what each optimizer is defined to do, in float32 with its rounding."""
    norm, make = NORMS[name]
    assert recorded(make)[0].read("generalised_sharpness")["norm"].tolist() == [norm] * 3


def test_the_threshold_of_sign_descent_is_two_over_the_rate() -> None:
    """By hand: 2/η for w − η‖g‖₁ sign(g), and 2‖g‖₁/η where the step drops ‖g‖₁."""
    for dual in (True, False):
        make = lambda p, dual=dual: Signs(p, lr=0.01, dual=dual)  # noqa: E731
        recorder, gradients = recorded(make, dtype=torch.float64)
        lengths = np.array([sum(float(g.abs().sum()) for g in each) for each in gradients])
        rows = recorder.read("generalised_sharpness")
        np.testing.assert_allclose(rows["threshold"], 200.0 if dual else 200.0 * lengths, rtol=1e-9)
        np.testing.assert_allclose(rows["ratio"], rows["value"] / rows["threshold"])
        assert (rows["lowest"] <= rows["value"]).all()


@pytest.mark.parametrize("seed", range(5))
def test_below_the_threshold_every_step_by_signs_lowers_a_quadratic(seed: int) -> None:
    """The theorem, with S by brute force over the cube: the loss falls at 0.99 of the rate 2‖g‖₁/S."""
    root = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    h = root @ root.T
    cube = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6)), dtype=torch.float64)
    highest = float(((cube @ h) * cube).sum(1).max())
    model = nn.Module()
    model.w = nn.Parameter(torch.ones(6, dtype=torch.float64))
    loss_fn = lambda m, _: m.w @ h @ m.w / 2  # noqa: E731
    rate = 0.99 * 2 * float((h @ model.w.detach()).abs().sum()) / highest
    optimizer = Signs(model.parameters(), lr=rate)
    recorder = Recorder(model, loss_fn, [generalised_sharpness()], every(1), optimizer=optimizer, strict=True)
    before = loss_fn(model, None).item()
    with recorder.step(None):
        loss_fn(model, None).backward()
        optimizer.step()
    assert loss_fn(model, None).item() < before
    rows = recorder.read("generalised_sharpness")
    assert rows["value"].item() <= highest * (1 + 1e-9)
    assert rows["ratio"].item() <= 0.99 * (1 + 1e-9)
    assert rows["threshold"].item() == pytest.approx(highest / 0.99)


def test_of_descent_it_is_the_largest_eigenvalue_over_two_over_the_rate() -> None:
    """torch's dense Hessian: the bound is below it, and near it after a few steps that start where the last ended."""
    recorder, _ = recorded(lambda p: torch.optim.SGD(p, lr=1e-6), 10, torch.float64, iterations=10)
    model = recorder.model
    torch.manual_seed(0)
    start = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)).double()
    x, y = torch.randn(20, 4, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        first, second = flat[:12].view(3, 4), flat[12:].view(2, 3)
        return (x @ first.T @ second.T - y).square().mean()

    flat = torch.cat([p.detach().flatten() for p in start.parameters()])
    largest = float(torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat)).max())
    assert len(list(model.parameters())) == 2
    rows = recorder.read("generalised_sharpness")
    assert (rows["value"] <= largest * (1 + 1e-4)).all()
    assert rows["value"][-1] == pytest.approx(largest, rel=0.01)
    np.testing.assert_allclose(rows["threshold"], 2e6, rtol=1e-4)


@pytest.mark.skipif(MUON is None, reason="torch.optim.Muon is there from torch 2.9")
def test_muon_is_bounded_in_the_spectral_norm() -> None:
    """Its steps are nearly orthogonal, so that 2⟨−g, d⟩/‖d‖² is nearly 2‖g‖_*/η, with numpy's nuclear norm."""
    make = lambda p: MUON(p, lr=0.01, momentum=0.0, nesterov=False, weight_decay=0.0)  # noqa: E731 # type: ignore[misc]
    recorder, gradients = recorded(make, dtype=torch.float64)
    rows = recorder.read("generalised_sharpness")
    assert rows["norm"].tolist() == ["spectral"] * 3
    nuclear = np.array([sum(np.linalg.norm(g.numpy(), "nuc") for g in each) for each in gradients])
    assert (rows["threshold"] / (200 * nuclear) > 0.5).all()
    assert (rows["threshold"] / (200 * nuclear) < 1.5).all(), (
        "five Newton-Schulz steps leave singular values of 0.7 to 1.2"
    )


def test_a_step_uphill_has_no_threshold_and_none_at_all_no_number() -> None:
    """NaN, and the bound itself where there is a step."""
    rows = recorded(lambda p: Signs(p, lr=-0.01))[0].read("generalised_sharpness")
    assert np.isnan(rows["threshold"]).all()
    assert (rows["value"] > 0).all()
    still = recorded(lambda p: Signs(p, lr=0.0))[0].read("generalised_sharpness")
    assert np.isnan(still["value"]).all()


def test_bad_input_is_refused() -> None:
    """Before a recorder is made."""
    with pytest.raises(ValueError, match="norm must be one of max, spectral, euclidean, or None; found 'l1'"):
        generalised_sharpness(norm="l1")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`iterations` must be at least 1; found 0"):
        generalised_sharpness(iterations=0)
