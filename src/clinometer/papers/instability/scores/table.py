"""The table of scores: a line for each alert, by itself and for each half, as JSON and as Markdown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clinometer.papers.instability.scores.score import AHEAD, BLAMED, PER, Score, score
from clinometer.papers.instability.scores.tune import STATED, Traced, watched
from clinometer.papers.instability.scores.tuned import Tuned
from clinometer.results.statistics import Interval
from clinometer.training.files import finite

HALVES = {  # what a part of the table is called, to the halves that are in it
    "all held out": ("held-out causes", "held-out seeds"),
    "causes that no rule was tuned on": ("held-out causes",),
    "known causes, other seeds": ("held-out seeds",),
    "tuning half": ("tuning",),
}
_HEAD = (
    "alert",
    f"breaks announced ≥ {AHEAD} steps ahead",
    "of those that could be",
    "lead, median [quartiles]",
    f"false alarms / {PER:,} healthy steps",
    f"guilty block in top {BLAMED}",
)


@dataclass(frozen=True)
class Line:
    """An alert's score on some of the runs."""

    part: str  # a row of HALVES
    alert: str
    kind: str
    is_default: bool
    score: Score

    def as_json(self) -> dict[str, Any]:
        """Its fields; numbers that are not finite become null."""
        return _finite(asdict(self))


def lines(tuned: Tuned, runs: Sequence[Traced], rate: float = STATED) -> list[Line]:
    """The score of every candidate on every part of the corpus that has runs, the default first.

    Args:
        tuned: The frozen thresholds.
        runs: Of any half, with the traces of all candidates.
        rate: That the thresholds are for.
    """
    first = sorted(tuned.candidates, key=lambda each: (each.name != tuned.default, each.kind))
    found: list[Line] = []
    for part, halves in HALVES.items():
        among = [run for run in runs if run.outcome.half in halves]
        for candidate in first if among else ():
            at = tuned.thresholds[candidate.name][rate]
            seen = score([watched(candidate, run, at) for run in among])
            found.append(Line(part, candidate.name, candidate.kind, candidate.name == tuned.default, seen))
    return found


def markdown(found: Sequence[Line]) -> str:
    """A table for each part."""
    parts = dict.fromkeys(line.part for line in found)
    return "\n".join(_part(part, [line for line in found if line.part == part]) for part in parts)


def _part(part: str, found: Sequence[Line]) -> str:
    one = found[0].score
    runs = f"{one.announced.n} breaks, {one.false_alarms.n:,} healthy steps"
    left_out = f"{one.harmless} runs were tampered with and did not break: they are neither hits nor misses"
    alone = f"; {one.untouched} broke before that and are left out" if one.untouched else ""
    rows = [" | ".join(_HEAD), " | ".join("---" for _ in _HEAD), *(_row(line) for line in found)]
    table = "\n".join(f"| {row} |" for row in rows)
    return f"**{part[0].upper()}{part[1:]}**: {runs}. {left_out}{alone}.\n\n{table}\n"


def _row(line: Line) -> str:
    found = line.score
    name = f"**{line.alert}** (default)" if line.is_default else line.alert
    low, median, high = found.leads
    lead = "–" if math.isnan(median) else f"{median:.0f} [{low:.0f}, {high:.0f}]"
    shares = (found.announced, found.of_possible)
    told = [_share(each) for each in shares]
    return " | ".join([name, *told, lead, _rate(found.false_alarms), _share(found.guilty)])


def _share(found: Interval) -> str:
    if not found.n:
        return "–"
    return f"{100 * found.value:.0f}% [{100 * found.low:.0f}, {100 * found.high:.0f}] of {found.n}"


def _rate(found: Interval) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]" if found.n else "–"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return finite(value) if isinstance(value, float) else value
