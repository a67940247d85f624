"""Which batches a step was made of, and with which weights: skipped, weighted, added up, attacked, per task.

As in test_the_step_taken.py, a spy on the optimizer of the same loop, unmeasured, says what is right.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spied import FORMS, STEPS, Batch, Loop, Spied, assert_the_step_taken, batch, loss_fn, net, sgd
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

Make = Callable[[nn.Module], Optimizer]
OPTIMIZERS: dict[str, Make] = {"SGD": sgd, "Adam": lambda m: Adam(m.parameters(), lr=0.01)}


def skipping(how: str, bad: tuple[int, ...], top: bool) -> Loop:
    """One batch a step, where the loop skips some: `top` clears gradients before .backward(), else after the step."""

    def loop(run: Spied) -> None:
        model = net()
        optimizer = sgd(model)
        run.attach(model, loss_fn, optimizer)
        for index in range(STEPS + len(bad)):
            x, y = batch()
            skipped = index in bad
            data = (x * math.nan, y) if skipped and how == "not finite" else (x, y)
            try:
                with run.step(data):
                    if skipped and how == "before the forward pass":
                        continue
                    loss = loss_fn(model, data)
                    if skipped and how == "out of memory":
                        raise torch.OutOfMemoryError("as if")
                    if skipped and how == "said":
                        run.skip()
                    if skipped and how == "after .backward()":
                        loss.backward()
                        optimizer.zero_grad()
                    if skipped:
                        continue
                    if top:
                        optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    if not top:
                        optimizer.zero_grad()
            except torch.OutOfMemoryError:
                continue
            run.took(loss)

    return loop


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("top", [True, False], ids=["cleared at the top", "cleared at the bottom"])
@pytest.mark.parametrize("bad", [(2,), (0,), (1, 2), (STEPS,)], ids=["one", "the first", "several", "the last"])
@pytest.mark.parametrize("how", ["not finite", "before the forward pass", "out of memory", "said", "after .backward()"])
def test_a_batch_that_the_loop_skips_joins_no_step(how: str, bad: tuple[int, ...], top: bool, form: str) -> None:
    """The truth is the loop, which took the steps that it took, each on the one batch that it went on with."""
    assert_the_step_taken(skipping(how, bad, top), form)


Group = Callable[[Spied, nn.Module, Optimizer, list[Batch]], Any]


def groups(take: Group, make: Make = sgd, sizes: tuple[int, ...] = (3,) * STEPS) -> Loop:
    """Several batches a step; `take` goes through them, and returns the loss that they made."""

    def loop(run: Spied) -> None:
        model = net()
        optimizer = make(model)
        run.attach(model, loss_fn, optimizer)
        for size in sizes:
            run.took(take(run, model, optimizer, [batch() for _ in range(size)]))

    return loop


def divided_by_hand(run: Spied, model: nn.Module, optimizer: Optimizer, batches: list[Batch]) -> float:
    optimizer.zero_grad()
    total = 0.0
    for index, data in enumerate(batches):
        with run.step(data):
            loss = loss_fn(model, data)
            loss.backward()
            total += loss.item() / len(batches)
            if index == len(batches) - 1:
                for p in model.parameters():
                    p.grad /= len(batches)
                optimizer.step()
    return total


def weighted(given: bool, clip: bool = False, skip: bool = False, penalty: float = 0.0) -> Group:
    def take(run: Spied, model: nn.Module, optimizer: Optimizer, batches: list[Batch]) -> float:
        optimizer.zero_grad()
        total = 0.0
        for index, (data, weight) in enumerate(zip(batches, (0.5, 0.2, 0.3), strict=True)):
            with run.step(data, weight=weight) if given else run.step(data):
                loss = loss_fn(model, data) * weight
                if not (skip and index == 1):
                    loss.backward()
                    total += loss.item()
                if index == 2:
                    if clip:
                        nn.utils.clip_grad_norm_(model.parameters(), 0.02)
                    optimizer.step()
        return total

    return take


def one_backward(divisor: float, top: bool) -> Group:
    def take(run: Spied, model: nn.Module, optimizer: Optimizer, batches: list[Batch]) -> Tensor:
        total = torch.zeros(())
        for index, data in enumerate(batches):
            with run.step(data):
                total = total + loss_fn(model, data) / divisor
                if index == len(batches) - 1:
                    if top:
                        optimizer.zero_grad()
                    total.backward()
                    optimizer.step()
                    if not top:
                        optimizer.zero_grad()
        return total

    return take


def per_task(divisor: float) -> Group:
    """The gradients of torch.autograd.grad, added into .grad: .backward() is never called."""

    def take(run: Spied, model: nn.Module, optimizer: Optimizer, batches: list[Batch]) -> float:
        optimizer.zero_grad()
        total = 0.0
        for index, data in enumerate(batches):
            with run.step(data):
                loss = loss_fn(model, data) / divisor
                for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
                    p.grad = g if p.grad is None else p.grad + g
                total += loss.item()
                if index == len(batches) - 1:
                    optimizer.step()
        return total

    return take


GROUPS: dict[str, Group] = {
    "divided by hand": divided_by_hand,
    "weights given": weighted(given=True),
    "weights given, one skipped": weighted(given=True, skip=True),
    "weights found": weighted(given=False),
    "weights found, clipped": weighted(given=False, clip=True),
    "weights found, one skipped": weighted(given=False, skip=True),
    "one .backward() for the mean": one_backward(3.0, top=True),
    "one .backward() for the sum": one_backward(1.0, top=True),
    "one .backward() for the mean, cleared after": one_backward(3.0, top=False),
    "torch.autograd.grad, mean": per_task(3.0),
    "torch.autograd.grad, sum": per_task(1.0),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", GROUPS)
def test_a_step_of_three_batches(name: str, optimizer: str, form: str) -> None:
    """The truth is the loss that the loop added up, and the gradient that the spy saw, from the first step on."""
    assert_the_step_taken(groups(GROUPS[name], OPTIMIZERS[optimizer]), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("none", [True, False], ids=["gradients to None", "gradients to zero"])
def test_batches_without_loss_and_gradient_count(none: bool, form: str) -> None:
    """By hand: beyond the margin of a hinge there is neither loss nor gradient. The loop divides by all batches."""

    def hinge(model: nn.Module, data: Any) -> Tensor:
        x, y, margin = data
        return F.relu(loss_fn(model, (x, y)) - margin)

    def loop(run: Spied) -> None:
        model = nn.Linear(6, 3)
        optimizer = sgd(model)
        run.attach(model, hinge, optimizer)
        for beyond in ((0,), (1,), (0, 2), (0, 1, 2), ()):
            optimizer.zero_grad(set_to_none=none)
            total = 0.0
            for index in range(3):
                data = (*batch(), 9.0 if index in beyond else 0.1)
                with run.step(data):
                    loss = hinge(model, data) / 3
                    assert (loss == 0) == (index in beyond)
                    loss.backward()
                    total += loss.item()
                    if index == 2:
                        optimizer.step()
            run.took(total)

    run = assert_the_step_taken(loop, form)
    assert [step.objective.batches for step in run.seen.values()] == [3] * 5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("finite", [True, False])
def test_a_skipped_batch_where_backward_is_never_called(finite: bool, form: str) -> None:
    """The truth is the gradient that the spy saw: that of the last batch alone. No backward pass can tell."""

    def loop(run: Spied) -> None:
        model = net()
        optimizer = sgd(model)
        run.attach(model, loss_fn, optimizer)
        for index in range(STEPS + 1):
            x, y = batch()
            data = (x if finite else x * math.nan, y) if index == 2 else (x, y)
            with run.step(data):
                loss = loss_fn(model, data)
                if index == 2:
                    continue
                gradients = torch.autograd.grad(loss, list(model.parameters()))
                for p, g in zip(model.parameters(), gradients, strict=True):
                    p.grad = g
                optimizer.step()
            run.took(loss)

    assert_the_step_taken(loop, form)


Step = Callable[[Spied, Any, Optimizer, Batch], Any]


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def steps(take: Step, loss_fn: Any = loss_fn) -> Loop:
    """One batch a step, with what the loop does to it between clearing gradients and the optimizer's step."""

    def loop(run: Spied) -> None:
        model = mlp()
        optimizer = sgd(model)
        run.attach(model, loss_fn, optimizer)
        for _ in range(STEPS):
            data = batch()
            with run.step(data):
                optimizer.zero_grad()
                loss = take(run, model, optimizer, data)
                optimizer.step()
            run.took(loss)

    return loop


