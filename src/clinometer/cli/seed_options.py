"""The options of every command that makes runs which say with what seeds."""

from dataclasses import dataclass
from typing import Any

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class SeedOptions:
    """Which seeds each arm is trained with."""

    seeds: int | None = None
    """Seeds per arm; the study's own number by default."""
    first_seed: int | None = None
    """The first of them; the study's own by default: 0 for pilots, 100 where a rule was fixed before the data."""

    def words(self) -> list[str]:
        """The options that were given, as the command line has them."""
        given = {"--seeds": self.seeds, "--first-seed": self.first_seed}
        return [word for name, value in given.items() if value is not None for word in (name, str(value))]

    def request(self) -> dict[str, Any]:
        """What study.json keeps of them."""
        return {"seeds": self.seeds}


AS_PLANNED = SeedOptions()
