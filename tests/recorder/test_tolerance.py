"""Once a measurement has worked, one that fails costs its row and a warning; the run goes on as if unmeasured."""

import random
import signal
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same, traces
from torch import Tensor, nn

from clinometer import Recorder, Step, every, landscape


class Fault:
    """Raises an error when it is armed and called."""

    def __init__(self, error: type[BaseException] = ZeroDivisionError) -> None:
        self.armed = False
        self.error = error
        self.held: list[weakref.ref[Tensor]] = []

    def __call__(self) -> None:
        if self.armed:
            ballast = torch.zeros(10)
            self.held.append(weakref.ref(ballast))
            raise self.error(f"at call {len(self.held)}")


def failing_probe(fault: Fault) -> dict[str, Any]:
    """A probe that fails after it has evaluated, drawn and begun a walk."""

    def probe(step: Step) -> Mapping[str, float]:
        step.objective.loss(step.before)
        torch.rand(3), random.random(), np.random.rand()
        fault()
        return {"x": 1.0}

    return {"probes": {"probe": probe}}


def failing_loss(fault: Fault) -> dict[str, Any]:
    """A loss that fails amid an evaluation at the step's own point."""

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        loss = cross_entropy(model, data)
        fault()
        return loss

    return {"loss_fn": loss_fn}


def failing_schedule(fault: Fault) -> dict[str, Any]:
    """A schedule that fails where the step begins."""

    def schedule(index: int) -> bool:
        fault()
        return index % 2 == 0

    return {"when": schedule}


def failing_row(fault: Fault) -> dict[str, Any]:
    """A probe whose row cannot be written."""
    return {"probes": {"probe": lambda _step: {"x": {"neither": "a number"} if fault.armed else 1.0}}}


def failing_copy(fault: Fault) -> dict[str, Any]:
    """Something on the batch that fails when the start of the step is kept."""

    class Batch(tuple[Tensor, Tensor]):
        def __iter__(self) -> Any:
            fault()
            return super().__iter__()

    return {"batch": Batch}


def run(make: Callable[[Fault], dict[str, Any]] | None, fails: Callable[[int], bool], **options: Any) -> Any:
    """Eight steps, of which every second is measured and some fail; the traces of the run, and its recorder."""
    random.seed(0)
    np.random.seed(0)
    fault = Fault(options.pop("error", ZeroDivisionError))
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    settings: dict[str, Any] = {"loss_fn": cross_entropy, "probes": [landscape()], "when": every(2)} | options
    settings |= make(fault) if make else {}
    container = settings.pop("batch", tuple)
    recorder = Recorder(model, optimizer=optimizer, **settings) if make else None
    losses = []
    for index in range(8):
        data = batch(index)
        optimizer.zero_grad()
        fault.armed = fails(index)
        with recorder.step(container(data)) if recorder else warnings.catch_warnings():
            fault.armed = False
            loss = cross_entropy(model, data)
            loss.backward()
            optimizer.step()
            fault.armed = fails(index)
        fault.armed = False
        losses.append(loss.detach())
    kept = traces(model, optimizer) | {"losses": losses}
    return {name: value for name, value in kept.items() if name != "identities"}, recorder, fault


FAULTS = [failing_probe, failing_loss, failing_schedule, failing_row, failing_copy]


@pytest.mark.parametrize("make", FAULTS)
def test_a_measurement_that_fails_costs_its_row_alone(make: Callable[[Fault], dict[str, Any]]) -> None:
    """The truth is the same run unmeasured, bit for bit; the rows before and after keep their steps."""
    with pytest.warns(UserWarning, match="a measurement failed") as caught:
        state, recorder, _ = run(make, lambda index: index in (2, 4))
    assert len(caught) == 1, "once"
    assert_same(state, run(None, lambda _: False)[0])
    (probe,) = recorder.store.probes()
    assert recorder.read(probe)["step"].tolist() == [0, 6]
    assert "measurements that failed, with their rows: 2 " in recorder.summary()


@pytest.mark.parametrize("make", FAULTS)
def test_with_strict_it_is_raised(make: Callable[[Fault], dict[str, Any]]) -> None:
    """A study's run should end, and say why, rather than lack a row."""
    with pytest.raises((ZeroDivisionError, ValueError, TypeError)):
        run(make, lambda index: index == 4, strict=True)


@pytest.mark.parametrize("make", FAULTS)
def test_before_a_first_has_worked_it_is_raised(make: Callable[[Fault], dict[str, Any]]) -> None:
    """A mistake in the set-up would otherwise cost all rows."""
    with pytest.raises((ZeroDivisionError, ValueError, TypeError)):
        run(make, lambda _: True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, TimeoutError])
