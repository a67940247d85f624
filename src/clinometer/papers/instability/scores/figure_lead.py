"""How long before the break the alarm came: the default alert and the gradient norm, cause by cause."""

import numpy as np

from clinometer.papers.instability.scores.candidates import Candidate
from clinometer.papers.instability.scores.held_out import held_out
from clinometer.papers.instability.scores.score import AHEAD
from clinometer.papers.instability.scores.tune import STATED, Traced, watched
from clinometer.papers.instability.scores.tuned import Tuned, tuned
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Estimate, Figure, Panel
from clinometer.training.config import Bases

TITLE = "How long before the break the alarm came"
BESIDE = "gradient norm"  # the alarm that most people have


def draw(runs: RunTable, _bases: Bases) -> Figure:
    """A panel for each of the two alerts, with a line for each cause that broke a run."""
    found, frozen = held_out(runs), tuned()
    shown = {each.name: each for each in frozen.candidates if each.name in (frozen.default, BESIDE)}
    panels = [_panel(shown[name], frozen, found) for name in dict.fromkeys((frozen.default, BESIDE))]
    caption = (
        "Held-out runs, both alerts at one stated false alarm in 10,000 healthy steps. Dot: median over the runs that "
        f"this cause broke; line: their quartiles; 0 where nothing announced the break. The goal is {AHEAD} steps."
    )
    return Figure(TITLE, caption, tuple(panels), columns=2)


def _panel(candidate: Candidate, frozen: Tuned, runs: list[Traced]) -> Panel:
    at = frozen.thresholds[candidate.name][STATED]
    leads: dict[str, list[int]] = {}
    for run in runs:
        if run.outcome.broke_tampered:
            leads.setdefault(run.outcome.cause, []).append(watched(candidate, run, at).lead)
    lines = tuple(_line(cause, leads[cause]) for cause in sorted(leads))
    return Panel(candidate.name, "steps from the alarm to the break", "", estimates=lines)


def _line(cause: str, leads: list[int]) -> Estimate:
    low, median, high = np.percentile(leads, [25, 50, 75]).tolist()
    verdict = "holds" if low >= AHEAD else "fails" if high < AHEAD else "undecided"
    ahead = sum(lead >= AHEAD for lead in leads)
    text = f"median {median:.0f}; {ahead} of {len(leads)} in time"
    return Estimate(cause.replace("_", " "), median, low, high, (AHEAD, float("inf")), verdict, text)
