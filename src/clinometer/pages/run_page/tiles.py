"""Tiles: of each headline the present value, how it went, and its edge."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from clinometer.pages.html.marks import sparkline
from clinometer.probes.field import Field
from clinometer.probes.labels import drawn_fields
from clinometer.probes.ranking import Values
from clinometer.readable.text import plain
from clinometer.recorder.verdict.edges import edges_of, nearest
from clinometer.recorder.verdict.losses import losses_of
from clinometer.recorder.verdict.verdict import Verdict, number_text, state_of
from clinometer.results.run_tables import RunRecord

_MOST = 8
_NO_LINE = Markup("")
_CHIPS = {"stable": "good", "near the edge": "warn", "beyond the edge": "bad"}


@dataclass(frozen=True)
class Tile:
    """What a tile shows."""

    label: str
    value: str
    unit: str = ""
    spark: Markup = _NO_LINE
    edge: str = ""
    state: str = ""  # as `Verdict.chip`


def tiles_of(run: RunRecord, verdict: Verdict) -> list[Tile]:
    """The layer to look at first, the loss, what has an edge, alarms, and other headlines."""
    found = [*_layer(run, verdict), *_loss(run), *_alarms(run)]
    ordered = sorted(_headlines(run), key=lambda tile: not tile.state)
    return [*found, *ordered][:_MOST]


def _layer(run: RunRecord, verdict: Verdict) -> Iterator[Tile]:
    found = nearest(run.tables, run.declared)
    if verdict.layer and found:
        ranking = found[1]
        at = [str(name) for name in run.tables[found[0]][_axis(run, found[0], ranking.field)][0]].index(verdict.layer)
        shares, rank = ranking.shares[:, at], ranking.ranks[0]
        state = "bad" if rank.beyond is not None else "good"
        state = "warn" if state == "bad" and verdict.state in ("stable", "near the edge") else state
        highest = f"{ranking.label} at most {number_text(rank.highest)}, at step {rank.step}; edge 1"
        spark = sparkline(shares.tolist(), 1.0)
        yield Tile(verdict.layer_is, _breakable(verdict.layer), verdict.layer_type, spark, highest, state)
    elif verdict.layer:
        yield Tile(verdict.layer_is, _breakable(verdict.layer), verdict.layer_type)


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line after each dot."""
    return Markup(".<wbr>").join(plain(name).split("."))


def _axis(run: RunRecord, probe: str, field: str) -> str:
    return run.declared[probe][field].axes[0]


def _loss(run: RunRecord) -> Iterator[Tile]:
    losses = losses_of(run.tables, run.declared)
    if losses is not None and len(losses.values):
        first, last = float(losses.values[0]), float(losses.values[-1])
        spark = sparkline(losses.values.tolist())
        state = "" if np.isfinite(last) else "bad"
        yield Tile("loss", _value(last), "", spark, f"from {_value(first)} at step {int(losses.steps[0])}", state)


def _alarms(run: RunRecord) -> Iterator[Tile]:
    if run.alarms:
        count = len(run.alarms)
        yield Tile(
            "alarm" if count == 1 else "alarms",
            str(count),
            "",
            edge=f"first at step {run.alarms[0].step}",
            state="warn",
        )


def _headlines(run: RunRecord) -> Iterator[Tile]:
    states = {(edge.probe, edge.name): _CHIPS[state_of(edge)] for edge in edges_of(run.tables, run.declared)}
    found = [
        (probe, name, field)
        for probe, table in run.tables.items()
        for name, field in drawn_fields(table, run.declared.get(probe, {})).items()
        if field.headline and not field.axes and (field.label or name) != "loss"
    ]
    times = Counter(field.label for _, _, field in found)
    for probe, name, field in found:
        label = field.label if field.label and times[field.label] == 1 else f"{probe}: {field.label or name}"
        yield _headline(label, name, field, run.tables[probe], states.get((probe, name), ""))


def _headline(label: str, name: str, field: Field, table: Mapping[str, Values], state: str) -> Tile:
    values = table[name].astype(float)
    known = np.flatnonzero(~np.isnan(values))
    last = float(values[known[-1]]) if len(known) else math.nan
    spark = sparkline(values.tolist(), field.limit)
    unit = "" if field.unit == (field.label or name) else field.unit
    return Tile(label, _value(last), unit, spark, _extreme(field, table, values), state)


def _extreme(field: Field, table: Mapping[str, Values], values: Values) -> str:
    """The edge, and where the value was nearest to it."""
    if not field.worst or np.isnan(values).all():
        return ""
    at = int(np.nanargmin(values) if field.worst == "lowest" else np.nanargmax(values))
    most = "least" if field.worst == "lowest" else "most"
    edge = f"edge {field.limit:g}; " if field.limit else ""
    return f"{edge}{most} {_value(float(values[at]))}, at step {int(table['step'][at])}"


def _value(value: float) -> str:
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "−∞" if value < 0 else "∞"
    return (f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}").replace("-", "−")
