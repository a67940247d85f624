"""Training loops whose steps a spy describes, and the rows of the same loops held against what it saw.

The spy sits on the optimizer of an unmeasured run of the same seed. It uses torch's own hook before a step, or wraps
`step` of what is no torch optimizer, and nothing of clinometer.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from clinometer import Recorder, Step, every, landscape

FORMS = ("line", "block")
STEPS = 4
Batch = tuple[Tensor, Tensor]


@dataclass
class Taken:
    """What the spy saw of one step."""

    before: dict[str, Tensor]  # the parameters where it began
    loss: float = float("nan")  # that the loop says it minimised
    after: dict[str, Tensor] = field(default_factory=dict)  # the parameters where the next step begins
    gradients: dict[str, Tensor] = field(default_factory=dict)  # in .grad when the optimizer stepped
    rates: dict[str, float] = field(default_factory=dict)  # that it had then, negative to maximize


class Spied:
    """One run of a loop, unmeasured under the spy, or measured.

    Args:
        form: `block` or `line`, as the recorder is used; None has no recorder, but a spy.
    """

    def __init__(self, form: str | None, when: int = 1) -> None:
        self.form = form
        self._when = when
        self.recorder: Recorder | None = None
        self.taken: list[Taken] = []
        self.seen: dict[int, Step] = {}
        self._now: Taken | None = None

    def attach(
        self,
        model: nn.Module,
        loss_fn: Any,
        optimizer: Any,
        *,
        spy_on: Sequence[Any] | None = None,
        **options: Any,
    ) -> None:
        """What a user writes before the loop; `spy_on` names the optimizers that do the work, if others."""
        optimizers = list(optimizer) if isinstance(optimizer, list | tuple) else [optimizer] if optimizer else []
        held = [p for each in optimizers for group in each.param_groups for p in group["params"]]
        chosen = {id(p) for p in (held or model.parameters())}
        self.names = {id(p): name for name, p in model.named_parameters() if id(p) in chosen}
        self.live = {name: p for name, p in model.named_parameters() if id(p) in chosen}
        if self.form is None:
            for each in optimizers if spy_on is None else spy_on:
                self._spy_on(each)
        else:
            probes = [landscape(sizes=[1.0]), landscape(sizes=[1.0], direction="update"), self._look]
            self.recorder = Recorder(model, loss_fn, probes, every(self._when), optimizer=optimizer, **options)

    def step(self, batch: Any, **options: Any) -> contextlib.AbstractContextManager[None]:
        """What a user writes around a step, or before it."""
        if self.recorder is not None:
            block = self.recorder.step(batch, **options)
            return block if self.form == "block" else contextlib.nullcontext()
        if self._now is None:
            self._end()
            self._now = Taken(self._copy())
        return contextlib.nullcontext()

    def skip(self) -> None:
        """What a user writes where the loop skips a batch."""
        if self.recorder is not None:
            self.recorder.skip()

    def took(self, loss: Any) -> None:
        """The loop says that it took a step, and which loss it minimised."""
        if self._now is not None:
            self._now.loss = float(loss.detach() if isinstance(loss, Tensor) else loss)
            self.taken.append(self._now)
            self._now = None

    def keep_gradients(self) -> None:
        """The loop says that the gradients of now are those of the loss, not those at the optimizer's step."""
        if self._now is not None:
            self._now.gradients = {name: p.grad.detach().clone() for name, p in self.live.items() if p.grad is not None}

    def finish(self) -> None:
        """The run is over."""
        self._end()

    def _end(self) -> None:
        if self.taken and not self.taken[-1].after:
            self.taken[-1].after = self._copy()

    def _copy(self) -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in self.live.items() if p.requires_grad}

    def _spy_on(self, optimizer: Any) -> None:
        if isinstance(optimizer, Optimizer):
            optimizer.register_step_pre_hook(lambda which, _args, _kwargs: self._stepping(which))
            return
        original = optimizer.step

        @functools.wraps(original)
        def step(*args: Any, **kwargs: Any) -> Any:
            self._stepping(optimizer)
            return original(*args, **kwargs)

        optimizer.step = step

    def _stepping(self, optimizer: Any) -> None:
        now = self._now
        if now is None:
            return
        for group in optimizer.param_groups:
            for p in group["params"]:
                name = self.names.get(id(p))
                if name is None or name in now.rates:
                    continue
                rate = group.get("lr")
                now.rates[name] = float("nan") if rate is None else float(rate) * (-1 if group.get("maximize") else 1)
                now.gradients.setdefault(name, torch.zeros_like(p) if p.grad is None else p.grad.detach().clone())

    def _look(self, step: Step) -> dict[str, Any]:
        self.seen[step.index] = step
        return {"index": step.index}


