"""The figures of one run, as its probes declare their fields: numbers, layers and blocks, distributions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from clinometer.plots.panels import reference
from clinometer.plots.run_layers import heat_map_panels, walk_panels
from clinometer.probes.field import NAMES, Declared, Field, Fields
from clinometer.probes.labels import drawn_fields
from clinometer.probes.ranking import Ranking, Tables, Values, ranked
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.studies.axis_scale import scale_of_lines
from clinometer.studies.figure import Figure, Panel, Ridges, Series, Vertical

_SHOWN = 6  # layers or blocks in a panel
_PANELS = 24  # as many as a page shows of a kind
_CAPTIONS = {
    "numbers": "Over the steps. A band lies between the lower and the upper of what was declared so.",
    "entries": f"Up to {_SHOWN} layers or blocks, the nearest to danger; the table has all that have a limit.",
    "layers": "Each row is a layer or block, from the network's first to its last; each column a measured step.",
    "distributions": f"Over the steps, the last in front; up to {_SHOWN} layers.",
    "walk": "The loss along the direction of a step, from where the step began.",
}
_TITLES = {
    "numbers": "What was measured",
    "entries": "Which layer or block",
    "layers": "All layers over the steps",
    "distributions": "How distributions moved",
    "walk": "The walk",
}
_COLUMNS = {"entries": 2, "layers": 2, "walk": 1}


def figures_of(
    tables: Tables, declared: Declared, alarms: Sequence[Alarm] = (), diverged_at: int | None = None
) -> dict[str, Figure]:
    """The figures by name; those without a panel are left out.

    Args:
        tables: Probe name to its rows, as `Store.read` gives them.
        declared: What the probes declare of their fields.
        alarms: Those that were said: their steps are marked in what is drawn over steps.
        diverged_at: The step at which the run diverged, which is marked as well.
    """
    rankings = ranked(tables, declared)
    labels: dict[str, int] = {}  # what has one label has one colour in all panels of a figure
    entries: dict[str, int] = {}
    panels: dict[str, list[Panel]] = {kind: [] for kind in _TITLES}
    for probe, table in tables.items():
        fields = drawn_fields(table, declared.get(probe, {}))
        panels["numbers"] += _number_panels(probe, table, fields, labels)
        panels["entries"] += _entry_panels(probe, table, fields, rankings.get(probe), entries)
        panels["layers"] += heat_map_panels(probe, table, fields, rankings.get(probe))
        panels["distributions"] += _ridge_panels(probe, table, fields)
        panels["walk"] += walk_panels(probe, table, declared.get(probe, {}))
    verticals = tuple(Vertical("alarm", step) for step in sorted({alarm.step for alarm in alarms}))
    if diverged_at is not None:
        verticals += (Vertical("diverged", diverged_at, 5),)
    for kind in ("numbers", "entries", "layers"):
        panels[kind] = [replace(panel, verticals=verticals) for panel in panels[kind]]
    return {kind: _figure(kind, found) for kind, found in panels.items() if found}


def _figure(kind: str, panels: Sequence[Panel]) -> Figure:
    left = len(panels) - _PANELS
    more = f" {left} more panels are left out; `clinometer.load` has their numbers." if left > 0 else ""
    return Figure(_TITLES[kind], _CAPTIONS[kind] + more, tuple(panels[:_PANELS]), columns=_COLUMNS.get(kind, 3))


def _number_panels(probe: str, table: Mapping[str, Values], fields: Fields, colours: dict[str, int]) -> Iterator[Panel]:
    """A panel for the single numbers of each unit; a pure number has its own."""
    units: dict[str, dict[str, Field]] = {}
    for name, field in fields.items():
        if not field.axes:
            units.setdefault(field.unit or field.label or name, {})[name] = field
    for unit, found in units.items():
        lines = list(_lines(table, found, colours))
        limits = {field.limit for field in found.values() if field.limit}
        lines += [reference("limit", table["step"], limit) for limit in sorted(limits)]
        yield Panel(f"{probe}: {lines[0].label}", "step", unit, tuple(lines), yscale=scale_of_lines(lines))


def _lines(table: Mapping[str, Values], fields: Fields, colours: dict[str, int]) -> Iterator[Series]:
    """A line, a band or both for each label."""
    labels: dict[str, dict[str, Values]] = {}
    for name, field in fields.items():
        labels.setdefault(field.label or name, {})[field.drawing] = table[name].astype(float)
    for label, found in labels.items():
        colour = colours.setdefault(label, len(colours))
        yield Series(label, colour, table["step"], found.get("line"), found.get("lower"), found.get("upper"))


def _entry_panels(
    probe: str, table: Mapping[str, Values], fields: Fields, ranking: Ranking | None, colours: dict[str, int]
) -> Iterator[Panel]:
    """A panel for each headline that has a number for each layer or block; as shares where blocks are ranked by it."""
    for name, field in fields.items():
        if len(field.axes) != 1 or field.axes[0] not in NAMES or not field.headline:
            continue
        names = [str(entry) for entry in table[field.axes[0]][0]]
        if ranking and ranking.field == name:
            # Infinite headroom is a share of 0, which has no place on a logarithmic axis.
            values = np.where(ranking.shares == 0, np.nan, ranking.shares)
            order, label, unit, limits = [rank.block for rank in ranking.ranks], ranking.label, ranking.label, [1.0]
        else:
            values = table[name].astype(float)
            order, label = _by_danger(names, values, field), field.label or name
            unit = field.unit or label
            limits = [field.limit] if field.limit else []
        chosen = list(dict.fromkeys(order))[:_SHOWN]
        for entry in chosen:
            colours.setdefault(entry, len(colours))
        lines = [Series(e, colours[e], table["step"], values[:, names.index(e)]) for e in chosen]
        lines += [reference("limit", table["step"], limit) for limit in limits]
        yield Panel(f"{probe}: {label}", "step", unit, tuple(lines), yscale=scale_of_lines(lines))


def _by_danger(names: Sequence[str], values: Values, field: Field) -> list[str]:
    """The entries, the one with the most dangerous extreme over the run first; the largest where none is declared."""
    known = np.where(np.isnan(values), np.inf if field.worst == "lowest" else -np.inf, values)
    extremes = known.min(0) if field.worst == "lowest" else -known.max(0)
    return [names[int(index)] for index in np.argsort(extremes, kind="stable")]


def _ridge_panels(probe: str, table: Mapping[str, Values], fields: Fields) -> Iterator[Panel]:
    """A panel for each layer's distribution, of the first layers, or for that of the whole network."""
    for name, field in fields.items():
        if field.drawing != "ridges" or len(field.axes) not in (1, 2) or field.along not in table:
            continue
        edges, counts = table[field.along].astype(float), table[name].astype(float)
        if len(field.axes) == 1:
            edges, counts, entries = edges[:, None], counts[:, None], [field.label or name]
        else:
            entries = table[field.axes[0]][0] if field.axes[0] in NAMES else np.arange(counts.shape[1])
        for index, entry in enumerate(entries[:_SHOWN]):
            at = np.isfinite(np.concatenate([edges[:, index], counts[:, index]], axis=1)).all(axis=1)  # (steps,)
            if at.any():
                ridges = Ridges(index, table["step"][at], edges[at, index], counts[at, index])
                yield Panel(f"{probe}: {entry}", field.unit or "value", "step", ridges=ridges)
