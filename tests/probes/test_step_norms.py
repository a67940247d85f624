"""The norms of a step, against a loop's own numbers, and that they cost no evaluation."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Recorder, every, layers_of, step_norms
from clinometer.measures.step_norms import step_norms as norms_of
from clinometer.objective.lengths import lengths

Batch = tuple[Tensor, Tensor]


def never(_model: nn.Module, _batch: Batch) -> Tensor:
    """The recorder's loss function, of which nobody must ask a value."""
    raise AssertionError("the loss was evaluated")


def trained(
    make: Callable[[Any], torch.optim.Optimizer], steps: int = 4, accumulate: int = 1
) -> tuple[Recorder, list[dict[str, Any]]]:
    """A loop that clips, and what it sees itself: loss, gradients, weights before and after each step."""
    model = everything()
    optimizer = make(model.parameters())
    recorder = Recorder(model, never, [step_norms()], every(1), optimizer=optimizer)
    moved = {name: p for name, p in model.named_parameters() if p.requires_grad}
    seen: list[dict[str, Any]] = []
    for index in range(steps):
        before = {name: p.detach().numpy().copy() for name, p in moved.items()}
        loss = 0.0
        for part in range(accumulate):
            recorder.step(data := batch(index * accumulate + part))
            of_part = cross_entropy(model, data) / accumulate
            of_part.backward()
            loss += of_part.item()
        nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        none = torch.zeros(1)
        gradient = {name: (none if p.grad is None else p.grad).numpy().copy() for name, p in moved.items()}
        optimizer.step()
        optimizer.zero_grad()
        after = {name: p.detach().numpy().copy() for name, p in moved.items()}
        seen.append({"loss": loss, "gradient": gradient, "before": before, "after": after})
    return recorder, seen


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize(
    "make", [lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.optim.AdamW(p, lr=0.01)]
)
def test_they_are_those_of_the_loop(make: Callable[[Any], torch.optim.Optimizer], accumulate: int) -> None:
    """NumPy takes the norms of what the loop itself holds before and after its step, clipped by torch."""
    recorder, seen = trained(make, accumulate=accumulate)
    rows = recorder.read("step_norms")
    layers = layers_of(recorder.model)
    for index, step in enumerate(seen):
        assert list(rows["block"][index]) == list(layers)
        update = {name: step["after"][name] - before for name, before in step["before"].items()}
        for field, of in (("gradient", step["gradient"]), ("update", update), ("weight", step["before"])):
            expected = [np.sqrt(sum(np.square(of[name], dtype=float).sum() for name in layers[b])) for b in layers]
            np.testing.assert_allclose(rows[f"{field}_norm"][index], expected, rtol=1e-5)
            total = np.sqrt(sum(np.square(each, dtype=float).sum() for each in of.values()))
            assert rows[f"total_{field}_norm"][index] == pytest.approx(total, rel=1e-5)
        np.testing.assert_array_equal(
            rows["update_ratio"][index], rows["update_norm"][index] / rows["weight_norm"][index]
        )
        assert rows["loss"][index] == pytest.approx(step["loss"], rel=0 if accumulate == 1 else 1e-6)


def test_plain_descent_moves_by_its_rate_times_the_gradient() -> None:
    """By hand: SGD without momentum has ‖update‖ = lr ‖g‖ in each block, and clipping to 0.3 leaves ‖g‖ ≤ 0.3."""
    recorder, _ = trained(lambda p: torch.optim.SGD(p, lr=0.5))
    rows = recorder.read("step_norms")
    np.testing.assert_allclose(rows["update_norm"], 0.5 * rows["gradient_norm"], rtol=1e-3)
    np.testing.assert_allclose(rows["total_gradient_norm"], 0.3, rtol=1e-4)


def test_what_is_unknown_is_nan() -> None:
    """Without an optimizer nobody knows the gradient that was used; gradients set by hand have no loss."""
    model = nn.Linear(2, 1)
    recorder = Recorder(model, never, [step_norms()], every(1))
    for _ in range(2):
        with recorder.step((torch.ones(1, 2), torch.ones(1))):
            model(torch.ones(1, 2)).sum().backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= 0.1
    rows = recorder.read("step_norms")
    assert np.isnan(rows["gradient_norm"]).all()
    assert np.isnan(rows["total_gradient_norm"]).all()
    np.testing.assert_allclose(rows["total_update_norm"], 0.1 * math.sqrt(3), rtol=1e-5)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, never, [step_norms()], every(1), optimizer=optimizer)
    with recorder.step((torch.ones(1, 2), torch.ones(1))):
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
    row = recorder.read("step_norms")
    assert np.isnan(row["loss"]).all()
    np.testing.assert_allclose(row["total_gradient_norm"], math.sqrt(3), rtol=1e-6)


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=5), min_size=1, max_size=6))
def test_totals_are_the_hypotenuse_of_blocks(values: list[list[float]]) -> None:
    """Pythagoras: blocks that share no parameter, and hold all, have the total norm together; NumPy has each.

    To 1e-18: squares of what is smaller fall below the least float32, as they do in `torch.linalg.vector_norm`.
    """
    point = {str(number): torch.tensor(each) for number, each in enumerate(values)}
    blocks = {name: (name,) for name in point}
    found = norms_of(point, {name: -value for name, value in point.items()}, lengths(point), blocks)
    expected = [np.linalg.norm(np.array(each, dtype=float)) for each in values]
    np.testing.assert_allclose(found.weight, expected, rtol=1e-5, atol=1e-18)
    np.testing.assert_allclose(found.update, 2 * found.weight, rtol=1e-6)
    np.testing.assert_allclose(found.total_weight, np.linalg.norm(expected), rtol=1e-5, atol=1e-18)


def test_a_wrong_pattern_is_refused_before_the_first_step() -> None:
    """Bad input: a pattern that matches nothing, in words."""
    with pytest.raises(ValueError, match="no trainable parameter is called 'nowhere"):
        Recorder(nn.Linear(1, 1), never, [step_norms(["nowhere.*"])], every(1))
