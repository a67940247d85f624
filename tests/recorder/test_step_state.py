"""The recorder's states, walked through by real training loops, and compared with the table that it follows."""

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import assert_same
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, Step, every
from clinometer.recorder import step_state
from clinometer.recorder.optimizer_steps import OptimizerSteps
from clinometer.recorder.step_state import TRANSITIONS, Action, Event, State


def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
    return F.mse_loss(model(x), x.flip(1))


class Training:
    """A model whose two layers have an optimizer each, and a recorder of both."""

    def __init__(self, scheduled: bool = True) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
        self.optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.model[0], self.model[2])]
        when = every(1) if scheduled else every(1000)
        self.recorder = Recorder(
            self.model, loss_fn, {"probe": lambda _: {"n": 1}}, when, optimizer=self.optimizers, start=1
        )

    def batch(self) -> None:
        x = torch.randn(5, 3)
        self.recorder.step(x)
        loss_fn(self.model, x).backward()

    def step(self, *which: int) -> None:
        for index in which:
            self.optimizers[index].step()


def reached(state: State) -> Training:
    """A loop that has come to this state."""
    training = Training(scheduled=state is not State.UNSCHEDULED)
    if state is not State.IDLE:
        training.batch()
    if state is State.TAKEN:
        training.step(0)
    return training


def blocked(training: Training, error: bool = False) -> None:
    """The end of a block, as `with recorder.step(batch):` ends it."""
    with contextlib.suppress(KeyError), training.recorder._steps._block():
        if error:
            raise KeyError


def moved_by_hand(training: Training) -> None:
    """A step of no optimizer at all, or so many batches that none will step; then the next batch."""
    with torch.no_grad():
        training.model[0].weight.add_(1.0)
    training.recorder._steps._optimizer_steps.batches = 1000
    with pytest.warns(UserWarning, match="took no step"):
        training.recorder._steps._before_next_batch()


def skipped(training: Training) -> None:
    """A scaler that skips a step leaves infinite gradients, as here."""
    training.model[0].weight.grad.fill_(torch.inf)
    training.recorder._steps._before_next_batch()


EVENTS: dict[Event, Callable[[Training], Any]] = {
    Event.BATCH: Training.batch,
    Event.STEP: lambda training: training.step(0),
    Event.LAST_STEP: lambda training: training.step(0, 1),
    Event.UNREPORTED: moved_by_hand,
    Event.SKIPPED: skipped,
    Event.BLOCK_END: blocked,
    Event.BLOCK_ERROR: lambda training: blocked(training, error=True),
    Event.CLOSE: lambda training: training.recorder.summary(),
    Event.DROP: lambda training: training.recorder.drop(),
    Event.SKIP: lambda training: training.recorder.skip(),
}
CASES = [(state, event) for state, events in TRANSITIONS.items() for event in events if event in EVENTS]


def seen(training: Training) -> tuple[int, int, int]:
    """What a user can see: the next index, the rows, and the batches of the step that is under way."""
    recorder = training.recorder
    rows = recorder.store.rows().get("probe", {})
    return recorder.index, len(rows), recorder._steps.pending.objective.batches if recorder._steps.pending else 0


# What an action changes of that, from (index, rows, batches).
EFFECTS: dict[Action | None, Callable[[int, int, int], tuple[int, int, int]]] = {
    None: lambda index, rows, batches: (index, rows, batches),
    Action.BEGIN: lambda index, rows, _batches: (index + 1, rows, 1),
    Action.JOIN: lambda index, rows, batches: (index, rows, batches + bool(batches)),
    Action.MEASURE: lambda index, rows, _batches: (index, rows + 1, 0),
    Action.CHECK: lambda index, rows, batches: (index, rows, batches),
    Action.LEAVE: lambda index, rows, batches: (index, rows, max(batches - 1, 0)),
    Action.FORGET: lambda index, rows, _batches: (index, rows, 0),
    Action.ABANDON: lambda index, rows, _batches: (index - 1, rows, 0),
}


