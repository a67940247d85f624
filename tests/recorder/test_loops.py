"""Loops as users write them: measured, they end as they would have, and the rows are about their own steps."""

import contextlib
import io
from collections.abc import Callable

import pytest
import torch
from loops import FORMS, STEPS, Loop, Run, assert_measured
from models import batch, cross_entropy, everything
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def with_schedule(make: Callable[[Optimizer], torch.optim.lr_scheduler.LRScheduler]) -> Loop:
    def loop(run: Run) -> None:
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scheduler = make(optimizer)
        run.attach(model, cross_entropy, optimizer)
        for index in range(STEPS):
            with run.step(batch(index)):
                optimizer.zero_grad()
                loss = cross_entropy(model, batch(index))
                loss.backward()
                optimizer.step()
            run.took(loss)
            scheduler.step()

    return loop


def clipped(clip: Callable[[nn.Module], object]) -> Loop:
    def loop(run: Run) -> None:
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, cross_entropy, optimizer)
        for index in range(STEPS):
            with run.step(batch(index)):
                optimizer.zero_grad()
                loss = cross_entropy(model, batch(index))
                loss.backward()
                clip(model)
                optimizer.step()
            run.took(loss)

    return loop


def cleared_at_the_bottom(set_to_none: bool) -> Loop:
    def loop(run: Run) -> None:
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, cross_entropy, optimizer)
        for index in range(STEPS):
            with run.step(batch(index)):
                loss = cross_entropy(model, batch(index))
                loss.backward()
                optimizer.step()
            run.took(loss)
            optimizer.zero_grad(set_to_none=set_to_none)

    return loop


def averaged(run: Run) -> None:
    model = everything()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    run.attach(model, cross_entropy, optimizer)
    run.kept.append((average, optimizer))
    for index in range(STEPS):
        with run.step(batch(index)):
            optimizer.zero_grad()
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
            average.update_parameters(model)
        run.took(loss)


def unfrozen(run: Run) -> None:
    """The head first, the rest from the third step on."""
    model = everything()
    parts = [model.first, model.norm, model.second]
    for part in parts:
        part.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1, momentum=0.9)
    run.attach(model, cross_entropy, optimizer)
    for index in range(STEPS):
        if index == 3:
            for part in parts:
                optimizer.add_param_group({"params": list(part.requires_grad_(True).parameters()), "lr": 0.05})
        with run.step(batch(index)):
            optimizer.zero_grad()
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
        run.took(loss)
    assert not run.seen or (len(run.seen[2].before), len(run.seen[4].before)) == (2, 8)


def saved_and_loaded(run: Run) -> None:
    model = everything()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    run.attach(model, cross_entropy, optimizer)
    for index in range(STEPS):
        with run.step(batch(index)):
            optimizer.zero_grad()
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
        run.took(loss)
        file = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        kept = torch.load(file, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])


def validated(run: Run) -> None:
    """Between steps the model is evaluated in the other mode, on random data."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    run.attach(model, cross_entropy, optimizer)
    for index in range(STEPS):
        model.train()
        with run.step(batch(index)):
            optimizer.zero_grad()
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
        run.took(loss)
        model.eval()
        with torch.no_grad():
            model(torch.randn(4, 6) + torch.rand(()))


def halves(run: Run) -> None:
    model = everything()
    both = [
        torch.optim.SGD([*model.first.parameters(), *model.norm.parameters()], lr=0.1, momentum=0.9),
        torch.optim.Adam([*model.second.parameters(), *model.head.parameters()], lr=0.01),
    ]
    run.attach(model, cross_entropy, both)
    for index in range(STEPS):
        with run.step(batch(index)):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            for optimizer in both:
                optimizer.step()
                optimizer.zero_grad()
        run.took(loss)


def one_half(run: Run) -> None:
    """The recorder is told of one optimizer of two: the other's parameters are held."""
    model = everything()
    ours = torch.optim.SGD([*model.second.parameters(), *model.head.parameters()], lr=0.1, momentum=0.9)
    other = torch.optim.SGD([*model.first.parameters(), *model.norm.parameters()], lr=0.1)
    run.attach(model, cross_entropy, ours)
    for index in range(STEPS):
        with run.step(batch(index)):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            ours.step()
            other.step()
            model.zero_grad()
        run.took(loss)
    assert not run.seen or list(run.seen[0].before) == ["second.weight", "second.bias", "head.weight", "head.bias"]


LOOPS: dict[str, Loop] = {
    "one cycle": with_schedule(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.2, total_steps=STEPS + 1)),
    "warm-up from zero": with_schedule(lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: step / 4)),
    "clipped norm": clipped(lambda m: nn.utils.clip_grad_norm_(m.parameters(), 0.1)),
    "clipped values": clipped(lambda m: nn.utils.clip_grad_value_(m.parameters(), 0.01)),
    "cleared at the bottom": cleared_at_the_bottom(set_to_none=True),
    "cleared at the bottom, to zeros": cleared_at_the_bottom(set_to_none=False),
    "averaged": averaged,
    "unfrozen": unfrozen,
    "saved and loaded": saved_and_loaded,
    "validated": validated,
    "two halves": halves,
    "one half of two": one_half,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOOPS)
def test_measured_it_is_the_same_run(name: str, form: str) -> None:
    """The truth is the loop without a recorder: its last bit, its own losses, and where its optimizer went."""
    said = contextlib.nullcontext()
    if name == "clipped values":
        said = pytest.warns(UserWarning, match="not that of loss_fn: their cosine.*The losses agree")
    with said:
        assert_measured(LOOPS[name], form)
