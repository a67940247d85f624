"""Copies of optimizers step as the originals would, and leave those alone."""

from typing import Any

import pytest
import torch
from properties import assert_same
from torch import Tensor, nn

from clinometer.learning_rate.trial_optimizer import TrialOptimizer


class Averaging(torch.optim.SGD):
    """Keeps its own state in attributes, by parameter, as many optimizers of papers do."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, lr=lr)
        self.held = {p: torch.zeros_like(p) for group in self.param_groups for p in group["params"]}
        self.taken = 0

    @torch.no_grad()
    def step(self, _closure: Any = None) -> None:
        self.taken += 1
        for group in self.param_groups:
            for p in group["params"]:
                self.held[p].mul_(0.9).add_(p.grad)
                p.sub_(self.held[p], alpha=group["lr"] / self.taken)


class Wrapping(torch.optim.SGD):
    """Steps by an optimizer inside, as SAM does."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, lr=lr)
        self.inner = torch.optim.AdamW(self.param_groups, lr=lr)
        self.param_groups = self.inner.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.inner.step(closure)


KINDS = [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    lambda p: torch.optim.AdamW(p, lr=0.1, amsgrad=True),
    lambda p: torch.optim.Adam(p, lr=torch.tensor(0.1), capturable=False, foreach=False),
    lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    lambda p: Averaging(p, 0.1),
    lambda p: Wrapping(p, 0.1),
]


def steps(optimizer: Any, parameters: list[Tensor], number: int) -> None:
    for index in range(number):
        for p in parameters:
            p.grad = (p.detach() * 0.3 + index).clone()
        optimizer.step()


@pytest.mark.parametrize("make", KINDS)
def test_a_copy_steps_as_the_original_would(make: Any) -> None:
    """The truth is the original's own next steps, taken after the copy's, from the same place: the same bits."""
    torch.manual_seed(0)
    live = {"a": nn.Parameter(torch.randn(3, 2)), "b": nn.Parameter(torch.randn(2))}
    optimizer = make(list(live.values()))
    steps(optimizer, list(live.values()), 3)
    trial = TrialOptimizer(optimizer, [])
    leaves = {name: p.detach().clone().requires_grad_() for name, p in live.items()}
    before = {name: p.detach().clone() for name, p in live.items()}
    made = trial.make(live, leaves)
    trial.set_rate(made, 0.1)
    steps(made, list(leaves.values()), 2)
    assert_same(before, {name: p.detach().clone() for name, p in live.items()})
    steps(optimizer, list(live.values()), 2)
    assert_same({n: p.detach() for n, p in live.items()}, {n: p.detach() for n, p in leaves.items()})


def test_what_others_have_attached_does_not_run() -> None:
    """Hooks and a scheduler's patch of `step` act on the program: counted, none of them runs for a copy's step."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    leaf = weight.detach().clone().requires_grad_()
    made = TrialOptimizer(optimizer, []).make({"w": weight}, {"w": leaf})
    steps(made, [leaf], 1)
    assert not calls
    assert weight.item() == 1
    assert leaf.item() != 1


def test_the_state_is_that_of_when_it_was_given() -> None:
    """A script trains on while its batches are collected: trials begin where the optimizer was."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    steps(optimizer, [weight], 1)
    trial, held = TrialOptimizer(optimizer, []), optimizer.state[weight]["momentum_buffer"].clone()
    steps(optimizer, [weight], 3)
    leaf = weight.detach().clone().requires_grad_()
    made = trial.make({"w": weight}, {"w": leaf})
    assert torch.equal(made.state[leaf]["momentum_buffer"], held)