def test_interruptions_are_passed_on(error: type[BaseException]) -> None:
    """They are the user's own."""
    with pytest.raises(error):
        run(failing_probe, lambda index: index == 4, error=error)


def test_what_a_signal_handler_raises_is_passed_on() -> None:
    """An alarm goes off while we measure: its error is told from ours by the handler's frame, whatever its class."""

    class AlarmError(Exception):
        pass

    class Handler:
        def __call__(self, *_args: object) -> None:
            raise AlarmError

        method = __call__

    def probe(step: Step) -> Mapping[str, float]:
        if step.index == 4:
            signal.raise_signal(signal.SIGUSR1)
        return {"x": 1.0}

    for handler in (Handler().method, Handler()):
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            with pytest.raises(AlarmError):
                run(lambda _: {"probes": [probe]}, lambda _: False)
        finally:
            signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("shortage", [lambda: torch.empty(2**50), lambda: bytearray(2**60)])
def test_a_shortage_of_memory_is_no_divergence(shortage: Callable[[], Any]) -> None:
    """Also at the first step, once the loss has been evaluated: no NaN is written, and the other rows are there."""
    model, calls = nn.Linear(4, 2), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss_fn(model: nn.Module, data: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) in (3, 9):
            shortage()
        return model(data).square().mean()

    recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)

    def train() -> None:
        for _ in range(4):
            data = torch.ones(8, 4)
            with recorder.step(data):
                optimizer.zero_grad()
                model(data).square().mean().backward()
                optimizer.step()

    with pytest.warns(UserWarning, match="a measurement failed") as caught:
        train()
    assert len(caught) == 1
    rows = recorder.read("landscape")
    assert rows["step"].tolist() == [1, 3]
    assert np.isfinite(rows["beta"]).all()


def test_a_measurement_that_never_fits_is_said_at_once() -> None:
    """Nothing was evaluated: the set-up needs more memory than there is, and no row would ever come."""
    with pytest.raises(MemoryError):
        run(failing_loss, lambda _: True, error=MemoryError)


def test_what_a_failed_measurement_held_is_released() -> None:
    """Seen by weak references, with the garbage collector off: the next measurement has the memory."""
    with pytest.warns(UserWarning, match="a measurement failed"):
        _, recorder, fault = run(failing_probe, lambda index: index in (2, 4), error=MemoryError)
    assert recorder
    assert len(fault.held) == 2
    assert all(reference() is None for reference in fault.held)


def test_one_probe_that_fails_leaves_the_others_their_rows() -> None:
    """Probes of one step share nothing but its start."""

    def make(fault: Fault) -> dict[str, Any]:
        return {"probes": failing_probe(fault)["probes"] | {"landscape": landscape()}}

    with pytest.warns(UserWarning, match="a measurement failed"):
        _, recorder, _ = run(make, lambda index: index == 4)
    assert recorder.read("probe")["step"].tolist() == [0, 2, 6]
    assert recorder.read("landscape")["step"].tolist() == [0, 2, 4, 6]


def test_steps_of_several_batches_keep_their_indices() -> None:
    """The second batch of step 2 cannot be kept: counted by hand, the optimizer's steps go on as 3, 4, ..."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [landscape(sizes=[1.0])], every(1), optimizer=optimizer)
    fault = Fault()

    class Batch(tuple[Tensor, Tensor]):
        def __iter__(self) -> Any:
            fault()
            return super().__iter__()

    def train() -> None:
        for number in range(10):
            data = batch(number)
            fault.armed = number == 5
            recorder.step(Batch(data))
            fault.armed = False
            (cross_entropy(model, data) / 2).backward()
            if number % 2:
                optimizer.step()
                optimizer.zero_grad()

    with pytest.warns(UserWarning, match="a measurement failed"):
        train()
    assert recorder.read("landscape")["step"].tolist() == [0, 1, 3, 4]


def test_reading_never_fails_for_the_last_step() -> None:
    """Without an optimizer the last step is measured where rows are read."""
    fault = Fault()
    model = everything()
    recorder = Recorder(model, **{"loss_fn": cross_entropy, "when": every(1)} | failing_probe(fault))
    for index in range(3):
        recorder.step(batch(index))
        cross_entropy(model, batch(index)).backward()
    fault.armed = True
    with pytest.warns(UserWarning, match="a measurement failed"):
        assert recorder.read("probe")["step"].tolist() == [0, 1]
