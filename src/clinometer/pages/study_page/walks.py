"""The walk L(x − ηg) at each measured step, for every arm of a study that recorded one."""

import numpy as np

from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Vertical, Walk
from clinometer.studies.plan import Plan
from clinometer.training.config import RunConfig

_PROBE, _NEEDED = "landscape", ("sizes", "losses", "loss")
_STEPS = 25  # of each network, evenly over its run, the last among them: a study has many, and its page is below 2 MB
_TITLE = "The loss along each step's own gradient"


def walks_figure(plan: Plan, runs: RunTable) -> Figure | None:
    """A panel for each arm whose runs recorded the losses of the walk; None if none did.

    The walk is that of one run, the arm's first seed: a mean of walks is no walk that any network took.
    """
    arms = [arm for arm in runs.arms if all(name in runs.row(arm, _PROBE) for name in _NEEDED)]
    if not arms:
        return None
    caption = (
        "The loss of the step's own batch at x − ηg, over the step size η; x are the parameters before the step, and g "
        f"is its gradient. Of the first seed of each network ({_seeds_text(runs, arms)})."
    )
    return Figure(_TITLE, caption, tuple(_panel(plan, runs, arm) for arm in arms), columns=1)


def _panel(plan: Plan, runs: RunTable, arm: RunConfig) -> Panel:
    seeds = runs.seeds(arm)[:1]
    sizes, losses, start = (runs.values(arm, _PROBE, name, seeds)[0] for name in _NEEDED)
    steps = runs.steps(arm, _PROBE)
    shown = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _STEPS)).astype(int))
    steps, sizes, losses, start = steps[shown], sizes[shown], losses[shown], start[shown]
    walk = Walk(steps, np.column_stack([np.zeros(len(steps)), sizes]), np.column_stack([start, losses]))
    name = plan.name_of(arm)
    return Panel(name, "step size η", "loss", walk=walk, group=name, verticals=_rate(arm, walk))


def _rate(arm: RunConfig, walk: Walk) -> tuple[Vertical, ...]:
    """The learning rate, where it is one and the same at all steps: each walk has its size then."""
    lr = arm.facts().get("lr")
    if not isinstance(lr, float) or not np.isclose(walk.sizes, lr, rtol=1e-4, atol=0).any(axis=1).all():
        return ()
    return (Vertical("learning rate", lr, "reference"),)


def _seeds_text(runs: RunTable, arms: list[RunConfig]) -> str:
    first = sorted({runs.seeds(arm)[0] for arm in arms})
    return "seed " + " or ".join(map(str, first))
