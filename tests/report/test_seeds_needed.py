"""How many seeds an undecided claim would take, from its row alone."""

from collections.abc import Sequence
from typing import Any

import pytest

from clinometer.report.seeds_needed import seeds_needed_text

AROUND_ONE = [0.1, 1.9, 1.0, 0.4, 1.6]  # mean 1, in deviations 1.3


def part(samples: Sequence[float | None], unit: str = "", low: float | None = 0.0, **facts: Any) -> dict[str, Any]:
    """An undecided part."""
    return {"verdict": "undecided", "unit": unit, "bounds": [low, None], "samples": list(samples), "remark": ""} | facts


def test_factors_are_compared_as_logarithms() -> None:
    """The same samples as logarithms and as the factors that they stand for need the same seeds."""
    factors = part([10**value for value in AROUND_ONE], "factor", 1.0)
    said = [seeds_needed_text({"parts": [each]}) for each in (part(AROUND_ONE), factors)]
    assert said[0] == said[1]
    assert said[0].startswith("about ")


def test_a_claim_holds_with_its_slowest_part_and_fails_with_its_fastest() -> None:
    """One that leans to failing decides alone, but at half the error, so that it takes longer than by itself."""
    slow, failing = part([-0.4, 1.9, 1.0, 0.0, 1.0]), part([-value for value in AROUND_ONE])
    decided = part([], verdict="holds")

    def seeds(*parts: dict[str, Any]) -> int:
        return int(seeds_needed_text({"parts": list(parts)}).split()[1])

    assert seeds(part(AROUND_ONE), slow, decided) == seeds(slow) > seeds(part(AROUND_ONE)) == seeds(failing)
    assert seeds(failing) < seeds(failing, slow) < seeds(slow)


@pytest.mark.parametrize("samples", [[], [1.0], [1.0, None, 2.0]], ids=["none", "one", "not finite"])
def test_nothing_is_said_where_nothing_can_be_known(samples: list[float | None]) -> None:
    """A wrong number would be worse than none."""
    assert seeds_needed_text({"parts": [part(samples)]}) == ""
    assert seeds_needed_text({"parts": [part(AROUND_ONE), part(samples)]}) == ""


def test_a_delay_that_never_ends_is_long() -> None:
    """The sign test takes it as larger than the bound: ten such, all above, need no more than those seeds."""
    assert seeds_needed_text({"parts": [part([None] * 10, "steps", 90.0)]}).startswith("a few more seeds")
