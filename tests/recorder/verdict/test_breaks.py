"""The break rule, on series whose break is known because they were made so, and its invariances."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.recorder.verdict.breaks import STAY, broke_at

FALLING = [2.4, 2.0, 1.5, 1.0, 0.7, 0.5, 0.4, 0.4]  # half of what was learned is gone above 1.4
SERIES = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        (FALLING, None),
        ([*FALLING, *[1.5] * STAY], 8),
        ([*FALLING, *[1.3] * 50], None),  # less than half is lost
        ([*FALLING, *[9.0] * (STAY - 1), 1.3], None),  # a spike that comes back
        ([*FALLING, *[1.5] * 4, 1.3, *[1.5] * STAY], 13),  # counted anew after it came back
        ([*FALLING, 0.4, math.nan], 9),
        ([*FALLING, 1.5, 3.0, 40.0, math.inf], 8),  # it had left before it became infinite
        ([*FALLING, 1.5, 1.3, math.inf], 10),
        ([2.4] * 100, None),  # a network that never learned has lost nothing
        ([2.4] * 5 + [2.9] * 30, None),  # above its start by a fifth
        ([2.4] * 5 + [3.1] * 30, 5),  # and by more than a quarter
        ([math.nan], 0),
        ([2.4, 1.9, *[2.2] * 30], None),  # half of the little that was learned
    ],
)
def test_it_finds_the_break_of_a_series_that_was_made_with_one(losses: list[float], step: int | None) -> None:
    """The truth is known by construction: each series is made to break at this step, or not to."""
    assert broke_at(losses) == step


@given(SERIES, st.integers(-20, 20))
def test_the_unit_of_the_loss_does_not_move_it(losses: list[float], power: int) -> None:
    """A power of two scales floats exactly, so nothing but the rule could move the answer."""
    assert broke_at([loss * 2.0**power for loss in losses]) == broke_at(losses)


@given(SERIES, st.integers(1, 40))
def test_healthy_steps_afterwards_do_not_move_it(losses: list[float], count: int) -> None:
    """A step at the best loss so far is healthy by any rule."""
    assert broke_at([*losses, *[min(losses)] * count]) == broke_at(losses)


@given(SERIES, SERIES)
def test_what_comes_later_never_moves_a_break(losses: list[float], more: list[float]) -> None:
    """An alarm's lead time would otherwise depend on how long a broken run was kept alive."""
    found = broke_at(losses)
    if found is not None:
        assert broke_at([*losses, *more]) == found


@given(SERIES)
def test_the_break_is_above_all_that_came_before(losses: list[float]) -> None:
    """A consequence that does not repeat the rule: the loss at the break is above the best before it."""
    found = broke_at(losses)
    if found is not None:
        assert losses[found] > min(losses[: found + 1][:-1] or [0.0])


def test_no_losses_are_refused() -> None:
    """A run without a step neither broke nor did not."""
    with pytest.raises(ValueError, match="no losses"):
        broke_at([])
