"""The corpus as a study: its scales, its two halves, and the figure of each."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from clinometer.papers.instability import SOURCE, TITLE
from clinometer.papers.instability.causes import NONE
from clinometer.papers.instability.configs import is_held_out, recorded, shortened
from clinometer.papers.instability.healthy import HEALTHY, STEPS, training
from clinometer.papers.instability.scores import figure_lead, figure_trade_off, goals
from clinometer.papers.instability.tampered_runs import HELD_OUT_RUNS, TUNING
from clinometer.recorder.verdict.breaks import broke_at
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.training.config import Bases, RunConfig

_SMOKE_STEPS = 150
_SMOKE_EVERY = 11  # of each half's runs: 26 in all, healthy ones in the majority
_ONE_EACH = {"images": 1, "pixels": 1}  # a run's seed is that of its arm


def tuning(bases: Bases) -> list[RunConfig]:
    """The half that rules are tuned on: healthy runs, and runs with causes of set A."""
    return _scaled(bases, [*(recorded(run) for run in HEALTHY if not is_held_out(run)), *TUNING])


def held_out(bases: Bases) -> list[RunConfig]:
    """The half that rules are scored on: other seeds, and causes of set B as well."""
    return _scaled(bases, [*HELD_OUT_RUNS, *(recorded(run) for run in HEALTHY if is_held_out(run))])


def _scaled(bases: Bases, runs: Sequence[RunConfig]) -> list[RunConfig]:
    steps = bases["images"].steps
    return list(runs) if steps == STEPS else [shortened(run, steps) for run in runs[::_SMOKE_EVERY]]


def _bases(steps: int) -> Bases:
    networks = {"images": ("mlp", "none"), "pixels": ("gpt", "layer")}
    made = {name: recorded(training(*each, "sgd", 0.1, seed=0)) for name, each in networks.items()}
    return made if steps == STEPS else {name: shortened(run, steps) for name, run in made.items()}


def _figure(title: str, arms: Callable[[Bases], list[RunConfig]]) -> FigureSpec:
    return FigureSpec(title, arms, lambda runs, bases: _draw(title, arms(bases), runs), whole=False)


def _draw(title: str, arms: Sequence[RunConfig], runs: RunTable) -> Figure:
    """For each cause, the share of its runs that broke within so many steps after the mistake began."""
    after: dict[str, list[float]] = {}
    made = [arm for arm in arms if arm.seed in runs.seeds(arm)]
    for arm in made:
        found = broke_at(runs.values(arm, "train", "loss", [arm.seed])[0].tolist())
        after.setdefault(arm["cause"], []).append(math.inf if found is None else found - arm["from_step"])
    steps = np.arange(max(arm.steps for arm in made))
    series = tuple(
        Series(
            f"{cause} ({len(each)} runs)",
            "reference" if cause == NONE else place,
            steps,
            np.array([np.mean([break_ <= step for break_ in each]) for step in steps]),
            dashed=place >= 7,  # colours begin again
        )
        for place, (cause, each) in enumerate(after.items())
    )
    caption = (
        "The share of each cause's runs that broke, by their losses alone, within so many steps after the mistake "
        "began; of healthy runs, after the start."
    )
    return Figure(title, caption, (Panel("", "steps after the mistake began", "share that broke", series),), 1)


STUDY = Study(
    name="instability",
    title=TITLE,
    source=SOURCE,
    scales={
        "smoke": Scale(
            lambda: _bases(_SMOKE_STEPS), _ONE_EACH, "8×8 digits, every eleventh run, with half of its steps; a minute"
        ),
        "laptop": Scale(
            lambda: _bases(STEPS), _ONE_EACH, "8×8 digits, small networks of five families, 300 steps; half an hour"
        ),
    },
    figures={
        "tuning": _figure("When runs of the tuning half broke", tuning),
        "held_out": _figure("When runs of the held-out half broke", held_out),
        "lead": FigureSpec(figure_lead.TITLE, held_out, figure_lead.draw),
        "trade_off": FigureSpec(figure_trade_off.TITLE, held_out, figure_trade_off.draw),
    },
    claims=goals.CLAIMS,
    label_fields=("cause", "strength", "lr"),
)
