"""How far predictions are from what was measured: the share of configurations within any factor, by predictor."""

from collections.abc import Callable, Sequence

import numpy as np

from clinometer.papers.learning_rates.case import Case, prediction_of, read_cases
from clinometer.papers.learning_rates.configurations import HELD_OUT, TUNING, Network, configurations, networks
from clinometer.papers.learning_rates.prediction import PREDICTORS
from clinometer.papers.learning_rates.scores import CLOSE, FACTOR
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.study import FigureSpec
from clinometer.training.config import Bases, RunConfig

COLOURS = dict(zip(PREDICTORS, ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#999999"), strict=True))
_WIDEST = 20.0  # factor that is shown


def figure(title: str, of: Sequence[Network]) -> FigureSpec:
    """The figure of one set of configurations."""

    def arms(bases: Bases) -> list[RunConfig]:
        sweeps = configurations(networks(of, bases), bases)
        return [*sweeps, *map(prediction_of, sweeps)]

    def draw(runs: RunTable, bases: Bases) -> Figure:
        return drawn(title, read_cases(runs, configurations(networks(of, bases), bases)))

    return FigureSpec(title, arms, draw, whole=False)


def drawn(title: str, cases: Sequence[Case]) -> Figure:
    """The figure of some cases."""
    return Figure(
        title,
        f"Share of {len(cases)} configurations (a) whose predicted largest stable rate is within a factor of the "
        "measured one, where the grid's interval counts as measured, and (b) whose final loss at the rate that was "
        "chosen, mean over 3 seeds, is within a factor of that of the best of 7 rates. Dotted: 1.5 and 1.05. What has "
        "no answer is within no factor.",
        (
            _panel("(a) largest stable rate", "factor off", cases, _off, FACTOR),
            _panel("(b) final loss", "over the sweep's best", cases, Case.excess, CLOSE),
        ),
        columns=2,
        palette=COLOURS,
    )


def _panel(title: str, xlabel: str, cases: Sequence[Case], value: Callable[[Case, str], float], bound: float) -> Panel:
    lines = [_line(name, np.array([value(case, name) for case in cases])) for name in PREDICTORS]
    dotted = Series("", "reference", np.array([bound, bound]), np.array([0.0, 100.0]))
    return Panel(title, xlabel, "% of configurations", (*lines, dotted), xscale="log", ylim=(0.0, 100.0))


def _off(case: Case, predictor: str) -> float:
    return float(np.exp(abs(case.error(predictor))))


def _line(name: str, values: np.ndarray) -> Series:
    """The distribution of values, as a staircase from 1 to the widest factor."""
    known = np.sort(np.clip(values[np.isfinite(values) & (values <= _WIDEST)], 1.0, None))
    x = np.concatenate([[1.0], np.repeat(known, 2), [_WIDEST]])
    y = np.repeat(np.arange(len(known) + 1), 2)
    return Series(name, name, x, 100 * y / max(len(values), 1))


HELD_OUT_FIGURE = figure("Predictions on the held-out set", HELD_OUT)
TUNING_FIGURE = figure("Predictions on the tuning set", TUNING)
