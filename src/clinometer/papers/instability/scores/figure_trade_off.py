"""What an alarm costs in false alarms, and what it announces for them: each alert over its thresholds."""

import numpy as np

from clinometer.papers.instability.scores.candidates import Candidate
from clinometer.papers.instability.scores.held_out import held_out
from clinometer.papers.instability.scores.score import AHEAD, PER, score
from clinometer.papers.instability.scores.tune import Traced, watched
from clinometer.papers.instability.scores.tuned import Tuned, tuned
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.config import Bases

TITLE = "Announced breaks and false alarms"


def draw(runs: RunTable, _bases: Bases) -> Figure:
    """The share of breaks announced over the rate of false alarms, the default and the usual alerts."""
    found, frozen = held_out(runs), tuned()
    shown = [each for each in frozen.candidates if each.kind == "usual" or each.name == frozen.default]
    series = tuple(_series(place, each, frozen, found) for place, each in enumerate(shown))
    title = f"announced ≥ {AHEAD} steps ahead"
    panel = Panel(
        title,
        f"false alarms in {PER:,} healthy steps",
        "share of breaks",
        series,
        xscale="asinh",
        ylim=(0, 1),
        xticks=(0, 1, 3, 10, 30),
    )
    rates = ", ".join(f"{rate:g}" for rate in sorted(frozen.rates))
    caption = (
        f"Held-out runs. Each point is one alert at the thresholds that the tuning half gave for {rates} false alarms "
        f"in {PER:,} healthy steps; across: how many it gave on these runs. The axis is linear up to 1."
    )
    return Figure(TITLE, caption, (panel,), columns=1)


def _series(place: int, candidate: Candidate, frozen: Tuned, runs: list[Traced]) -> Series:
    found = [
        score([watched(candidate, run, at) for run in runs])
        for _, at in sorted(frozen.thresholds[candidate.name].items())
    ]
    x = np.array([each.false_alarms.value for each in found])
    y = np.array([each.announced.value for each in found])
    return Series(candidate.name, place, x, y, dashed=candidate.kind == "usual")
