"""What a user passes: refused in words where it cannot be used, answered "cannot tell" where there is no answer."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import cross_entropy
from torch import Tensor, nn

from clinometer import Batches, suggest_lr


def learnable(seed: int) -> tuple[Tensor, Tensor]:
    """A batch whose classes a linear layer can tell apart."""
    inputs = torch.randn(32, 6, generator=torch.Generator().manual_seed(seed))
    return inputs, inputs[:, :4].argmax(1)


BATCHES = [learnable(seed) for seed in range(25)]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))


def sgd(parameters: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def assert_cannot_tell(found: Any, why: str) -> None:
    assert why in found.reason, found.reason
    for name in ("largest", "low", "high", "suggested", "warm_up"):
        assert math.isnan(getattr(found, name)), name
    assert why in str(found)


def test_it_costs_a_hundred_passes_at_most() -> None:
    """Counted by the loss function itself: every call of it is at most one forward-backward pass."""
    calls = 0

    def counting(model: nn.Module, each: tuple[Tensor, Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        return cross_entropy(model, each)

    found = suggest_lr(model(), counting, BATCHES, sgd)
    assert calls <= 100
    assert 20 < found.passes <= 100


def test_two_searches_say_the_same() -> None:
    """Nothing that it draws is left to chance: the same model and batches have one answer."""
    first, second = (suggest_lr(model(), cross_entropy, BATCHES, torch.optim.AdamW) for _ in range(2))
    assert first == second


def test_an_answer_is_whole() -> None:
    """A number without its interval, or an interval that leaves it out, would be a plausible wrong number."""
    found = suggest_lr(model(), cross_entropy, BATCHES, sgd)
    assert not found.reason
    assert 0 < found.suggested <= found.largest
    assert found.low <= found.largest <= found.high
    assert all(0 < factor < 1 / 3 for factor in found.multipliers.values())
    assert {"curvature", "smoothness", "critical_step", "range_test"} == set(found.predictors)
    assert "largest stable rate" in str(found)


def test_rates_are_those_of_the_first_group() -> None:
    """Two groups, one with half the rate: in units of the first, as if the second's gradient were halved."""
    net = model()
    parameters = list(net.parameters())
    groups = [{"params": parameters[:2], "lr": 0.1}, {"params": parameters[2:], "lr": 0.05}]
    found = suggest_lr(net, cross_entropy, BATCHES, torch.optim.SGD(groups, lr=0.1))
    doubled = [{**group, "lr": 2 * float(group["lr"])} for group in groups]
    again = suggest_lr(net, cross_entropy, BATCHES, torch.optim.SGD(doubled, lr=0.1))
    assert found.largest == again.largest


def test_a_scheduler_that_has_begun_is_set_aside() -> None:
    """A warm-up from 0 has set the rate to 0; what it was made with, `initial_lr`, tells the groups' ratio."""
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 10)
    assert optimizer.param_groups[0]["lr"] == 0
    assert suggest_lr(net, cross_entropy, BATCHES, optimizer).largest > 0
    assert optimizer.param_groups[0]["lr"] == 0


def unable(model: nn.Module, _: Any) -> Tensor:
    raise ZeroDivisionError("no loss")


def constant(_model: nn.Module, _batch: Any) -> Tensor:
    return torch.tensor(1.0)


def three(_parameters: list[Tensor]) -> int:
    return 3


class Rateless(torch.optim.SGD):
    """As those that choose their own step length."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=0.1)
        self.param_groups[0]["d"] = 1e-6


@pytest.mark.parametrize(
    ("loss_fn", "optimizer", "why"),
    [
        (lambda m, b: cross_entropy(m, b) * math.inf, sgd, "the loss at the start is inf"),
        (lambda m, b: (cross_entropy(m, b) - cross_entropy(m, b).detach()).sqrt(), sgd, "gradient at the start"),
        (lambda m, b: cross_entropy(m, b) * 0, sgd, "cannot take a step"),
        (cross_entropy, torch.optim.LBFGS, "closure"),
        (cross_entropy, Rateless, "no learning rate to choose"),
        (cross_entropy, lambda p: torch.optim.SGD(p, lr=0.0), "is 0: nothing would move"),
        (cross_entropy, lambda p: torch.optim.SGD(p, lr=0.1, maximize=True), "maximizes"),
    ],
)
def test_it_says_why_it_cannot_tell(loss_fn: Callable[..., Tensor], optimizer: Any, why: str) -> None:
    """Each is a training that has no largest stable rate, or none that trial steps could find."""
    assert_cannot_tell(suggest_lr(model(), loss_fn, BATCHES, optimizer), why)


def test_it_says_how_many_batches_are_missing() -> None:
    """Before any pass is spent."""
    found = suggest_lr(model(), cross_entropy, BATCHES[:7], sgd)
    assert_cannot_tell(found, "7 batches are too few; at least 20")
    assert found.passes == 0


def test_noise_that_hides_the_fall_is_told() -> None:
    """A loss whose batches differ by more than training gains in 20 steps: whether a trial fell is chance."""
    generator = torch.Generator().manual_seed(0)

    def noisy(model: nn.Module, each: tuple[Tensor, Tensor]) -> Tensor:
        return cross_entropy(model, each) * torch.rand((), generator=generator).mul(4).exp()

    assert_cannot_tell(suggest_lr(model(), noisy, BATCHES, sgd), "differs from batch to batch")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((model(), unable, BATCHES, sgd), ZeroDivisionError, "no loss"),
        ((model(), lambda m, b: m(b[0]), BATCHES, sgd), ValueError, "scalar"),
        ((model(), constant, BATCHES, sgd), ValueError, "no graph"),
        ((model().requires_grad_(False), cross_entropy, BATCHES, sgd), ValueError, "no trainable parameter"),
        ((model(), cross_entropy, [], sgd), ValueError, "at least one batch"),
        ((model(), cross_entropy, learnable(0)[0], sgd), TypeError, "several batches"),
        ((model, cross_entropy, BATCHES, sgd), TypeError, "torch.nn.Module"),
        ((model(), nn.CrossEntropyLoss(), BATCHES, sgd), TypeError, "criterion"),
        ((model(), cross_entropy, BATCHES, "AdamW"), TypeError, "optimizer"),
        ((model(), cross_entropy, BATCHES, three), TypeError, "made 3"),
        ((model(), cross_entropy, BATCHES, [sgd(list(model().parameters()))] * 2), TypeError, "one optimizer"),
        ((model(), cross_entropy, BATCHES, torch.optim.SGD(model().parameters(), 0.1)), ValueError, "among the"),
    ],
)
def test_bad_input_is_refused_in_words(arguments: Any, error: type[Exception], words: str) -> None:
    """The user's own mistakes, each at the boundary; none is called a learning rate that cannot be told."""
    with pytest.raises(error, match=words):
        suggest_lr(*arguments)


def test_a_generator_is_read_on_by_what_is_said() -> None:
    """40 batches at most, counted by the generator."""
    endless = (learnable(seed) for seed in itertools.count())
    suggest_lr(model(), cross_entropy, endless, sgd)
    assert torch.equal(next(endless)[0], learnable(40)[0])


def test_batches_may_be_kept() -> None:
    """`Batches` are read once, by whoever asks first."""
    kept = Batches(BATCHES)
    assert suggest_lr(model(), cross_entropy, kept, sgd) == suggest_lr(model(), cross_entropy, BATCHES, sgd)
