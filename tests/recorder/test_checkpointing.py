"""Activations that are thrown away and computed again, inside loops."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from loops import FORMS, STEPS, Run, assert_measured, assert_same, ran
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clinometer import Objective


class Checkpointed(nn.Module):
    """BatchNorm and dropout among what is computed again."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.rest = nn.Sequential(nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 4))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.rest, self.first(x), use_reentrant=self.reentrant)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_measured_it_is_the_same_run(accumulate: int, form: str) -> None:
    """The truth is the loop without a recorder, and its own losses; sums of two differ by a rounding."""

    def loop(run: Run) -> None:
        model = Checkpointed(reentrant=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, cross_entropy, optimizer)
        for step in range(STEPS):
            total = torch.zeros(())
            for index in range(accumulate):
                data = batch(accumulate * step + index)
                with run.step(data):
                    loss = cross_entropy(model, data) / accumulate
                    loss.backward()
                    total = total + loss.detach()
                    if index == accumulate - 1:
                        optimizer.step()
                        optimizer.zero_grad()
            run.took(total)

    assert_measured(loop, form, tolerance=0.0 if accumulate == 1 else 1e-6)


class Reversible(torch.autograd.Function):
    """Computes the gradients by a backward pass of its own, as reversible networks and other libraries' checkpoints do.

    It is told of no parameter, so torch sees none in its graph.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, run: nn.Module) -> Tensor:
        ctx.x, ctx.run = x.detach(), run
        with torch.no_grad():
            return run(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None]:
        with torch.enable_grad():
            x = ctx.x.requires_grad_()
            ctx.run(x).backward(grads[0])
        return x.grad, None


class ByHand(nn.Module):
    """A segment at the very start, whose input was made to require gradients by hand, as for LoRA."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 4)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_() if self.kind != "given" else x
        if self.kind == "function":
            return self.head(Reversible.apply(x, self.body))
        return self.head(checkpoint(self.body, x, use_reentrant=True))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "inside": lambda: Checkpointed(reentrant=True),
    "at the start": lambda: ByHand("checkpoint"),
    "a function of the user's own": lambda: ByHand("function"),
    "of an input that requires gradients": lambda: ByHand("given"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MODELS)
def test_what_only_a_backward_pass_differentiates_is_measured_by_one(name: str, form: str) -> None:
    """The truth is `.grad` as the loop's own `.backward()` left it: by `autograd.grad` parts of it would be zero."""
    norms: dict[str, list[float]] = {"plain": [], form: []}
    grads: dict[str, list[Any]] = {"plain": [], form: []}

    def loop(run: Run) -> None:
        model = MODELS[name]()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, cross_entropy, optimizer)
        for index in range(STEPS):
            x, y = batch(index)
            x.requires_grad_(name == "of an input that requires gradients")
            with run.step((x, y)):
                optimizer.zero_grad()
                loss = cross_entropy(model, (x, y))
                loss.backward()
                norms[run.form].append(float(nn.utils.get_total_norm(p.grad for p in model.parameters())))
                optimizer.step()
            grads[run.form].append(x.grad)
            run.took(loss)

    run = assert_measured(loop, form)
    assert_same(grads[form], grads["plain"])  # of the batch itself
    assert run.recorder
    measured = run.recorder.read("landscape")
    np.testing.assert_allclose(measured["grad_norm"], norms["plain"][::2], rtol=1e-6)
    assert (measured["beta"] > 0).all()


@pytest.mark.parametrize("name", ["inside", "at the start"])
def test_second_derivatives_through_it_are_refused_in_words_that_help(name: str) -> None:
    """Torch finds no graph inside, and would leave out the segment's share of the product without a word."""
    objective = Objective(MODELS[name](), cross_entropy, batch())
    here = objective.here()
    with pytest.raises(ValueError, match=r"hvp cannot be computed.*use_reentrant=True.*Pass use_reentrant=False"):
        objective.hvp(here, here)


def test_second_derivatives_through_a_backward_pass_of_ones_own_are_refused() -> None:
    """Torch would not run it, and leave out the share of all parameters in it without a word."""
    objective = Objective(MODELS["a function of the user's own"](), cross_entropy, batch())
    with pytest.raises(ValueError, match=r"no second derivative.*'Reversible'"):
        objective.hvp(objective.here(), objective.here())


def test_both_kinds_train_alike() -> None:
    """What the error advises changes nothing: by torch's own account, and compared here bit for bit."""

    def loop(run: Run, reentrant: bool) -> None:
        model = Checkpointed(reentrant)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for index in range(STEPS):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            run.losses.append(loss.detach())

    losses = [ran(lambda run, kind=kind: loop(run, kind), "plain").losses for kind in (True, False)]
    assert_same(losses[0], losses[1])
