"""Named runs laid over each other, one colour a side: a panel for each headline number, and for each block."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from clinometer.plots.panels import reference
from clinometer.probes.ranking import ranked
from clinometer.results.curves import Curve, RecordedRun, Values, curves_of
from clinometer.studies.axis_scale import scale_of_lines
from clinometer.studies.figure import Figure, Panel, Series

_BLOCKS = 6  # those that come nearest to the edge on any side
_PANELS = 24

Sides = Mapping[str, Sequence[RecordedRun]]
Line = tuple[Values, Values]  # steps and values


def figures_of_sides(sides: Sides) -> dict[str, Figure]:
    """The figures by name; those without a panel are left out.

    Args:
        sides: A name for each side, and its runs. Of several the mean is a line, over the steps that all have.
    """
    numbers, blocks = list(_number_panels(sides)), list(_block_panels(sides))
    several = any(len(runs) > 1 for runs in sides.values())
    over = " Lines: means over the runs of a side; bands: their range." if several else ""
    left = len(numbers) - _PANELS
    more = f" {left} more are left out; `clinometer.load` has their numbers." if left > 0 else ""
    edge = "Dotted: where the step is as long as it may be."
    figures = {
        "numbers": Figure("What was measured", f"{edge}{over}{more}", tuple(numbers[:_PANELS])),
        "blocks": Figure(
            "Which layer or block", f"{edge} Up to {_BLOCKS}, the nearest to the edge first.{over}", tuple(blocks)
        ),
    }
    return {name: figure for name, figure in figures.items() if figure.panels}


def _number_panels(sides: Sides) -> Iterator[Panel]:
    """A panel for each headline number of any run, losses first."""
    curves = {name: [curves_of(run) for run in runs] for name, runs in sides.items()}
    known: dict[str, Curve] = {}
    for run in (run for runs in curves.values() for run in runs):
        known |= {name: curve for name, curve in run.items() if curve.is_headline and name not in known}
    for name, curve in sorted(known.items(), key=lambda item: not item[1].is_loss):
        lines = {
            side: [(run[name].steps, run[name].values) for run in runs if name in run] for side, runs in curves.items()
        }
        unit = curve.unit or curve.label
        yield _panel(f"{name.partition('.')[0]}: {curve.label}", unit, lines, curve.limit)


def _block_panels(sides: Sides) -> Iterator[Panel]:
    """A panel for each block of the first probe that ranks any, the nearest to the edge on any side first."""
    rankings = {name: [(run, ranked(run.tables, run.declared)) for run in runs] for name, runs in sides.items()}
    probe = next((probe for runs in rankings.values() for _, of in runs for probe in of), None)
    if probe is None:
        return
    found: dict[str, dict[str, list[Line]]] = {}
    labels: dict[str, str] = {}
    for side, runs in rankings.items():
        for run, of in ((run, of[probe]) for run, of in runs if probe in of):
            table = run.tables[probe]
            axis = next(axis for axis in ("block", "layer") if axis in table)
            for index, block in enumerate(map(str, table[axis][0])):
                labels.setdefault(block, of.label)
                found.setdefault(block, {}).setdefault(side, []).append((table["step"], of.shares[:, index]))
    highest = {block: max(map(_top, (line for lines in of.values() for line in lines))) for block, of in found.items()}
    for block in sorted(found, key=lambda block: -highest[block])[:_BLOCKS]:
        lines = {side: found[block].get(side, []) for side in sides}
        yield _panel(f"{probe}: {block}", labels[block], lines, 1.0)


def _panel(title: str, unit: str, lines: Mapping[str, Sequence[Line]], limit: float | None) -> Panel:
    drawn = [_series(side, colour, of) for colour, (side, of) in enumerate(lines.items()) if of]
    if limit:
        steps = np.unique(np.concatenate([series.x for series in drawn]))
        drawn.append(reference("limit", steps, limit))
    return Panel(title, "step", unit, tuple(drawn), yscale=scale_of_lines(drawn))


def _series(side: str, colour: int, lines: Sequence[Line]) -> Series:
    """One run as a line; several as their mean with their range, over the steps that all have."""
    if len(lines) == 1:
        return Series(side, colour, *lines[0])
    common = lines[0][0]
    for steps, _ in lines:
        common = np.intersect1d(common, steps)
    each = np.stack([values[np.searchsorted(steps, common)] for steps, values in lines])
    with np.errstate(invalid="ignore"):
        low, high, mean = each.min(0), each.max(0), each.mean(0)
    return Series(side, colour, common, mean, low, high, each=each, seeds=tuple(range(len(lines))))


def _top(line: Line) -> float:
    finite = line[1][~np.isnan(line[1])]
    return float(finite.max()) if len(finite) else -np.inf
