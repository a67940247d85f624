"""The final loss at every rate that was tried, by optimizer: what the predictions are held against."""

from collections.abc import Sequence

import numpy as np

from clinometer.analysis.stable_rate import outcome, rate, trials_of
from clinometer.papers.learning_rates.configurations import HELD_OUT, TUNING, configurations, networks
from clinometer.papers.learning_rates.grid import GRIDS, family_of
from clinometer.papers.learning_rates.rows import SWEEP
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.config import Bases, RunConfig

TITLE = "The final loss over the learning rate"
COLOURS = {"mlp": "#D55E00", "cnn": "#0072B2", "resnet": "#56B4E9", "GPT": "#009E73", "Recurrent": "#CC79A7"}


def arms(bases: Bases) -> list[RunConfig]:
    """Every sweep, the tuning set's first."""
    return [each for of in (TUNING, HELD_OUT) for each in configurations(networks(of, bases), bases)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel per optimizer: a line per network, up to its largest stable rate in full colour."""
    shown = [arm for arm in arms(bases) if runs.seeds(arm)]
    panels = [_panel(runs, family, [arm for arm in shown if family_of(arm) == family]) for family in GRIDS]
    return Figure(
        TITLE,
        f"Mean over 3 seeds of the loss of the last 20 of {next(iter(bases.values())).steps} steps, for each network; "
        "pale: above the largest stable rate. What is not finite leaves a gap.",
        tuple(panels),
        columns=2,
        palette=COLOURS,
    )


def _panel(runs: RunTable, family: str, arms: Sequence[RunConfig]) -> Panel:
    lines = [line for arm in arms for line in _lines(runs, arm)]
    named = {line.label: line for line in reversed(lines)}  # one of each kind has its name in the legend
    series = tuple(line if named.get(line.label) is line else _nameless(line) for line in lines)
    return Panel(family, "learning rate", "final loss", series, xscale="log", yscale="log")


def _lines(runs: RunTable, arm: RunConfig) -> list[Series]:
    trials = trials_of(runs.row(arm, SWEEP))
    kind, found = arm.model.rpartition(":")[2], outcome(trials)
    rates = np.array([rate(each) for each in trials])
    losses = np.array([trial.loss for trial in trials.values()])
    losses = np.where(np.isfinite(losses), losses, np.nan)
    stable, above = rates <= found.largest, rates >= found.largest
    return [
        Series(kind, kind, rates[stable], losses[stable]),
        Series("", kind, rates[above], losses[above], shade=0.25),
    ]


def _nameless(line: Series) -> Series:
    return Series("", line.colour, line.x, line.y, shade=line.shade)