def attacked(model: nn.Module, data: Batch) -> Tensor:
    x = data[0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss_fn(model, (x, data[1])), x)
    return loss_fn(model, (data[0] + 0.1 * slope.sign(), data[1]))


def attack(clear: str) -> Step:
    def take(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
        x = data[0].clone().requires_grad_()
        loss_fn(model, (x, data[1])).backward()
        if clear == "to zero":
            optimizer.zero_grad(set_to_none=False)
        elif clear == "to None":
            model.zero_grad()
        loss = loss_fn(model, (data[0] + 0.1 * x.grad.sign(), data[1]))
        loss.backward()
        return loss

    return take


def attack_by_grad(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
    loss = attacked(model, data)
    loss.backward()
    return loss


def weight_of_backward(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
    loss = loss_fn(model, data)
    loss.backward(torch.tensor(0.3))
    return 0.3 * loss


def twice(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
    loss = loss_fn(model, data)
    loss.backward(retain_graph=True)
    loss.backward()
    return 2 * loss


def size(model: nn.Module) -> Tensor:
    return 0.1 * torch.stack([p.square().sum() for p in model.parameters()]).sum()


def with_size(model: nn.Module, data: Batch) -> Tensor:
    return loss_fn(model, data) + size(model)


def two_losses(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
    loss, penalty = loss_fn(model, data), size(model)
    loss.backward()
    penalty.backward()
    return loss + penalty


def loss_scaling(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
    loss = loss_fn(model, data)
    (1024 * loss).backward()
    for p in model.parameters():
        p.grad /= 1024
    return loss


def two_tasks(project: bool) -> Step:
    """PCGrad: the gradient of each task, less what works against the other's."""

    def take(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
        losses = loss_fn(model, data), size(model)
        first, second = (torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses)
        for p, g, h in zip(model.parameters(), first, second, strict=True):
            p.grad = g + h - (0.9 * (g * h).sum() / h.square().sum() * h if project else 0)
        return losses[0] + losses[1]

    return take


def penalty_in_gradients(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
    loss = loss_fn(model, data)
    loss.backward()
    for p in model.parameters():
        p.grad += 0.2 * p.detach()
    return loss


# The loop, what the one warning says, and whether the spy's gradient is that of the loss.
ONE_BATCH: dict[str, tuple[Loop, str | None]] = {
    "attack, cleared to zero": (steps(attack("to zero"), attacked), None),
    "attack, cleared to None": (steps(attack("to None"), attacked), None),
    "attack by torch.autograd.grad": (steps(attack_by_grad, attacked), None),
    "a weight of the backward pass": (steps(weight_of_backward), None),
    "two passes on one loss": (steps(twice), None),
    "two losses": (steps(two_losses, with_size), None),
    "a loss scaled by hand": (steps(loss_scaling), None),
    "tasks, added": (steps(two_tasks(project=False), with_size), None),
    "tasks, projected": (steps(two_tasks(project=True), with_size), "called .backward() on no loss"),
    "a penalty put into the gradients": (steps(penalty_in_gradients), "The losses agree"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ONE_BATCH)
def test_a_step_of_one_batch(name: str, form: str) -> None:
    """The truth is the spy: where its gradient is that of the loss nothing is said, elsewhere one warning says why."""
    loop, says = ONE_BATCH[name]
    assert_the_step_taken(loop, form, says, gradient=says is None)


@pytest.mark.parametrize("form", FORMS)
def test_another_loss_that_is_twice_as_much_is_still_told(form: str) -> None:
    """By hand: half the loss is a power of two as well, but its gradient is half as much, so nothing was unscaled."""

    def half(run: Spied, model: nn.Module, optimizer: Optimizer, data: Batch) -> Tensor:
        loss = loss_fn(model, data)
        (loss / 2).backward()
        return loss

    assert_the_step_taken(steps(half), form, "2 times as much")