Loop = Callable[[Spied], None]


def spied(loop: Loop) -> Spied:
    """The loop without a recorder."""
    torch.manual_seed(0)
    run = Spied(None)
    loop(run)
    run.finish()
    return run


def measured(loop: Loop, form: str, when: int) -> tuple[Spied, list[str]]:
    """The same loop with a recorder, and what that warned of."""
    torch.manual_seed(0)
    run = Spied(form, when)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop(run)
        assert run.recorder is not None
        run.recorder.read("landscape")
    return run, [said for each in caught if "clinometer" in (said := str(each.message))]


def length(point: dict[str, Tensor]) -> float:
    """The norm of all tensors together."""
    return float(torch.stack([each.double().norm() for each in point.values()]).norm())


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float, what: str) -> None:
    """Whether two points differ by no more than a share of the second."""
    assert found.keys() == expected.keys(), f"{what}: {sorted(found)}, not {sorted(expected)}"
    gap = length({name: found[name].double() - expected[name].double() for name in expected})
    assert gap <= tolerance * length(expected) + 1e-12, f"{what}: off by {gap:.3g} of {length(expected):.3g}"


def assert_the_step_taken(
    loop: Loop,
    form: str,
    says: str | None = None,
    *,
    gradient: bool = True,
    rates: bool = True,
    tolerance: float = 1e-5,
    when: int = 1,
) -> Spied:
    """Each row of the measured loop speaks of the step that the spy saw.

    Args:
        loop: The loop.
        form: `line` or `block`.
        says: What the one warning says; there is none without it.
        gradient: Whether what the spy saw is a multiple of the loss's gradient.
        rates: Whether the spy can know the learning rates.
        tolerance: By which share values may differ: float32 in another order, and half precision where training casts.
        when: Every how many steps to measure.
    """
    plain = spied(loop)
    run, said = measured(loop, form, when)
    assert run.recorder is not None
    assert len(said) == (says is not None), said
    assert says is None or says in said[0], said
    rows, along = run.recorder.read("landscape"), run.recorder.read("landscape_update")
    assert rows["step"].tolist() == list(range(0, len(plain.taken), when)), f"of {len(plain.taken)} steps"
    for row, index in enumerate(range(0, len(plain.taken), when)):
        taken, step, at = plain.taken[index], run.seen[index], f"step {index}"
        moved = {name: taken.after[name] - taken.before[name] for name in taken.before}
        assert rows["loss"][row] == pytest.approx(taken.loss, rel=tolerance), f"{at}: loss"
        assert_near(dict(step.before), taken.before, 0.0, f"{at}: before")
        assert_near({name: step.after[name] - step.before[name] for name in moved}, moved, 0.0, f"{at}: update")
        assert along["distances"][row, 0] == pytest.approx(length(moved), rel=tolerance), f"{at}: length of the update"
        if rates:
            assert dict(step.rates) == pytest.approx(taken.rates), f"{at}: learning rates"
        if gradient:
            share = max(tolerance, 1e-4)  # of the factor, which is found from gradients in float32
            of_loss = {name: step.gradient[name] * step.factor for name in taken.gradients}
            assert_near(of_loss, taken.gradients, share, f"{at}: gradient")
        if gradient and rates:
            plain_sgd = length({name: each * taken.rates[name] for name, each in taken.gradients.items()})
            assert rows["distances"][row, 0] == pytest.approx(plain_sgd, rel=share), f"{at}: how far it walked"
    return run


def net() -> nn.Module:
    """A small network with dropout."""
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 3))


def batch() -> Batch:
    """Sixteen samples, from the program's random stream."""
    return torch.randn(16, 6), torch.randint(3, (16,))


def loss_fn(model: nn.Module, data: Batch) -> Tensor:
    """The loss of most loops."""
    return F.cross_entropy(model(data[0]), data[1])


def sgd(model: nn.Module) -> Optimizer:
    """The optimizer of most loops."""
    return torch.optim.SGD(model.parameters(), lr=0.1)