@pytest.mark.parametrize(("state", "event"), CASES, ids=lambda each: each.name)
def test_the_recorder_does_what_the_table_says(state: State, event: Event) -> None:
    """Each entry, by a loop that brings a recorder there; the effects are index, rows and batches, as a user sees them.

    Three entries end elsewhere because the loop goes on: a scheduled step's snapshot follows its batch, with two
    optimizers LAST_STEP comes after STEP, and a step without a batch is none.
    """
    training = reached(state)
    assert training.recorder._steps.state is state
    before = seen(training)
    action, then = TRANSITIONS[state][event]
    if event is Event.UNREPORTED and then is State.TAKEN:
        action, then = TRANSITIONS[then][Event.CLOSE]  # the next batch closes it at once
    if state is State.IDLE and event is Event.BATCH:
        _, then = TRANSITIONS[then][Event.SNAPSHOT]
    if state is State.OPEN and event is Event.SKIP:
        action, then = TRANSITIONS[then][Event.SKIPPED]  # its only batch
    EVENTS[event](training)
    assert training.recorder._steps.state is then
    assert seen(training) == EFFECTS[action](*before)


def test_the_docstring_shows_the_table() -> None:
    """Read from the text, entry by entry: documentation of a state machine that has drifted is worse than none."""
    assert step_state.__doc__
    lines = [re.split(r"\s{2,}", line.strip()) for line in step_state.__doc__.splitlines() if line.startswith("    ")]
    states = [State[name] for name in lines[0][1:]]
    shown: dict[State, dict[Event, Any]] = {state: {} for state in states}
    for event, *entries in lines[1:]:
        for state, entry in zip(states, entries, strict=True):
            if entry != "-":
                action, _, then = entry.rpartition("→ ")
                shown[state][Event[event]] = (Action(action.strip()) if action else None, State[then])
    assert shown == TRANSITIONS


LINE, BLOCK, FAILING, STEP, READ, DROP = "line", "block", "failing block", "step", "read", "drop"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([LINE, BLOCK, FAILING, STEP, READ, DROP]), max_size=14))
def test_any_sequence_of_events_measures_the_steps_that_were_taken(events: list[str]) -> None:
    """The truth is the loop's own list of steps: a row's points are those around one of them; weights are unmeasured's.

    A step is measured if a batch was begun before it and was neither dropped nor failed; its index counts such steps.
    """
    unmeasured, _, _ = trained(events, record=False)
    measured, steps, expected = trained(events, record=True)
    assert_same(measured, unmeasured)
    assert [step.index for step in steps] == [index for index, _, _ in expected]
    for step, (_, before, after) in zip(steps, expected, strict=True):
        assert_same(dict(step.before), before)
        assert_same(dict(step.after), after)


Points = tuple[int, dict[str, Tensor], dict[str, Tensor]]


def trained(events: list[str], record: bool) -> tuple[dict[str, Tensor], list[Step], list[Points]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Tanh(), nn.Linear(4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    steps: list[Step] = []
    recorder = Recorder(
        model, loss_fn, {"keep": lambda step: (steps.append(step), {"n": 1})[1]}, every(1), optimizer=optimizer
    )
    expected: list[Points] = []
    index, begun = 0, False

    def here() -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in model.named_parameters()}

    def step(measured: bool) -> None:
        nonlocal index, begun
        before = here()
        optimizer.step()
        optimizer.zero_grad()
        if measured:
            expected.append((index, before, here()))
        index, begun = index + begun, False

    for event in events:
        x = torch.randn(5, 3)
        if event in (LINE, BLOCK, FAILING):
            around = recorder.step(x) if record else contextlib.nullcontext()
            begun = True
            with contextlib.suppress(KeyError), around if event != LINE else contextlib.nullcontext():
                loss_fn(model, x).backward()
                if event == FAILING:
                    raise KeyError
                if event == BLOCK:
                    step(measured=True)
            if event == FAILING:
                optimizer.zero_grad()
                begun = False
        elif event == STEP:
            step(measured=begun)
        elif event == READ and record:
            recorder.summary()
        elif event == DROP:
            if record:
                recorder.drop()
            index, begun = index + begun, False
            optimizer.zero_grad()
    return here(), steps, expected


def test_steps_are_reported_as_the_last_when_all_optimizers_have_stepped() -> None:
    """A line's step ends with the second; were it measured at the first, half of the update would be missing."""
    reported: list[bool] = []

    class Listener:
        def report(self, _optimizer: object, _owner: object, last: bool) -> None:
            reported.append(last)

    training, listener = Training(), Listener()
    steps = OptimizerSteps(training.optimizers, listener.report)
    steps.begin()
    training.step(0, 0, 1)
    assert reported == [False, False, True]
