"""The thresholds that the tuning half gave, as they were frozen before any other run was looked at."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from clinometer.papers.instability.scores.candidates import CANDIDATES, Candidate

FILE = "tuned.json"  # beside this module; `clinometer.papers.instability.scores.tuning` writes it


@dataclass(frozen=True)
class Tuned:
    """The thresholds of every candidate by the rate of false alarms that they are for, and which is the default."""

    default: str
    command: str  # that made it
    runs: int  # of the tuning half
    healthy_steps: int  # in these
    thresholds: Mapping[str, Mapping[float, tuple[float, ...]]]  # candidate to rate to the threshold of each member

    @property
    def rates(self) -> tuple[float, ...]:
        """The rates that all candidates have thresholds for, per 10,000 healthy steps, falling."""
        return tuple(next(iter(self.thresholds.values())))

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Those that were tuned."""
        return tuple(each for each in CANDIDATES if each.name in self.thresholds)

    def as_json(self) -> str:
        """What `from_json` reads."""
        rows = {name: {f"{rate:g}": list(at) for rate, at in of.items()} for name, of in self.thresholds.items()}
        return json.dumps({**vars(self), "thresholds": rows}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Tuned":
        """The thresholds that `as_json` wrote."""
        found = json.loads(text)
        rows = {
            name: {float(rate): tuple(at) for rate, at in of.items()} for name, of in found.pop("thresholds").items()
        }
        return cls(**found, thresholds=rows)


@functools.cache
def tuned() -> Tuned:
    """What was frozen."""
    return Tuned.from_json((files("clinometer.papers.instability.scores") / FILE).read_text(encoding="utf-8"))
