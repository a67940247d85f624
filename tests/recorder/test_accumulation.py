"""Gradients that accumulate over several batches: one step of the optimizer is one step of the recorder."""

from collections.abc import Callable

import pytest
import torch
from loops import FORMS, Loop, Run, assert_measured, assert_same, ran
from models import batch, cross_entropy, everything
from torch import Tensor, nn

EPS = torch.finfo(torch.float32).eps
ROUNDING = 16 * EPS  # a sum of four losses, each weighted: a handful of roundings, in another order


def accumulated(weigh: Callable[[Tensor, int], Tensor], batches: int = 24, bottom: bool = True) -> Loop:
    """Four batches a step; `weigh(loss, 4)` is what the loop calls .backward() on. Last groups may be smaller."""

    def loop(run: Run) -> None:
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, cross_entropy, optimizer)
        total = torch.zeros(())
        for index in range(batches):
            with run.step(batch(index)):
                loss = weigh(cross_entropy(model, batch(index)), 4)
                loss.backward()
                total = total + loss.detach()
                last = index % 4 == 3 or index == batches - 1
                if last:
                    if not bottom:
                        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=bottom)
            if last:
                run.took(total)
                total = torch.zeros(())

    return loop


def inside_one_block(run: Run) -> None:
    """The whole group in one block, whose batch is the list of them."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def loss_fn(model: nn.Module, group: list[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([cross_entropy(model, each) for each in group]).sum() / 4

    run.attach(model, loss_fn, optimizer)
    for step in range(6):
        group = [batch(4 * step + index) for index in range(4)]
        with run.step(group):
            losses = [cross_entropy(model, each) / 4 for each in group]
            torch.autograd.backward(losses)
            optimizer.step()
            optimizer.zero_grad()
        run.took(torch.stack(losses).sum())


def with_max_norm(run: Run) -> None:
    """An embedding that holds its rows within bounds at every forward pass: its weights move without any step."""
    model = nn.Sequential(nn.Embedding(9, 4, max_norm=0.5), nn.Flatten(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    run.attach(model, loss_fn, optimizer)
    for _ in range(6):
        total = torch.zeros(())
        for index in range(3):
            x = torch.randint(9, (5, 2))
            with run.step(x):
                loss = loss_fn(model, x) / 3
                loss.backward()
                total += loss.detach()
                if index == 2:
                    optimizer.step()
                    optimizer.zero_grad()
        run.took(total)


def sparse(run: Run) -> None:
    """Sparse gradients have no norm of their own."""
    model = nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Flatten())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        return model(x).square().mean()

    run.attach(model, loss_fn, optimizer)
    for _ in range(6):
        total = torch.zeros(())
        for index in range(2):
            x = torch.randint(9, (5, 2))
            with run.step(x):
                loss = loss_fn(model, x)
                loss.backward()
                total += loss.detach()
                if index == 1:
                    optimizer.step()
                    optimizer.zero_grad()
        run.took(total)


LOOPS: dict[str, Loop] = {
    "divided": accumulated(lambda loss, n: loss / n),
    "added up": accumulated(lambda loss, _n: loss),
    "divided, the last group smaller": accumulated(lambda loss, n: loss / n, batches=18),
    "divided, the last group one batch": accumulated(lambda loss, n: loss / n, batches=17),
    "added up, the last group one batch": accumulated(lambda loss, _n: loss, batches=17),
    "clipped, and cleared to zeros": accumulated(lambda loss, n: loss / n, bottom=False),
    "inside one block": inside_one_block,
    "weights that the forward pass bounds": with_max_norm,
    "sparse": sparse,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOOPS)
def test_measured_it_is_the_same_run(name: str, form: str) -> None:
    """The truth is the loop without a recorder, and the sum of what it called .backward() on."""
    assert_measured(LOOPS[name], form, ROUNDING)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["divided", "added up", "divided, the last group smaller"])
def test_the_gradient_is_what_accumulated(name: str, form: str) -> None:
    """The truth is the first step of SGD, (before − after) / lr: what .backward() had left in .grad by then."""
    run = ran(LOOPS[name], form)
    step = run.seen[0]
    for parameter in step.before:
        moved = (step.before[parameter] - step.after[parameter]) / 0.1
        torch.testing.assert_close(step.gradient[parameter], moved, rtol=1e-4, atol=1e-5)
    assert_same(step.objective.batches, 4)
