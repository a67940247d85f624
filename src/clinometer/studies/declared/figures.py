"""Figures of a study of one's own: every number that its runs recorded, over training, by arm."""

from collections.abc import Callable, Sequence

import numpy as np

from clinometer.results.quantity import Quantity, curve_fields
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.config import RunConfig

_ROLES = ("batch", "none", "noisy_batch", "l1", "l2", "linf", "noise")  # colours for so many arms, then dashed
_WIDE = 20.0  # from here on between the least and the largest, a logarithmic axis shows more

Naming = Callable[[RunConfig], str]


def figure(runs: RunTable, title: str, probes: Sequence[str], arms: Sequence[RunConfig], name_of: Naming) -> Figure:
    """A panel per number that the probes' rows hold, a line per arm.

    Args:
        runs: What is finished.
        title: Of the figure.
        probes: Whose rows.
        arms: In the order of their colours.
        name_of: What an arm is called.
    """
    there = [arm for arm in arms if runs.seeds(arm)]
    fields = [(probe, field) for probe in probes for field in _fields(runs, there, probe)]
    panels = tuple(_panel(runs, arms, probe, field, name_of) for probe, field in fields)
    ended = [(name_of(arm), runs.diverged(arm), len(runs.seeds(arm))) for arm in there]
    cut = [f"{count} of {n} runs of {name}" for name, count, n in ended if count]
    diverged = f" Diverged, so that their mean ends there: {', '.join(cut)}." if cut else ""
    counts = sorted({n for _, _, n in ended})
    seeds = " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1]))) if counts else "no"
    return Figure(title, f"Line: mean over {seeds} seeds; band: their range.{diverged}", panels)


def _fields(runs: RunTable, arms: Sequence[RunConfig], probe: str) -> list[str]:
    """What the rows of any arm hold: networks of several kinds need not have the same."""
    return list(dict.fromkeys(field for arm in arms for field in curve_fields(runs.row(arm, probe))))


def _panel(runs: RunTable, arms: Sequence[RunConfig], probe: str, field: str, name_of: Naming) -> Panel:
    lines: list[Series] = []
    for index, arm in enumerate(arms):
        if not runs.seeds(arm) or field not in runs.row(arm, probe):
            continue
        values = Quantity(probe, field).curve(runs, arm, runs.seeds(arm))
        role = _ROLES[index % len(_ROLES)]
        low, high = values.min(0), values.max(0)
        steps = runs.steps(arm, probe)
        lines.append(Series(name_of(arm), role, steps, values.mean(0), low, high, dashed=index >= len(_ROLES)))
    return Panel(f"{probe}.{field}", "step", field, tuple(lines), yscale="log" if _is_wide(lines) else "linear")


def _is_wide(lines: Sequence[Series]) -> bool:
    shown = np.concatenate([line.y for line in lines if line.y is not None] or [np.zeros(1)])
    shown = shown[np.isfinite(shown)]
    return bool(len(shown)) and shown.min() > 0 and shown.max() / shown.min() > _WIDE
