"""Of one run's figures those of whole networks at once: heat maps of all layers over the steps, and walks."""

from collections.abc import Iterator, Mapping

import numpy as np

from clinometer.probes.field import NAMES, Fields
from clinometer.probes.ranking import Ranking, Values
from clinometer.studies.axis_scale import axis_scale
from clinometer.studies.figure import HeatMap, Panel, Walk


def heat_map_panels(
    probe: str, table: Mapping[str, Values], fields: Fields, ranking: Ranking | None
) -> Iterator[Panel]:
    """A heat map for each field that has a number for each layer, block or rank; as shares where blocks are ranked."""
    first = "" if ranking is None else ranking.field
    for name, field in sorted(fields.items(), key=lambda each: (each[0] != first, not each[1].headline)):
        if len(field.axes) != 1 or field.drawing != "line":
            continue
        axis, values = field.axes[0], table[name].astype(float).T
        entries = tuple(
            map(str, table[axis][0] if axis in NAMES else (f"{axis} {place}" for place in range(len(values))))
        )
        label = field.label or name
        if ranking and ranking.field == name:
            heat = HeatMap(entries, table["step"], ranking.shares.T, ranking.label, 1.0, "log")
            label = ranking.label
        else:
            heat = HeatMap(entries, table["step"], values, field.unit or label, field.limit, axis_scale(values))
        if not np.isnan(heat.values).all():
            yield Panel(f"{probe}: {label}", "step", "", heat_map=heat)


def walk_panels(probe: str, table: Mapping[str, Values], declared: Fields) -> Iterator[Panel]:
    """The loss along the walk of each step, where a probe declares losses over sizes and has that at their start."""
    losses, sizes, start = (table.get(name) for name in ("losses", "sizes", "loss"))
    named = [declared[name].axes for name in ("losses", "sizes") if name in declared]
    if losses is None or sizes is None or start is None or named != [("size",), ("size",)]:
        return
    if losses.ndim != 2 or sizes.shape != losses.shape or start.shape != losses.shape[:1]:
        return
    sizes = np.concatenate([np.zeros((len(sizes), 1)), sizes.astype(float)], axis=1)
    losses = np.concatenate([start.astype(float)[:, None], losses.astype(float)], axis=1)
    order = np.argsort(sizes, axis=1, kind="stable")
    walk = Walk(table["step"], np.take_along_axis(sizes, order, 1), np.take_along_axis(losses, order, 1))
    yield Panel(f"{probe}: the loss along the walk", "step size", "loss", walk=walk, yscale=axis_scale(losses))
