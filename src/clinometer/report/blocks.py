"""Which block of a network is nearest to breaking: blocks ranked by how little room their own step leaves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

Values = np.ndarray[Any, Any]
Tables = Mapping[str, Mapping[str, Values]]  # probe -> its table, as `Store.read` gives it


@dataclass(frozen=True)
class Rank:
    """A block's share of a step that is as long as it may be: 1 is the edge, more is beyond it."""

    block: str
    last: float  # at the last measured step
    highest: float  # over the run
    step: int  # where that was
    beyond: int | None  # the first step at which it exceeded 1


# At a share of 1 gradient descent in this block alone turns unstable, or its step no longer lowers the loss.
_SHARES: dict[str, tuple[str, Callable[[Values], Values]]] = {
    "landscape_blocks": ("beta_lr_half", lambda value: value),
    "headroom_blocks": ("loss", lambda value: 1 / value),
}
MEANING = {
    "landscape_blocks": "β·lr/2 of each block's own gradient: above 1, gradient descent in it is unstable",
    "headroom_blocks": "1 / headroom of each block's own step: above 1, the step raises the loss",
}


def ranked(tables: Tables) -> dict[str, list[Rank]]:
    """For each probe that has blocks: its blocks, the one nearest to the edge over the run first.

    Args:
        tables: Probe name to its rows. Others than `landscape_blocks` and `headroom_blocks` are passed over.
    """
    return {probe: _ranks(tables[probe], shares(probe, tables[probe])) for probe in _SHARES if probe in tables}


def rank_texts(rank: Rank) -> tuple[str, ...]:
    """Block, last, highest, at step, first above 1 at step: as tables show them."""
    beyond = "–" if rank.beyond is None else str(rank.beyond)
    return rank.block, f"{rank.last:.3g}", f"{rank.highest:.3g}", str(rank.step), beyond


def ranks_table(probe: str, ranks: Sequence[Rank]) -> Table:
    """The ranks for a terminal."""
    table = Table("block", title=f"{probe}: {MEANING[probe]}", title_justify="left")
    for name in ("last", "highest", "at step", "first above 1 at"):
        table.add_column(name, justify="right")
    for rank in ranks:
        table.add_row(*map(Text, rank_texts(rank)))  # without markup: a module may be named [x]
    return table


def shares(probe: str, table: Mapping[str, Values]) -> Values:
    """The share (steps, blocks) of a step that is as long as it may be."""
    field, share = _SHARES[probe]
    with np.errstate(divide="ignore"):
        return share(np.asarray(table[field], dtype=float))


def _ranks(table: Mapping[str, Values], values: Values) -> list[Rank]:
    ranks: list[Rank] = []
    for index, block in enumerate(table["block"][0]):
        own = np.nan_to_num(values[:, index], nan=-np.inf, posinf=np.inf)  # a step of no length is no danger
        over = np.flatnonzero(own > 1)
        at = int(own.argmax())
        beyond = int(table["step"][over[0]]) if len(over) else None
        ranks.append(Rank(str(block), float(values[-1, index]), float(own[at]), int(table["step"][at]), beyond))
    return sorted(ranks, key=lambda rank: (rank.beyond is None, rank.beyond or 0, -rank.highest))
