"""The product's promise: a run with the recorder on is the run without it, bit for bit."""

import gc
import random
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from notebooks import Notebook
from probed import VARIANTS
from properties import assert_same, traces

from clinometer import Probe, Recorder, Step, every, landscape


def run(
    probes: Mapping[str, Probe] | None, steps: int = 10, to: Path | None = None, *, shown: bool = False
) -> dict[str, Any]:
    """Ten steps with momentum, BatchNorm and dropout; probes that raise are caught, as a careful user would."""
    random.seed(0)
    np.random.seed(0)
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    recorder = probes and Recorder(model, cross_entropy, probes, every(2), optimizer=optimizer, to=to)
    losses = []
    if recorder and shown:
        recorder.live()

    def step(data: tuple[torch.Tensor, torch.Tensor]) -> None:
        loss = cross_entropy(model, data)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())

    for index in range(steps):
        data = batch(index)
        data[0].add_(0.1 * random.random() + 0.1 * np.random.rand() + 0.1 * torch.rand(()))
        optimizer.zero_grad()
        if recorder:
            try:
                with recorder.step(data):
                    step(data)
            except ZeroDivisionError:
                pass
            if shown:
                assert repr(recorder) in recorder._repr_html_().replace("&#x27;", "'")
        else:
            step(data)
    return traces(model, optimizer) | {"losses": losses}


@pytest.mark.parametrize("name", VARIANTS)
def test_ten_steps_are_bit_identical(name: str) -> None:
    """The truth is the same run without a recorder, compared in every bit that a run consists of."""
    assert_same(without_identities(run({name: VARIANTS[name]()})), without_identities(run(None)))


def test_all_probes_together_and_to_disk(tmp_path: Path) -> None:
    """As a user would have it: everything on, written as it goes."""
    probes = {name: make() for name, make in VARIANTS.items()}
    assert_same(without_identities(run(probes, to=tmp_path)), without_identities(run(None)))


def test_a_dashboard_that_is_looked_at_leaves_no_trace(notebook: Notebook) -> None:
    """In a notebook that draws a random number whenever it is shown something, and looked at after each step."""
    probes = {name: VARIANTS[name]() for name in list(VARIANTS)[:3]}
    assert_same(without_identities(run(probes, shown=True)), without_identities(run(None)))
    assert notebook.shown


def test_a_probe_that_raises_midway_leaves_no_trace() -> None:
    """It fails after it has evaluated, drawn random numbers and started a walk: the worst moment."""

    def broken(step: Step) -> Mapping[str, Any]:
        step.objective.loss_and_grad(step.before)
        torch.rand(3), random.random(), np.random.rand()
        raise ZeroDivisionError

    assert_same(without_identities(run({"broken": broken})), without_identities(run(None)))


@pytest.mark.parametrize(("which", "error"), [(1, ZeroDivisionError), (3, KeyboardInterrupt)])
def test_a_loss_that_raises_inside_an_evaluation_leaves_no_trace(which: int, error: type[BaseException]) -> None:
    """The model is in an evaluation, the first or amid a walk, its parameters swapped out, when the error comes."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calls: list[int] = []

    def fails(m: Any, data: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == which:
            raise error
        return cross_entropy(m, data)

    recorder = Recorder(model, fails, [landscape()], every(1), optimizer=optimizer)
    measured = recorder.step(batch())
    measured.__enter__()
    cross_entropy(model, batch()).backward()
    optimizer.step()
    before = traces(model, optimizer)
    with pytest.raises(error):
        measured.__exit__(None, None, None)
    assert_same(traces(model, optimizer), before)
    assert recorder.store.last_step() is None, "nothing of a step that failed is written"


def test_parameters_are_neither_copied_back_nor_replaced() -> None:
    """An optimizer, a hook or a compiled graph holds the parameter object and its memory: both must stay."""
    model = everything()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    before = traces(model, optimizer)["identities"]
    recorder = Recorder(model, cross_entropy, [make() for make in VARIANTS.values()], every(1), optimizer=optimizer)
    with recorder.step(batch()):
        cross_entropy(model, batch()).backward()
        optimizer.step()
    assert traces(model, optimizer)["identities"] == before


@pytest.mark.parametrize("name", VARIANTS)
def test_rows_do_not_depend_on_the_other_probes(name: str) -> None:
    """Probes share a step: were one to leave a trace in it, the next would measure something else."""
    alone, together = (rows(probes) for probes in ([name], list(VARIANTS)))
    assert_same(dict(alone.read(name)), dict(together.read(name)))


def rows(names: list[str]) -> Recorder:
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [VARIANTS[name]() for name in names], every(2), optimizer=optimizer)
    for index in range(4):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder


def without_identities(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != "identities"}


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_outlives_the_loop(name: str) -> None:
    """Seen by weak references while no garbage is collected: without us, a loop's model is freed when it returns.

    A DDP model that lives on holds its process group, whose threads then meet the interpreter's end.
    """

    def loop() -> list[weakref.ref[Any]]:
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(model, cross_entropy, {name: VARIANTS[name]()}, every(1), optimizer=optimizer)
        for index in range(2):
            with recorder.step(batch(index)):
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
                optimizer.zero_grad()
        return [weakref.ref(each) for each in (model, optimizer, recorder)]

    gc.disable()
    try:
        assert [each() for each in loop()] == [None, None, None]
    finally:
        gc.enable()
