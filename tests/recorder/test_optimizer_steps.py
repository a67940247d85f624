"""Which optimizer steps are detected: of the recorder's optimizers, of others, and of none."""

import contextlib
import copy
import gc
import itertools
import weakref
from typing import Any

import pytest
import torch
from loops import FORMS, begun
from models import batch, cross_entropy
from properties import assert_same
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks

from clinometer import Recorder, every, landscape
from clinometer.recorder import optimizer_steps


def pair() -> tuple[nn.Sequential, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def train(recorder: Recorder, optimizer: Any, form: str, steps: int, accumulate: int = 1) -> None:
    for index in range(steps * accumulate):
        with begun(recorder, batch(index), form):
            cross_entropy(recorder.model, batch(index)).backward()
            if index % accumulate == accumulate - 1:
                optimizer.step()
                optimizer.zero_grad()


def copied(model: nn.Module, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    return copy.deepcopy(optimizer, {id(p): p for p in model.parameters()})


def made_again(model: nn.Module, _optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.01)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("other", [copied, made_again])
def test_the_steps_of_another_optimizer_count_and_are_warned_of(other: Any, form: str, accumulate: int) -> None:
    """deepcopy drops an optimizer's hooks, and a second phase makes a new one: steps must not turn into batches."""
    model, optimizer = pair()
    recorder = Recorder(model, cross_entropy, [landscape()], every(2), optimizer=optimizer)
    train(recorder, optimizer, form, 2, accumulate)
    optimizer = other(model, optimizer)
    with pytest.warns(UserWarning, match=f"moved by a {type(optimizer).__name__} that the recorder was not given"):
        train(recorder, optimizer, form, 5, accumulate)
    assert recorder.read("landscape")["step"].tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("form", FORMS)
def test_a_gradient_that_a_hook_of_the_users_clips_is_the_one_that_was_used(form: str) -> None:
    """By hand: SGD goes lr · 0.05 along a gradient that is clipped to 0.05, and so does a walk of size 1."""
    model, optimizer = pair()
    kept = optimizer.register_step_pre_hook(lambda *_: nn.utils.clip_grad_norm_(model.parameters(), 0.05) and None)
    recorder = Recorder(model, cross_entropy, [landscape([1.0])], every(2), optimizer=optimizer)
    train(recorder, optimizer, form, 4)
    assert recorder.read("landscape")["distances"].ravel().tolist() == pytest.approx([0.005] * 2, rel=1e-3)
    assert list(optimizer._optimizer_step_pre_hooks) == [kept.id], "ours is gone"


@pytest.mark.parametrize("form", FORMS)
def test_optimizers_of_other_parameters_are_not_ours(form: str) -> None:
    """Another network's optimizer steps between ours: no warning, and no step is counted for it."""
    model, optimizer = pair()
    _, theirs = pair()
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    for _ in range(3):
        theirs.step()
        train(recorder, optimizer, form, 1)
        theirs.step()
    assert recorder.read("landscape")["step"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("form", FORMS)
def test_a_step_by_hand_is_warned_of_and_counted(form: str) -> None:
    """No optimizer reports it; if the step never ended, its batches would be kept for ever."""

    class ByHand:
        def step(self) -> None:
            for p in model.parameters():
                p.data -= 0.1 * p.grad

        def zero_grad(self) -> None:
            model.zero_grad()

    model, optimizer = pair()
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    with pytest.warns(UserWarning, match=r"took no step, but training went on.*Pass the optimizer that trains") as told:
        train(recorder, ByHand(), form, 4)
    assert len(told) == 1, "once"
    assert recorder.read("landscape")["step"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("when", [1, 10_000])
def test_an_optimizer_that_never_steps_is_warned_of_at_last(
    when: int, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other half of the model is trained: gradients of ours pile up as if they accumulated, for ever."""
    monkeypatch.setattr("clinometer.recorder.optimizer_steps._MANY", 20)
    model, _ = pair()
    ours, theirs = (torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[0], model[2]))
    recorder = Recorder(model, cross_entropy, [landscape()], every(when), optimizer=ours)
    train(recorder, theirs, form, 20)
    with pytest.warns(UserWarning, match="took no step, but training went on"):
        train(recorder, theirs, form, 1)


@pytest.mark.parametrize("form", FORMS)
def test_a_block_that_fails_is_no_step(form: str) -> None:
    """Out of memory, say, and the loop goes on with the next batch: the index is that of steps that were taken."""
    model, optimizer = pair()
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    with pytest.raises(MemoryError), recorder.step(batch(7)):
        raise MemoryError
    train(recorder, optimizer, form, 2)
    assert recorder.read("landscape")["step"].tolist() == [0, 1]


@pytest.mark.parametrize("form", FORMS)
def test_without_an_optimizer_each_batch_is_a_step(form: str) -> None:
    """Nothing reports a step: a line's is over when the next begins, and the last one when its rows are read."""
    model, optimizer = pair()
    recorder = Recorder(model, cross_entropy, [landscape([0.1], relative=False)], every(2))
    train(recorder, optimizer, form, 5)
    assert recorder.read("landscape")["step"].tolist() == [0, 2, 4]


@pytest.mark.parametrize("form", FORMS)
def test_two_recorders_detect_the_same_steps(form: str) -> None:
    """One measures seldom and much, another often and little; the truth is each by itself."""

    def rows(*when: int) -> list[Any]:
        model, optimizer = pair()
        recorders = [Recorder(model, cross_entropy, [landscape()], every(n), optimizer=optimizer) for n in when]
        for index in range(6):
            with contextlib.ExitStack() as steps:
                [steps.enter_context(begun(recorder, batch(index), form)) for recorder in recorders]
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
                optimizer.zero_grad()
        return [dict(recorder.read("landscape")) for recorder in recorders]

    assert_same(rows(1, 3), rows(1) + rows(3))


def test_one_hook_serves_all_recorders_and_keeps_none_alive() -> None:
    """Counted in torch's own table. They are collected while an optimizer steps, when torch refuses to lose a hook."""
    model, optimizer = pair()
    recorders = [Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer) for _ in range(3)]
    known = [weakref.ref(recorder) for recorder in recorders]
    train(recorders[0], optimizer, "line", 2)
    assert len(_global_optimizer_post_hooks) == 1
    optimizer.register_step_post_hook(lambda *_: (recorders.clear(), gc.collect())[0])
    optimizer.step()
    assert [reference() for reference in known] == [None] * 3


def test_a_recorder_may_be_collected_at_any_moment_of_a_step() -> None:
    """The collector runs after each of the first allocations of our hooks in turn, and takes a recorder out of them.

    Beside 24 others: Python keeps short tuples for later, and looks for garbage only as it makes a new one.
    """
    model, optimizer = pair()
    _others = [Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer) for _ in range(24)]
    hooks: list[Any] = [optimizer_steps._before_step, optimizer_steps._after_step]
    gc.collect()
    gc.freeze()
    thresholds = gc.get_threshold()
    try:
        for allocations, hook in itertools.product(range(1, 20), hooks):
            recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
            vars(recorder)["itself"] = recorder  # so that only the collector frees it
            recorder.step(batch())
            del recorder
            gc.set_threshold(gc.get_count()[0] + allocations)
            hook(optimizer, (), {})
            gc.set_threshold(0)
            gc.collect()
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
