"""Rows go to the store first, then to whoever else listens; a listener that fails costs the run nothing."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same, traces

from clinometer import Recorder, every, landscape


def run(*sinks: Any) -> tuple[Recorder, dict[str, Any]]:
    random.seed(0)
    np.random.seed(0)
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [landscape()], every(2), optimizer=optimizer, sinks=sinks)
    for index in range(6):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder, {name: value for name, value in traces(model, optimizer).items() if name != "identities"}


def test_a_sink_hears_what_is_in_the_store() -> None:
    """The truth is the store, at the moment of the call and at the end."""
    heard: dict[int, float] = {}
    kept: list[int | None] = []

    def sink(index: int, rows: Mapping[str, Any]) -> None:
        heard[index] = float(rows["landscape"]["beta"])

    recorder, _ = run(sink, lambda index, _rows: kept.append(index))
    table = recorder.read("landscape")
    assert heard == dict(zip(table["step"].tolist(), table["beta"].tolist(), strict=True))
    assert kept == [0, 2, 4]


def test_a_sink_that_fails_is_dropped_with_one_warning() -> None:
    """Training, the rows and the other sinks go on as if it had not been there."""
    calls: list[int] = []
    after: list[int] = []

    def broken(index: int, _rows: Mapping[str, Any]) -> None:
        calls.append(index)
        raise ConnectionError("the tracker is down")

    with pytest.warns(UserWarning, match=r"a sink failed .* \(ConnectionError: the tracker is down\)") as seen:
        recorder, state = run(broken, lambda index, _rows: after.append(index))
    assert len(seen) == 1
    assert (calls, after) == ([0], [0, 2, 4])
    assert recorder.read("landscape")["step"].tolist() == [0, 2, 4]
    assert_same(state, run()[1])


def test_a_sink_that_draws_random_numbers_leaves_no_trace() -> None:
    """A client may draw from the global streams, for an identifier or a retry: compared with a run without one."""
    drawing = lambda _index, _rows: (torch.rand(3), random.random(), np.random.rand())  # noqa: E731
    assert_same(run(drawing)[1], run()[1])


def test_the_summary_says_what_was_measured() -> None:
    """Read off the rows: three steps, the first and the last loss."""
    recorder, _ = run()
    losses = recorder.read("landscape")["loss"]
    assert recorder.summary().startswith(
        f"clinometer: 3 steps measured (0 to 4) · loss {losses[0]:.3g} → {losses[-1]:.3g}"
    )
