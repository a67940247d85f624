"""The options of every command that makes runs which say with what seeds."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from clinometer.studies.plan import Plan
from clinometer.studies.study import MOST_SEEDS
from clinometer.studies.until_decided import fewest_seeds, taken_up

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Bound:
    """Where `--until-decided` ends, decided or not."""

    most: int  # seeds of an arm
    seconds: float  # of making runs
    budget: str  # as it was given


@Parameter(name="*")
@dataclass(frozen=True)
class SeedOptions:
    """Which seeds each arm is trained with."""

    seeds: int | None = None
    """Seeds per arm; the study's own number by default."""
    first_seed: int | None = None
    """The first of them; the study's own by default: 0 for pilots, 100 where a rule was fixed before the data."""
    until_decided: Annotated[bool, Parameter(negative="")] = False
    """Add seeds to the arms of open claims, look by look, until all claims are decided or a bound is reached."""
    max_seeds: int | None = None
    """With --until-decided: the most seeds of an arm, at which the last look is taken."""
    budget: str | None = None
    """With --until-decided: how long this command may make runs, such as 90s, 30m or 2h."""

    def check(self) -> None:
        """Raise ValueError if the options do not go together; called before any work is spent."""
        if self.until_decided and self.max_seeds is None and self.budget is None:
            raise ValueError("--until-decided needs a bound: say --max-seeds 50, --budget 2h, or both.")
        for name, value in {"--max-seeds": self.max_seeds, "--budget": self.budget}.items():
            if value is not None and not self.until_decided:
                raise ValueError(f"{name} is a bound of --until-decided: say both, or neither.")
        if self.max_seeds is not None and not 1 <= self.max_seeds <= MOST_SEEDS:
            raise ValueError(f"--max-seeds must lie in 1 to {MOST_SEEDS}; found {self.max_seeds}.")
        self.bound()

    def bound(self) -> Bound | None:
        """Where to end; None without --until-decided."""
        if not self.until_decided:
            return None
        seconds = math.inf if self.budget is None else _seconds(self.budget)
        return Bound(self.max_seeds or MOST_SEEDS, seconds, self.budget or "")

    def continued(self, plan: Plan, folder: Path) -> Plan:
        """The plan of this command: with --until-decided it goes on where the study in the folder stopped.

        Raises:
            ValueError: if there would be more seeds than --max-seeds from the start.
        """
        if not self.until_decided:
            return plan
        plan = taken_up(plan, folder)
        for claim in plan.claims:
            if plan.arms_of(claim) and (count := fewest_seeds(plan, claim)) > (self.max_seeds or MOST_SEEDS):
                raise ValueError(
                    f"--max-seeds {self.max_seeds} is less than the {count} seeds that claim {claim.id} begins with; "
                    f"say --max-seeds {count} or more."
                )
        return plan

    def words(self) -> list[str]:
        """The options that were given, as the command line has them."""
        given = {"--seeds": self.seeds, "--first-seed": self.first_seed}
        bounds = {"--max-seeds": self.max_seeds, "--budget": self.budget}
        flag = ["--until-decided"] * self.until_decided
        numbers = [[name, str(value)] for name, value in {**given, **bounds}.items() if value is not None]
        return [*flag, *(word for pair in numbers for word in pair)]


AS_PLANNED = SeedOptions()


def _seconds(text: str) -> float:
    """A time in seconds.

    Example:
        >>> _seconds("90s"), _seconds("1.5h")
        (90.0, 5400.0)
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh])", text.strip())
    if not found or not float(found[1]):
        raise ValueError(f"--budget: expected a time such as 90s, 30m or 2h; found {text!r}.")
    return float(found[1]) * _UNITS[found[2]]
