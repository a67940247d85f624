"""The goals that alarms were built for, as claims: each is decided by an interval over held-out runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clinometer.papers.instability.scores.held_out import held_out
from clinometer.papers.instability.scores.score import AHEAD, BLAMED, PER, Score, Watched, score
from clinometer.papers.instability.scores.tune import STATED, watched
from clinometer.papers.instability.scores.tuned import tuned
from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Finding, Part, Variants
from clinometer.studies.comparison import PERCENT, Unit

_ALARMS = Unit(f"in {PER:,} steps")
_RULE = (
    "The default alert over all held-out runs, with the thresholds that the tuning half gave for one false alarm in "
    "10,000 healthy steps. It holds where the whole 95% interval lies {}, and fails where none of it does. {}"
)
_SHARE = "Clopper and Pearson's interval, with a design effect for breaks of one network by one cause."
_RATE = "Garwood's Poisson interval, with the dispersion between runs; episodes of alarms within 50 steps count once."


@dataclass(frozen=True)
class Goal:
    """A number of a score, and the bound that it should keep."""

    name: str
    estimate: Callable[[Score], Interval]
    low: float
    high: float
    unit: Unit


ANNOUNCED = Goal("breaks announced", lambda found: found.announced, 0.9, float("inf"), PERCENT)
FALSE = Goal("false alarms", lambda found: found.false_alarms, -float("inf"), 1.0, _ALARMS)
GUILTY = Goal("guilty block blamed", lambda found: found.guilty, 0.8, float("inf"), PERCENT)


def judge(goal: Goal, runs: Sequence[Watched]) -> Finding:
    """Decide a goal by some runs with the alarms that were given in them."""
    found = goal.estimate(score(runs))
    if not found.n:
        raise MissingRunsError(f"no run that {goal.name} could be counted in")
    return Finding((_part(goal, runs, found),), _note(score(runs)))


def _part(goal: Goal, runs: Sequence[Watched], found: Interval) -> Part:
    inside = goal.low <= found.low and found.high <= goal.high
    outside = found.high < goal.low or found.low > goal.high
    value, low, high = (goal.unit.shown(end) for end in (found.value, found.low, found.high))
    shown = Interval(value, low, high, found.n)
    bounds = (goal.unit.shown(goal.low), goal.unit.shown(goal.high))
    verdict = "holds" if inside else "fails" if outside else "undecided"
    return Part(goal.name, found, verdict, shown, goal.unit.name, bounds, p=_p(goal, runs))


def _p(goal: Goal, runs: Sequence[Watched]) -> float:
    """The level at which the interval just reaches the goal's bound: two-sided, by bisection."""
    end = goal.low if goal.low > -float("inf") else goal.high
    below, above = 0.0, 1.0  # levels of intervals that do not reach it, and that do
    for _ in range(40):
        level = (below + above) / 2
        found = goal.estimate(score(runs, level))
        below, above = (below, level) if found.low <= end <= found.high else (level, above)
    return 1 - below


def _note(found: Score) -> str:
    return f"{found.announced.n} breaks and {found.false_alarms.n:,} healthy steps."


def _claim(number: int, statement: str, bound: str, interval: str, goal: Goal) -> Claim:
    def compare(runs: RunTable, _variants: Variants) -> Finding:
        frozen = tuned()
        default = next(each for each in frozen.candidates if each.name == frozen.default)
        at = frozen.thresholds[default.name][STATED]
        return judge(goal, [watched(default, run, at) for run in held_out(runs)])

    ends = {name: end for name, end in (("low", goal.low), ("high", goal.high)) if abs(end) != float("inf")}
    return Claim(
        f"G{number}", statement, "the goals of this study", _RULE.format(bound, interval), ("lead",), compare, ends
    )


CLAIMS = (
    _claim(1, f"The default alert announces 90% of breaks {AHEAD} steps ahead", "above 90%", _SHARE, ANNOUNCED),
    _claim(2, f"It gives at most one false alarm in {PER:,} healthy steps", "below 1", _RATE, FALSE),
    _claim(3, f"It names the guilty block among its first {BLAMED} in 80%", "above 80%", _SHARE, GUILTY),
)
