"""Steps at which every probe that is due evaluates nothing: no batch is kept, and what is read stays true."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Probe, Recorder, Step, every, landscape, step_norms, within_budget
from clinometer.objective import objective
from clinometer.objective.batch import KeptBatch


def taken(recorder: Recorder, model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> list[float]:
    losses = []
    for index in range(steps):
        with recorder.step(batch(index)):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_neither_batch_nor_modules_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would copy or look into them is made to fail; with a probe that evaluates it is needed, and fails."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def fail(*_: Any) -> None:
        raise AssertionError("a batch is kept")

    monkeypatch.setattr(KeptBatch, "__init__", fail)
    monkeypatch.setattr(objective, "BatchSnapshot", fail)
    taken(Recorder(model, cross_entropy, [step_norms()], every(1), optimizer=optimizer), model, optimizer)
    with pytest.raises(AssertionError, match="a batch is kept"):
        taken(Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer), model, optimizer)


def test_rows_do_not_depend_on_what_else_is_due() -> None:
    """The same run, once with a probe beside it that has a batch kept at every second step."""
    rows = []
    for others in ({}, {"landscape": landscape([1.0])}):
        torch.manual_seed(0)
        model = everything()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        probes: dict[str, Probe] = {"step_norms": step_norms(), **others}
        when = {"step_norms": every(1), **dict.fromkeys(others, every(2))}
        recorder = Recorder(model, cross_entropy, probes, when, optimizer=optimizer)
        losses = taken(recorder, model, optimizer)
        rows.append(recorder.read("step_norms"))
        assert rows[-1]["loss"].tolist() == losses
    for name, values in rows[0].items():
        np.testing.assert_array_equal(values, rows[1][name])


def test_a_probe_that_evaluates_after_all_is_told() -> None:
    """Bad input: its declaration is false. The first measurement raises in words, and has changed nothing."""

    def wrong(step: Step) -> dict[str, Any]:
        return {"loss": step.loss}

    wrong.evaluates = False  # type: ignore[attr-defined]
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [wrong], every(1), optimizer=optimizer)
    with pytest.raises(ValueError, match="every probe that is due declares `evaluates = False`"):
        taken(recorder, model, optimizer)


def test_another_layer_that_is_trained_from_now_on_gets_a_row() -> None:
    """By construction: a layer is frozen for two steps; the blocks are those that are trained at each step."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, x: m(x).mean(), [step_norms()], every(1), optimizer=optimizer)
    model[0].requires_grad_(False)
    for index in range(4):
        if index == 2:
            model[0].requires_grad_(True)
        with recorder.step(x := torch.ones(2, 3)):
            model(x).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    rows = recorder.store.rows()["step_norms"]
    assert [row["block"].tolist() for row in rows.values()] == [["1"], ["1"], ["0", "1"], ["0", "1"]]
    assert all(np.isfinite(row["update_ratio"]).all() for row in rows.values())


def test_weights_moved_between_steps_belong_to_the_step() -> None:
    """By hand: each update of −0.1 is followed by +0.3 after the block, so that the step went by 0.2."""
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, x: m(x).sum(), [step_norms()], every(1), optimizer=optimizer)
    starts = []
    for _ in range(4):
        starts.append(model.weight.item())
        with recorder.step(x := torch.ones(1, 1)):
            model(x).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        model.weight.data.add_(0.3)
    recorder.step(torch.ones(1, 1))
    rows = recorder.read("step_norms")
    np.testing.assert_allclose(rows["update_norm"][:, 0], 0.2, rtol=1e-5)
    np.testing.assert_allclose(rows["weight_norm"][:, 0], np.abs(starts), rtol=1e-6)


def test_weights_moved_after_a_checkpoint_are_where_the_step_starts() -> None:
    """By hand: what a checkpoint has looked at is not taken for where the next step starts."""
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, x: m(x).sum(), [step_norms()], every(1), optimizer=optimizer)
    for _ in range(2):
        with recorder.step(x := torch.ones(1, 1)):
            model(x).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        recorder.state_dict()
        model.weight.data.fill_(5.0)
    np.testing.assert_allclose(recorder.read("step_norms")["weight_norm"][1], 5.0)
    np.testing.assert_allclose(recorder.read("step_norms")["update_norm"][1], 0.1, rtol=1e-5)


def test_a_scaled_loss_is_unscaled() -> None:
    """A GradScaler's factor is in neither: loss and gradient are those of the same step without one."""
    rows = []
    for scaled in (False, True):
        torch.manual_seed(0)
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scaled)
        recorder = Recorder(model, cross_entropy, [step_norms()], every(1), optimizer=optimizer)
        with recorder.step(batch()):
            scaler.scale(cross_entropy(model, batch())).backward()
            scaler.step(optimizer)
            scaler.update()
        rows.append(recorder.read("step_norms"))
    assert rows[0]["loss"] == rows[1]["loss"]
    np.testing.assert_allclose(rows[0]["gradient_norm"], rows[1]["gradient_norm"], rtol=1e-6)


def test_an_optimizer_that_looks_around_leaves_the_gradient_unknown() -> None:
    """LBFGS evaluates at several places: none of its gradients is the one that the step used."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, x: m(x).square().sum(), [step_norms()], every(1), optimizer=optimizer)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2)).square().sum()
        loss.backward()
        return loss

    with recorder.step(torch.ones(1, 2)):
        optimizer.step(closure)  # type: ignore[arg-type]
    row = recorder.read("step_norms")
    assert np.isnan(row["total_gradient_norm"]).all()
    assert (row["total_update_norm"] > 0).all()


def test_a_budget_of_what_evaluates_nothing_begins_at_once() -> None:
    """Declared as no pass, it need not wait until the run can afford one: by a budget of a pass it would, for long."""
    budget = within_budget(0.01)
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [step_norms()], budget, optimizer=optimizer)
    taken(recorder, model, optimizer, steps=8)
    assert len(recorder.read("step_norms")["step"]) >= 1
    assert math.isfinite(budget.overhead)
