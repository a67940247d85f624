"""How good an alarm is: what it announced of the breaks, how early, how often it was false, and whom it blamed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clinometer.papers.instability.scores.outcome import Outcome
from clinometer.results.clustered import NOTHING, rate, share
from clinometer.results.statistics import Interval

AHEAD = 20  # steps before the break by which an alarm counts as having announced it
REFRACTORY = 50  # steps from the first alarm of an episode on, in which further ones are the same episode
BLAMED = 2  # blocks at the top of an alarm's ranking, one of which must be the guilty one
PER = 10_000  # healthy steps for which false alarms are told


@dataclass(frozen=True)
class Call:
    """An alarm as it is scored."""

    step: int
    ranking: tuple[str, ...] = ()  # of blocks, the most suspicious first


@dataclass(frozen=True)
class Watched:
    """A run, and the alarms that one alert gave in it."""

    outcome: Outcome
    calls: tuple[Call, ...]  # rising in step

    @cached_property
    def false_alarms(self) -> int:
        """Episodes that begin at a healthy step."""
        return len(episodes(call.step for call in self.calls if call.step < self.outcome.healthy_steps))

    @cached_property
    def announced(self) -> Call | None:
        """The first alarm between the first step that was tampered with and the break; None without any."""
        return next((call for call in self.calls if self.outcome.from_step <= call.step < self._broke_at), None)

    @property
    def lead(self) -> int:
        """Steps from that alarm to the break; 0 where nothing announced it."""
        return 0 if self.announced is None else self._broke_at - self.announced.step

    @property
    def could_be(self) -> bool:
        """Whether the break came late enough after the tampering to be announced in time at all."""
        return self._broke_at - self.outcome.from_step >= AHEAD

    @property
    def guilty(self) -> bool | None:
        """Whether the announcing alarm blames the tampered block; None where there is no alarm, or none to blame."""
        if self.announced is None or self.lead < AHEAD or self.outcome.tampered_block is None:
            return None
        return self.outcome.tampered_block in self.announced.ranking[:BLAMED]

    @property
    def _broke_at(self) -> int:
        """When it broke after it had been tampered with; no step is before that of a run that did not."""
        broke_at = self.outcome.broke_at
        return broke_at if broke_at is not None and self.outcome.broke_tampered else -1


@dataclass(frozen=True)
class Score:
    """What an alert is worth on some runs. Shares lie between 0 and 1."""

    announced: Interval  # of the breaks, those announced at least AHEAD steps before
    of_possible: Interval  # the same, of the breaks that came at least AHEAD steps after the tampering
    leads: tuple[float, float, float]  # quartiles in steps, 0 for a break that nothing announced
    false_alarms: Interval  # episodes per PER healthy steps
    guilty: Interval  # of the breaks that were announced and have a block to blame, those that blame it
    harmless: int  # runs that were tampered with and did not break: no hits, and no false alarms after the tampering
    untouched: int  # runs that broke with nobody's help, which are left out


def score(watched: Sequence[Watched], level: float = 0.95) -> Score:
    """Score one alert over some runs.

    Breaks of one network by one cause are a cluster, as they may be alike; healthy steps come in clusters of a run.

    Args:
        watched: Each run with the alarms that the alert gave in it.
        level: The nominal coverage of the intervals.
    """
    broken = [each for each in watched if each.outcome.broke_tampered]
    possible = [each for each in broken if each.could_be]
    blaming = [each for each in broken if each.guilty is not None]
    healthy = [each for each in watched if each.outcome.healthy_steps]
    quartiles = np.percentile([each.lead for each in broken], [25, 50, 75]).tolist() if broken else [np.nan] * 3
    return Score(
        _share([each.lead >= AHEAD for each in broken], broken, level),
        _share([each.lead >= AHEAD for each in possible], possible, level),
        (quartiles[0], quartiles[1], quartiles[2]),
        rate([each.false_alarms for each in healthy], [each.outcome.healthy_steps for each in healthy], PER, level),
        _share([bool(each.guilty) for each in blaming], blaming, level),
        sum(each.outcome.broke_at is None and each.outcome.from_step < each.outcome.steps for each in watched),
        sum(each.outcome.broke_untouched for each in watched),
    )


def episodes(steps: Iterable[int]) -> list[int]:
    """The steps at which episodes of alarms begin: an alarm within REFRACTORY steps of such a step belongs to it.

    Example:
        >>> episodes([3, 4, 52, 53, 200])
        [3, 53, 200]
    """
    begun: list[int] = []
    for step in steps:
        if not begun or step - begun[-1] >= REFRACTORY:
            begun.append(step)
    return begun


def _share(hits: Sequence[bool], of: Sequence[Watched], level: float) -> Interval:
    clusters = [(each.outcome.network, each.outcome.cause) for each in of]
    return share(hits, clusters, level) if hits else NOTHING
