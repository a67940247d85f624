"""Which layer or block of a network is nearest to breaking: ranked by how little room its own step leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.probes.field import NAMES, Declared, Field, Fields
from clinometer.probes.labels import shown
from clinometer.readable.results import readable

Values = np.ndarray[Any, Any]
Tables = Mapping[str, Mapping[str, Values]]  # probe -> its table, as `Store.read` gives it


@dataclass(frozen=True)
class Rank:
    """A block's share of a step that is as long as it may be: 1 is the edge, more is beyond it."""

    block: str
    last: float  # at the last measured step
    highest: float  # over the run; minus infinity if it was never a number
    step: int  # where that was
    beyond: int | None  # the first step at which it exceeded 1


@readable
@dataclass(frozen=True)
class Ranking:
    """The blocks of one probe, by the field that has a limit."""

    field: str
    label: str  # what a share is called
    meaning: str  # what the field means
    shares: Values  # (steps, blocks)
    ranks: tuple[Rank, ...]  # the block nearest to the edge over the run first

    @property
    def title(self) -> str:
        """The share and its meaning, for the head of a table."""
        return f"{self.label}: {self.meaning}"


def ranked(tables: Tables, declared: Declared) -> dict[str, Ranking]:
    """For each probe that declares a limit for a number of each layer or block: those, ranked.

    Args:
        tables: Probe name to its rows.
        declared: What the probes declare of their fields.
    """
    chosen = {probe: limited(declared.get(probe, {}), table) for probe, table in tables.items()}
    return {probe: _ranking(tables[probe], name, declared[probe][name]) for probe, name in chosen.items() if name}


def limited(fields: Fields, table: Mapping[str, Values]) -> str | None:
    """The first field that has a limit, and numbers for layers or blocks; one that stands in for another has its turn.

    Args:
        fields: The declarations of one probe's fields.
        table: Its rows.
    """
    named = [(axis,) for axis in NAMES]
    there = {name: field for name, field in fields.items() if name in table and field.kind != "text"}
    known = {name for name in there if not np.isnan(table[name]).all()}
    chosen = {name: there[name] for name in shown(there, known.__contains__) if name in known}
    return next((name for name, f in chosen.items() if f.limit and f.worst and f.axes in named), None)


def share_of(field: Field, values: Values) -> Values:
    """The share of a step that is as long as it may be, of values in any shape; 1 is the declared limit."""
    limit = field.limit or 1.0
    with np.errstate(divide="ignore", over="ignore"):
        return values / limit if field.worst == "highest" else limit / values


def share_label(field: Field, name: str) -> str:
    """What the share of a step that is as long as it may be is called.

    Example:
        >>> share_label(Field(label="headroom", worst="lowest", limit=1.0), "loss")
        '1 / headroom'
        >>> share_label(Field(worst="highest", limit=2.0), "ratio")
        'ratio / 2'
    """
    called = field.label or name
    if field.worst == "lowest":
        return f"{field.limit:g} / {called}"
    return called if field.limit == 1 else f"{called} / {field.limit:g}"


def edge_label(probe: str, name: str, table: Mapping[str, Values], field: Field) -> str:
    """The same of one number of the whole network: of headroom λ_c·lr/2, where its λ_c was recorded beside it.

    λ_c is 2 over the critical learning rate, and headroom the critical rate over the rate.

    Args:
        probe: The name of its rows.
        name: The field's.
        table: The probe's rows.
        field: What the probe declares of the field.
    """
    curvature = table.get("critical_sharpness")
    if probe.startswith("headroom") and name == "loss" and curvature is not None and np.isfinite(curvature).any():
        return "λ_c·lr/2"
    return share_label(field, name)


def _ranking(table: Mapping[str, Values], name: str, field: Field) -> Ranking:
    shares = share_of(field, np.asarray(table[name], dtype=float))
    ranks = tuple(_ranks(table, field.axes[0], shares))
    return Ranking(name, share_label(field, name), field.meaning, shares, ranks)


def _ranks(table: Mapping[str, Values], axis: str, shares: Values) -> list[Rank]:
    ranks: list[Rank] = []
    for index, block in enumerate(table[axis][0]):
        own = np.nan_to_num(shares[:, index], nan=-np.inf, posinf=np.inf)  # a step of no length is no danger
        over = np.flatnonzero(own > 1)
        at = int(own.argmax())
        beyond = int(table["step"][over[0]]) if len(over) else None
        ranks.append(Rank(str(block), float(shares[-1, index]), float(own[at]), int(table["step"][at]), beyond))
    return sorted(ranks, key=lambda rank: (rank.beyond is None, rank.beyond or 0, -rank.highest))
