"""Outcomes: what a run's facts must say, and to which half it belongs."""

import pytest

from clinometer.papers.instability.scores.outcome import Outcome, outcome_of

FACTS = {"cause": "lr", "tampered_block": "head", "from_step": 100, "broke_at": 180}


def outcome(**changes: object) -> Outcome:
    return outcome_of("run", {**FACTS, **changes}, half="tuning", steps=300, network="mlp")


@pytest.mark.parametrize(
    ("changes", "healthy_steps", "tampered", "untouched"),
    [
        ({}, 100, True, False),
        ({"broke_at": None}, 100, False, False),
        ({"broke_at": 99}, 0, False, True),
        ({"cause": "none", "from_step": None, "broke_at": None}, 300, False, False),
        ({"cause": "none", "from_step": None, "broke_at": 200}, 0, False, True),
        ({"from_step": 0}, 0, True, False),
    ],
)
def test_a_run_is_healthy_until_it_is_tampered_with(
    changes: dict[str, object], healthy_steps: int, tampered: bool, untouched: bool
) -> None:
    """By hand, from the definitions: healthy steps are those before the tampering, of runs that did not break there."""
    found = outcome(**changes)
    assert (found.healthy_steps, found.broke_tampered, found.broke_untouched) == (healthy_steps, tampered, untouched)


def test_runs_that_do_not_say_what_happened_are_refused() -> None:
    """A run of another study has no cause: to take it for healthy would make its break a false alarm."""
    with pytest.raises(ValueError, match=r"run other does not say its tampered_block, from_step, broke_at"):
        outcome_of("other", {"cause": "lr"}, half="tuning", steps=300, network="mlp")
    with pytest.raises(ValueError, match="from step 301 on and has 300 steps"):
        outcome(from_step=301)
