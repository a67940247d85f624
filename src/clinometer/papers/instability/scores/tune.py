"""The thresholds of all alerts, and the choice of the default, from the tuning half of the corpus alone.

The rule, which was written before it was applied to the corpus:

1.  Each candidate is calibrated for one false alarm in 10,000 healthy steps, and scored by leaving one network out at a
    time: its runs are scored with thresholds from the healthy steps of the other networks.
2.  A candidate may become the default if it reads nothing that takes a pass, so that it fits every budget, and if its
    false alarms by 1. are at most 2 in 10,000: closer, so few healthy steps cannot tell.
3.  Of these the one that announces the largest share of breaks at least 20 steps ahead is the default. Candidates whose
    share is less by no more than one break are as good: of them the one that blames the guilty block most often, and
    then the one with the fewest members.

How few healthy steps there are limits what can be known: with N of them, and no false alarm among them, the rate lies
below 3.7/N with 97.5% confidence. Thresholds of lower rates are extrapolated, as `calibrate` says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.papers.instability.scores.calibrate import Curve, curve, overlap
from clinometer.papers.instability.scores.candidates import Candidate, Member
from clinometer.papers.instability.scores.corpus import CorpusRun
from clinometer.papers.instability.scores.outcome import Outcome
from clinometer.papers.instability.scores.score import Score, Watched
from clinometer.papers.instability.scores.trace import Trace, calls
from clinometer.papers.instability.scores.tracing import trace
from clinometer.results.run_table import Floats

RATES = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)  # in 10,000 healthy steps
STATED = 1.0  # the rate of the default, and of all scores
KEPT = 2.0  # the rate up to which a candidate is taken to keep it


@dataclass(frozen=True)
class Traced:
    """A run, and what each member found in it."""

    outcome: Outcome
    traces: Mapping[Member, Trace]
    peaks: Mapping[Member, Floats]  # of the scores in each span of healthy steps


def traced(run: CorpusRun, candidates: Sequence[Candidate]) -> Traced:
    """Replay every member of the candidates over a run, once."""
    members = dict.fromkeys(member for each in candidates for member in each.members)
    traces = {member: trace(member.alert(), run.rows) for member in members}
    healthy = run.outcome.healthy_steps
    return Traced(run.outcome, traces, {member: found.peaks(healthy) for member, found in traces.items()})


def thresholds(candidate: Candidate, runs: Sequence[Traced], rate: float) -> tuple[float, ...]:
    """The threshold of each member with which the candidate gives a rate of false alarms.

    Several members share it: each gets the rate at which all of them together give this one.

    Args:
        candidate: An alert.
        runs: Whose healthy steps are counted.
        rate: In 10,000 healthy steps.
    """
    curves = [_curve(member, runs) for member in candidate.members]
    if len(curves) == 1:
        return (curves[0].threshold(rate),)
    together = [[run.peaks[member] for member in candidate.members] for run in runs]
    shared = overlap(together, curves, sum(run.outcome.healthy_steps for run in runs))
    return tuple(each.threshold(rate / shared) for each in curves)


def _curve(member: Member, runs: Sequence[Traced]) -> Curve:
    measured = [run for run in runs if run.traces[member].measured and run.outcome.healthy_steps]
    return curve([(run.peaks[member], run.outcome.healthy_steps) for run in measured])


def watched(candidate: Candidate, run: Traced, at: Sequence[float]) -> Watched:
    """A run with the alarms that a candidate gives in it at some thresholds."""
    return Watched(run.outcome, tuple(calls([run.traces[member] for member in candidate.members], at)))


def left_out(candidate: Candidate, runs: Sequence[Traced], rate: float = STATED) -> list[Watched]:
    """Every run with its alarms, at thresholds from the healthy steps of all other networks."""
    found: list[Watched] = []
    for network in dict.fromkeys(run.outcome.network for run in runs):
        others = [run for run in runs if run.outcome.network != network]
        at = thresholds(candidate, others, rate)
        found += [watched(candidate, run, at) for run in runs if run.outcome.network == network]
    return found


def choose(scores: Mapping[Candidate, Score]) -> Candidate:
    """The default, by the rule above.

    Raises:
        ValueError: if no candidate may be it.
    """
    able = {each: found for each, found in scores.items() if each.is_free and _keeps(found)}
    if not any(found.announced.n for found in scores.values()):
        raise ValueError("no run of the tuning half broke: there is nothing to choose a default by.")
    if not able:
        raise ValueError("no candidate without a pass keeps its false-alarm rate: there is no default to choose.")
    best = max(found.announced.value for found in able.values())
    one = 1 / next(iter(able.values())).announced.n
    good = {each: found for each, found in able.items() if found.announced.value >= best - 1.001 * one}
    return max(good, key=lambda each: (_blames(good[each]), -len(each.members)))


def _keeps(found: Score) -> bool:
    return found.false_alarms.value <= KEPT


def _blames(found: Score) -> float:
    return -1.0 if np.isnan(found.guilty.value) else found.guilty.value
