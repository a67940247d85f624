import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer import at, every, log_spaced


@given(st.integers(1, 50), st.integers(0, 1000))
def test_every_is_divisibility(n: int, step: int) -> None:
    """By definition."""
    assert every(n)(step) == (step % n == 0)


@given(st.integers(1, 20))
def test_log_spaced_is_the_rounded_geometric_sequence(per_decade: int) -> None:
    """The truth is the sequence written out: round(10^(k/n)) for k = 0, 1, ..., with step 0 before it."""
    expected = {0} | {round(10 ** (k / per_decade)) for k in range(3 * per_decade + 1)}
    assert {step for step in range(1001) if log_spaced(per_decade)(step)} == expected


@given(st.sets(st.integers(0, 100)))
def test_at_is_membership(steps: set[int]) -> None:
    """By definition."""
    assert {step for step in range(101) if at(*steps)(step)} == steps


def test_a_schedule_that_never_comes_is_refused() -> None:
    """A division by zero deep in the run is no error message."""
    with pytest.raises(ValueError, match="at least 1; found 0"):
        every(0)
    with pytest.raises(ValueError, match="at least 1; found 0"):
        log_spaced(0)
    for wrong in (lambda: every(2.5), lambda: at([1, 2])):
        with pytest.raises(TypeError, match="integer"):
            wrong()
