"""Training loops as users write them, run unmeasured and measured: the second must be the first, bit for bit."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from models import batch, cross_entropy, everything
from properties import assert_same, traces
from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer import Recorder, Step, every, headroom, landscape
from clinometer.recorder.schedules import Schedule

STEPS = 6
FORMS = ("block", "line")


class Run:
    """One run of a loop: where its recorder would be, and what became of it.

    Args:
        form: `block` puts the step in `with recorder.step(batch):`, `line` writes `recorder.step(batch)` before it,
            `plain` has no recorder.
        when: Its schedule.
    """

    def __init__(self, form: str, when: Schedule | None = None) -> None:
        self.form = form
        self.when = when or every(2)
        self.recorder: Recorder | None = None
        self.losses: list[Tensor] = []  # the loop's own, one for each step of the optimizer
        self.reached: list[dict[str, Tensor]] = []  # the parameters after each
        self.seen: dict[int, Step] = {}  # what the recorder showed to its probes
        self.kept: list[tuple[nn.Module, Optimizer]] = []

    def attach(
        self, model: nn.Module, loss_fn: Any, optimizer: Optimizer | Sequence[Optimizer], **options: Any
    ) -> None:
        """What a user writes before the loop."""
        optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
        self.kept += [(model, each) for each in optimizers]
        if self.form != "plain":
            probes = [landscape(), landscape(direction="update"), headroom(), self._look]
            self.recorder = Recorder(model, loss_fn, probes, self.when, optimizer=optimizer, **options)

    def step(self, data: Any) -> contextlib.AbstractContextManager[None]:
        """What a user writes around a step, or before it."""
        return contextlib.nullcontext() if self.recorder is None else begun(self.recorder, data, self.form)

    def took(self, loss: Tensor) -> None:
        """Say that the optimizer took a step, and what the loop's own loss was."""
        self.losses.append(loss.detach().clone())
        self.reached.append({name: p.detach().clone() for name, p in self.kept[0][0].named_parameters()})

    def _look(self, step: Step) -> dict[str, Any]:
        self.seen[step.index] = step
        return {"index": step.index}


def begun(recorder: Recorder, data: Any, form: str) -> contextlib.AbstractContextManager[None]:
    """The recorder's step: the block around it, or nothing more than the line before it."""
    step = recorder.step(data)
    return step if form == "block" else contextlib.nullcontext()


Loop = Callable[[Run], None]


def ran(loop: Loop, form: str, when: Schedule | None = None) -> Run:
    """The loop, from the same seed whatever the form."""
    torch.manual_seed(0)
    run = Run(form, when)
    loop(run)
    return run


def state_of(run: Run) -> list[dict[str, Any]]:
    """All that the run left behind, but for where in memory, and the hooks that tell of the optimizer's steps."""
    return [
        {name: value for name, value in traces(model, optimizer).items() if name != "identities"}
        for model, optimizer in run.kept
    ]


def assert_measured(loop: Loop, form: str, tolerance: float = 0.0) -> Run:
    """The measured loop ends as the plain one; its rows are those of every second step, with the loop's own loss.

    Args:
        loop: The loop.
        form: How the recorder is used.
        tolerance: How far the row's loss may lie from the loop's, relative to it; the same bits by default.
    """
    plain, measured = ran(loop, "plain"), ran(loop, form)
    assert_same(state_of(measured), state_of(plain))
    assert_same(measured.losses, plain.losses)
    assert measured.recorder is not None
    for name in measured.recorder.probes:
        steps = measured.recorder.read(name)["step"].tolist()
        assert steps == list(range(0, len(plain.losses), 2)), f"{name}: {steps} of {len(plain.losses)} steps"
    rows = measured.recorder.read("landscape")
    for step, loss in zip(rows["step"], torch.from_numpy(rows["loss"]), strict=True):
        if tolerance and plain.losses[step].isnan():
            continue  # the loop overflowed in half precision; what is measured in single does not
        torch.testing.assert_close(loss, plain.losses[step].to(loss.dtype), rtol=tolerance, atol=0.0)
    for step, seen in measured.seen.items():
        assert_same(dict(seen.after), {name: measured.reached[step][name] for name in seen.after})
    return measured


def simple(run: Run, make: Callable[[nn.Module], Optimizer], model: nn.Module | None = None, **options: Any) -> None:
    """The loop of the tutorials, with an optimizer of one's choice."""
    model = model or everything()
    optimizer = make(model)
    run.attach(model, cross_entropy, optimizer, **options)
    for index in range(STEPS):
        data = batch(index)
        with run.step(data):
            optimizer.zero_grad()
            loss = cross_entropy(model, data)
            loss.backward()
            optimizer.step()
        run.took(loss)
