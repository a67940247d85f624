"""What probes remember from one measurement to the next: their own, of this run, also through a checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clinometer import Recorder, every
from clinometer.training.checkpoint import Checkpoint, read_checkpoint
from clinometer.training.keeper import Keeper


def running_sum(step: Any) -> dict[str, Any]:
    """A probe whose rows are the sum of all weights that it has seen, which it keeps as a tensor."""
    seen = step.memory.get("sum", torch.zeros(2)) + step.before["weight"][0]
    step.memory["sum"], step.memory["count"] = seen, step.memory.get("count", 0) + 1
    return {"sum": seen, "count": step.memory["count"]}


def loss_fn(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return model(batch).square().mean()


def trained(recorder: Recorder, steps: range, move: float = 1.0) -> None:
    model, (optimizer,) = recorder.model, recorder.optimizers
    for index in steps:
        batch = torch.randn(4, 2, generator=torch.Generator().manual_seed(index))
        recorder.step(batch)
        optimizer.zero_grad()
        loss_fn(model, batch).backward()
        optimizer.step()
        with torch.no_grad():
            model.weight.mul_(move)  # pyright: ignore[reportCallIssue]


def made(to: Path | None = None, start: int = 0, **others: Any) -> Recorder:
    torch.manual_seed(0)
    model = nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes = {"first": running_sum, "second": running_sum} | others
    return Recorder(model, loss_fn, probes, every(2), optimizer=optimizer, to=to, start=start)


def test_each_probe_has_a_memory_of_its_own() -> None:
    """Counted: two probes by one function would count to twice as many in a shared one."""
    recorder = made()
    trained(recorder, range(8))
    for name in ("first", "second"):
        assert recorder.read(name)["count"].tolist() == [1, 2, 3, 4]


def test_two_recorders_share_nothing() -> None:
    """The same probe in another run begins anew: a later run would depend on an earlier one otherwise."""
    first, second = made(), made()
    trained(first, range(4))
    trained(second, range(4))
    np.testing.assert_array_equal(first.read("first")["sum"], second.read("first")["sum"])


@pytest.mark.filterwarnings("ignore:the weights of the step")
def test_a_step_that_is_measured_again_is_counted_once() -> None:
    """Weights that move after the optimizer make steps be measured twice; the second time replaces the first."""
    recorder = made()
    trained(recorder, range(8), move=0.9)
    assert recorder.read("first")["count"].tolist() == [1, 2, 3, 4]


def test_a_probe_that_fails_leaves_its_memory_as_it_was() -> None:
    """Half an update of what a probe remembers would be in all its later rows."""

    def failing(step: Any) -> dict[str, Any]:
        step.memory["count"] = step.memory.get("count", 0) + 1
        if step.index == 2:
            raise RuntimeError("once")
        return {"count": step.memory["count"]}

    recorder = made(failing=failing)
    with pytest.warns(UserWarning, match="once"):
        trained(recorder, range(8))
    assert recorder.read("failing")["count"].tolist() == [1, 2, 3]


def test_a_resumed_run_remembers(tmp_path: Path) -> None:
    """Bit for bit the rows of the run that was not interrupted, through the file of a checkpoint."""
    pytest.importorskip("safetensors", reason="checkpoints belong to studies")
    whole = made()
    trained(whole, range(12))
    first = made(tmp_path / "run")
    trained(first, range(6))
    keeper = Keeper(tmp_path / "run")
    keeper.save(Checkpoint.of(6, first.model, first.optimizers[0], first))
    first.store.close()
    (file,) = (tmp_path / "run" / "checkpoint").glob("*.safetensors")
    second = made(tmp_path / "run", start=6)
    read_checkpoint(file).restore(second.model, second.optimizers[0], second)
    trained(second, range(6, 12))
    for field in ("sum", "count"):
        np.testing.assert_array_equal(second.read("first")[field], whole.read("first")[field])
