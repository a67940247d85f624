"""The edges that a run was measured against: numbers of the whole network whose field declares a limit.

As shares: 1 is the edge, where a step is as long as it may be; more is beyond it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from clinometer.probes.field import Declared, Field
from clinometer.probes.labels import drawn_fields
from clinometer.probes.ranking import Ranking, Tables, Values, edge_label, ranked, share_of

# By how directly they say whether the step that was taken was too long: the first that was recorded gives the verdict.
_DIRECT = ("headroom", "sharpness", "batch_sharpness", "landscape")


@dataclass(frozen=True)
class Edge:
    """One such number over the run."""

    probe: str
    name: str  # of the field
    label: str  # what a share is called
    room: str  # what there is 1 / share times of: such as "long", of a step
    steps: Values  # (n,) those at which it is known
    shares: Values  # (n,)

    @property
    def peak(self) -> float:
        """The largest share of the run."""
        return float(self.shares.max())

    @property
    def peak_step(self) -> int:
        """Where that was."""
        return int(self.steps[self.shares.argmax()])

    def above(self, level: float) -> Values:
        """The steps with a share above a level."""
        return self.steps[self.shares > level]

    def longest_stay(self, level: float) -> tuple[int, int]:
        """How many measured steps in a row have a share above a level, at most, and the first of these steps."""
        best = (0, 0)
        count = 0
        for place, share in enumerate(self.shares):
            count = count + 1 if share > level else 0
            if count > best[0]:
                best = (count, int(self.steps[place - count + 1]))
        return best


def edges_of(tables: Tables, declared: Declared) -> list[Edge]:
    """All edges, the most direct first; those of single blocks last, which say less of the whole step."""
    found = [edge for probe, table in tables.items() for edge in _of_probe(probe, table, declared)]
    alone = [_alone(probe, tables[probe]["step"], each) for probe, each in ranked(tables, declared).items()]
    return [edge for edge in [*sorted(found, key=_order), *sorted(alone, key=_order)] if len(edge.steps)]


def nearest(tables: Tables, declared: Declared) -> tuple[str, Ranking] | None:
    """The probe whose blocks are ranked by the most direct edge, and the ranking; None if no block has a number."""
    rankings = ranked(tables, declared)
    known = {probe: each for probe, each in rankings.items() if each.ranks and each.ranks[0].highest > -np.inf}
    return min(known.items(), key=lambda each: place(each[0]), default=None)


def _of_probe(probe: str, table: Mapping[str, Values], declared: Declared) -> Iterator[Edge]:
    for name, field in drawn_fields(table, declared.get(probe, {})).items():
        if field.limit and field.worst and not field.axes:
            yield _edge(probe, name, table, field)


def _edge(probe: str, name: str, table: Mapping[str, Values], field: Field) -> Edge:
    shares = share_of(field, table[name].astype(float))
    known = ~np.isnan(shares)
    room = "far"
    if probe.startswith("headroom") and field.worst == "lowest":
        room = "long"
    elif probe.startswith(_DIRECT):
        room = "high"
    label = edge_label(probe, name, table, field)
    return Edge(probe, name, label, room, table["step"][known], shares[known])


def _alone(probe: str, steps: Values, ranking: Ranking) -> Edge:
    """The share of the block that is nearest, at each step."""
    known = ~np.isnan(ranking.shares).all(axis=1)
    shares = np.nanmax(ranking.shares[known], axis=1) if known.any() else np.zeros(0)
    return Edge(probe, ranking.field, f"{ranking.label} of one block alone", "far", steps[known], shares)


def _order(edge: Edge) -> int:
    return place(edge.probe)


def place(probe: str) -> int:
    """How directly a probe says it, from 0 on."""
    return next((number for number, name in enumerate(_DIRECT) if probe.startswith(name)), len(_DIRECT))
