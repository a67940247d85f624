"""Probes that measure a step on other batches than its own."""

import contextlib
from typing import Any

import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same
from torch.utils.data import DataLoader

from clinometer import (
    Batches,
    Recorder,
    Step,
    every,
    headroom,
    internal_shift,
    landscape,
    noise_floor,
    walk,
    within_budget,
)
from clinometer.objective.params import scale

MAKERS = [landscape, headroom, internal_shift, noise_floor]


def recorded(probes: Any, steps: int = 3, clip: float | None = None) -> Recorder:
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    recorder = Recorder(model, cross_entropy, probes, every(1), optimizer=optimizer)
    for index in range(steps):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
    return recorder


@pytest.mark.parametrize("make", MAKERS)
def test_on_the_batch_of_the_step_itself_the_row_is_the_same(make: Any) -> None:
    """Buffers, modes and draws are those of the step's start, so one batch, given again, must give the same bits."""
    found = recorded([make(), make(batches=[batch(0)])], steps=1)
    name = make.__name__
    own, given = dict(found.read(name)), dict(found.read(f"{name}_batches"))
    assert_same({field: given[field] for field in own}, own)  # headroom tells more of other batches


def test_the_direction_is_that_of_the_step() -> None:
    """The truth is a walk over the mean loss along the gradient of the step's own batch, clipped as it was."""
    others = Batches([batch(7), batch(8)])
    lines: list[Any] = []

    def by_hand(step: Step) -> dict[str, float]:
        on = step.on(others)
        assert step.factor < 1
        assert on.factor == step.factor
        lines.append(walk(on.objective, step.before, scale(step.gradient, -1.0), [0.1 * step.factor]))
        return {}

    recorder = recorded([by_hand, landscape([1.0], batches=others)], steps=1, clip=0.1)
    row = recorder.read("landscape_batches")
    for field in ("losses", "grad_gaps", "cosines", "distances"):
        torch.testing.assert_close(torch.tensor(row[field][0]), getattr(lines[0], field), rtol=0, atol=0)


def test_probes_with_the_same_batches_share_the_start() -> None:
    """Counted in calls of the loss: two walks of one size on two batches take 2 for the start and 2 each."""
    others = Batches([batch(7), batch(8)])
    calls: list[int] = []

    def counted(step: Step) -> dict[str, float]:
        calls.append(step.on(others) is step.on(others))
        return {}

    told: list[int] = []
    shared = Batches([batch(7), batch(8)], progress=lambda done, _total: told.append(done))
    recorded([counted, landscape([1.0], batches=shared), noise_floor(batches=shared)], steps=1)
    # The start, a size, and the noise floor's four evaluations.
    assert calls == [True]
    assert told == [1, 2] * 6


def test_a_loader_that_shuffles_leaves_the_run_as_it_is() -> None:
    """The truth is the run without it: the loader takes its order from torch's global stream."""

    def run(measured: bool) -> Any:
        torch.manual_seed(3)
        loader: Any = DataLoader(list(zip(*batch(9), strict=True)), 4, shuffle=True)
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(model, cross_entropy, [landscape(batches=loader)], every(2), optimizer=optimizer)
        losses: list[float] = []
        for each in [*loader, *loader]:
            with recorder.step(each) if measured else contextlib.nullcontext():
                loss = cross_entropy(model, each)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.item())
        return losses, torch.get_rng_state()

    assert_same(run(measured=True), run(measured=False))


def test_names_cost_and_fields_say_that_there_are_several() -> None:
    """A budget starts from the declared cost: with three batches, three passes for the start and each size."""
    probe: Any = landscape([1.0, 2.0], batches=[batch(0)] * 3)
    assert probe.__name__ == "landscape_batches"
    assert probe.cost == 9
    assert "several batches" in probe.fields["beta"].meaning
    assert probe.fields["loss"].meaning != landscape().fields["loss"].meaning  # pyright: ignore[reportFunctionMemberAccess]
    names = {make(batches=[batch(0)]).__name__ for make in MAKERS}
    assert names == {f"{make.__name__}_batches" for make in MAKERS}


def test_a_loader_without_batches_is_refused_before_the_first_step() -> None:
    """Hours later it would cost the rows."""
    empty: DataLoader[Any] = DataLoader([], 4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at least one batch"):
        Recorder(everything(), cross_entropy, [noise_floor(batches=empty)], within_budget(0.5))
