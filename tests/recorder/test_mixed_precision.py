"""Autocast and gradient scaling: where the loop rounds, what it skips, and what is measured meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from loops import FORMS, STEPS, Loop, Run, assert_measured, ran
from models import batch, cross_entropy, everything
from torch import Tensor, nn
from torch.optim import Optimizer

HALF = 2.0**-8  # bfloat16 rounds a number by so much; a few layers in a row add up to some of it
BFLOAT16 = torch.autocast("cpu", torch.bfloat16)


def cast_loss(model: nn.Module, data: Any) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return cross_entropy(model, data)


def trained(run: Run, where: str, **options: Any) -> None:
    """The region lies around the forward pass, in the loss function, or around all of the step."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = cast_loss if where == "loss_fn" else cross_entropy
    run.attach(model, loss_fn, optimizer, **options)
    for index in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16, enabled=where == "all"), run.step(batch(index)):
            with torch.autocast("cpu", torch.bfloat16, enabled=where in ("all", "forward")):
                loss = loss_fn(model, batch(index))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        run.took(loss)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["forward", "loss_fn", "all"])
def test_autocast_is_off_while_measuring(where: str, form: str) -> None:
    """The truth is the same step without autocast: the same bits, where training's own are rounded."""
    run = assert_measured(lambda run: trained(run, where), form, 4 * HALF)
    exact = ran(lambda run: trained(run, "nowhere"), "plain").losses[0]
    assert run.seen[0].loss == exact != run.losses[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["loss_fn", "all"])
def test_autocast_is_on_where_that_is_asked_for(where: str, form: str) -> None:
    """The truth is the loop's own loss, bit for bit, rounded as it was; and moved weights are cast again."""
    run = assert_measured(lambda run: trained(run, where, precision="training"), form)
    assert run.recorder
    losses = run.recorder.read("landscape")["losses"]
    assert all(len(set(row)) == len(row) for row in losses.tolist()), "casts are remembered: nothing moves"


@pytest.mark.parametrize("form", FORMS)
def test_a_fitted_regression_is_no_false_alarm(form: str) -> None:
    """Near a loss of zero rounding is all that is left of it: the losses differ by half, and nothing is wrong."""

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        return (model(x) - x).square().mean()

    def loop(run: Run) -> None:
        model = nn.Linear(4, 4, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        run.attach(model, loss_fn, optimizer)
        for _ in range(100):
            x = torch.randn(8, 4)
            with run.step(x):
                with torch.autocast("cpu", torch.bfloat16):
                    loss = loss_fn(model, x)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            run.took(loss)

    run = assert_measured(loop, form, tolerance=1e3)
    gaps = [abs(float(step.loss) / float(run.losses[index]) - 1) for index, step in run.seen.items()]
    assert max(gaps) > 0.1, "else this test says nothing"


def scaled(
    make: Callable[[nn.Module], Optimizer],
    init_scale: float = 2.0**16,
    clip: bool = False,
    accumulate: int = 1,
    divide: str = "before",
    bottom: bool = True,
    overflows: tuple[int, ...] = (),
) -> Loop:
    """Float16, with losses scaled so that small gradients survive it; a step whose gradients overflow is skipped."""

    def loop(run: Run) -> None:
        model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Tanh(), nn.Linear(16, 4))
        optimizer = make(model)
        scaler = torch.amp.GradScaler("cpu", init_scale=init_scale, growth_interval=3)
        run.attach(model, cross_entropy, optimizer)
        total = torch.zeros(())
        for index in range(STEPS * accumulate):
            data = batch(index)
            if index in overflows:
                data[0][0, 0] = 1e5  # infinite in float16
            with run.step(data):
                if not bottom and index % accumulate == 0:
                    optimizer.zero_grad()
                with torch.autocast("cpu", torch.float16):
                    loss = cross_entropy(model, data)
                if divide == "before":
                    scaler.scale(loss / accumulate).backward()
                else:
                    (scaler.scale(loss) / accumulate).backward()
                total = total + loss.detach() / accumulate
                if index % accumulate == accumulate - 1:
                    if clip:
                        scaler.unscale_(optimizer)
                        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                    before = [p.detach().clone() for p in model.parameters()]
                    scaler.step(optimizer)
                    scaler.update()
                    fused = optimizer.defaults.get("fused")
                    moved = any(not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
                    if moved or fused:
                        run.took(total)
                    total = torch.zeros(())
                    if bottom:
                        optimizer.zero_grad()

    return loop


def sgd(model: nn.Module) -> Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def fused(model: nn.Module) -> Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)


SCALED: dict[str, Loop] = {
    "plain": scaled(sgd),
    "cleared at the top": scaled(sgd, bottom=False),
    "clipped": scaled(sgd, clip=True),
    "a scale that starts too large": scaled(sgd, init_scale=2.0**20),
    "too large, cleared at the top": scaled(sgd, init_scale=2.0**20, bottom=False),
    "too large, clipped": scaled(sgd, init_scale=2.0**20, clip=True),
    "overflows now and then": scaled(sgd, overflows=(2, 3)),
    "accumulated": scaled(sgd, accumulate=3),
    "accumulated, divided after scaling": scaled(sgd, accumulate=3, divide="after"),
    "accumulated, overflowing": scaled(sgd, accumulate=3, overflows=(0, 7, 8)),
    "fused": scaled(fused),
    "fused, too large": scaled(fused, init_scale=2.0**20),
    "fused, overflowing": scaled(fused, overflows=(2, 3)),
    "fused, accumulated": scaled(fused, accumulate=3),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SCALED)
def test_scaled_losses_are_no_false_alarm_and_skipped_steps_no_steps(name: str, form: str) -> None:
    """The truth is the loop without a recorder; a skipped step is none, but where a fused optimizer hides the skip."""
    run = assert_measured(SCALED[name], form, 4 * HALF)
    if "large" in name and "fused" not in name:
        assert 2 < len(run.losses) < STEPS, "some were skipped, some were not"
