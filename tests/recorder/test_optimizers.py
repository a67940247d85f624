"""Optimizers of every kind, and several of them: measured, a run ends as it would have, with rows of its own steps."""

import functools
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from loops import FORMS, STEPS, Loop, Run, assert_measured, simple
from models import batch, cross_entropy, everything
from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer.nn.noise_convolution import Noise, NoiseConvolution
from clinometer.nn.workers import split

OPTIMIZERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "SGD with momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01),
    "SGD, nesterov": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "SGD, fused": lambda m: torch.optim.SGD(floats(m), lr=0.1, momentum=0.9, fused=True),
    "Adam": lambda m: torch.optim.Adam(m.parameters(), lr=0.01),
    "Adam, one tensor at a time": lambda m: torch.optim.Adam(m.parameters(), lr=0.01, foreach=False),
    "AdamW, foreach": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, foreach=True),
    "AdamW, fused": lambda m: torch.optim.AdamW(floats(m), lr=0.01, fused=True),
    "RMSprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01),
}


def floats(model: nn.Module) -> list[Tensor]:
    """Fused optimizers refuse integer parameters, trainable or not."""
    return [p for p in model.parameters() if p.is_floating_point()]


def muon_and_adamw(run: Run) -> None:
    """Muon takes matrices alone, so that there are always two optimizers."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no torch.optim.Muon, which came with 2.9")
    model = everything()
    matrices = [p for p in floats(model) if p.ndim == 2]
    others = [p for p in floats(model) if p.ndim != 2]
    both = [torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=0.01)]
    run.attach(model, cross_entropy, both)
    for index in range(STEPS):
        with run.step(batch(index)):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            for optimizer in both:
                optimizer.step()
            run.took(loss)
            model.zero_grad()


def closure(line_search: str | None) -> Loop:
    def loop(run: Run) -> None:
        """LBFGS looks at the loss at several places before it has made its step; the first is where the step starts."""
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        optimizer = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=4, line_search_fn=line_search)
        run.attach(model, cross_entropy, optimizer)
        for index in range(STEPS):

            def evaluate(data: tuple[Tensor, Tensor] = batch(index)) -> Tensor:
                optimizer.zero_grad()
                loss = cross_entropy(model, data)
                loss.backward()
                return loss

            with run.step(batch(index)):
                loss = optimizer.step(evaluate)
            run.took(loss)

    return loop


class SAM(Optimizer):
    """Foret et al. (2021), as its best known implementation is written: the step is that of an optimizer inside."""

    def __init__(self, model: nn.Module, rho: float, data: bool) -> None:
        super().__init__(model.parameters(), {"rho": rho})
        self.base_optimizer = torch.optim.SGD(self.param_groups, lr=0.1, momentum=0.9)
        self.param_groups = self.base_optimizer.param_groups
        self.data = data

    @torch.no_grad()
    def first_step(self) -> None:
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        length = torch.stack([p.grad.norm() for p in moved]).norm()
        for p in moved:
            self.state[p]["old"] = p.data.clone()
            (p.data if self.data else p).add_(p.grad, alpha=float(0.05 / length))
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if "old" in self.state[p]:
                    p.data = self.state[p].pop("old")
        self.base_optimizer.step()
        self.zero_grad()

    def step(self, closure: Callable[[], Tensor]) -> None:
        self.first_step()
        with torch.enable_grad():
            closure()
        self.second_step()


def again(model: nn.Module, data: tuple[Tensor, Tensor]) -> None:
    cross_entropy(model, data).backward()


def sam(data: bool, closure: bool = False) -> Loop:
    def loop(run: Run) -> None:
        model = everything()
        optimizer = SAM(model, 0.05, data)
        run.attach(model, cross_entropy, optimizer)
        for index in range(STEPS):
            with run.step(batch(index)):
                loss = cross_entropy(model, batch(index))
                loss.backward()
                if closure:
                    optimizer.step(functools.partial(again, model, batch(index)))
                else:
                    optimizer.first_step()
                    again(model, batch(index))
                    optimizer.second_step()
            run.took(loss)

    return loop


def sparse(run: Run) -> None:
    """An embedding whose gradient is sparse, with the optimizer that takes no other."""
    model = nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Flatten())
    optimizer = torch.optim.SparseAdam(model.parameters(), lr=0.1)

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        return model(x).square().mean()

    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        x = torch.randint(9, (5, 2))
        with run.step(x):
            loss = loss_fn(model, x)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        run.took(loss)


def of_parts(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    """The mean loss of two workers, each with BatchNorm statistics of its own."""
    return torch.stack([cross_entropy(model, part) for part in split(data, 2)]).mean()


def noise_convolution(noise: Noise, lag: Literal[0, 1]) -> Loop:
    def loop(run: Run) -> None:
        """Gradients are taken at moved points; the step starts and ends at the weights, and its loss is that there."""
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))
        inner = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        optimizer = NoiseConvolution(inner, workers=2, noise=noise, lag=lag)
        run.attach(model, of_parts, optimizer)
        for index in range(STEPS):
            data = batch(index)

            def again(part: tuple[Tensor, Tensor]) -> Tensor:
                loss = cross_entropy(model, part)
                loss.backward()
                return loss

            loss = of_parts(model, data)
            with run.step(data):
                optimizer.step(again, data)
            run.took(loss)

    return loop


LOOPS: dict[str, Loop] = {
    **{name: lambda run, make=make: simple(run, make) for name, make in OPTIMIZERS.items()},
    "Muon and AdamW": muon_and_adamw,
    "LBFGS": closure(None),
    "LBFGS with line search": closure("strong_wolfe"),
    "SAM": sam(data=False),
    "SAM behind autograd's back": sam(data=True),
    "SAM, by a closure": sam(data=False, closure=True),
    "sparse": sparse,
    **{
        f"{noise} noise of lag {lag}": noise_convolution(noise, lag)
        for noise, lag in (("own", 1), ("own", 0), ("isotropic", 1))
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOOPS)
def test_measured_it_is_the_same_run(name: str, form: str) -> None:
    """The truth is the loop without a recorder: its last bit, its own losses, and where its optimizer went."""
    assert_measured(LOOPS[name], form)
