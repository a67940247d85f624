"""Ranked layers or blocks as tables show them."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from clinometer.probes.ranking import Rank


def rank_texts(rank: Rank) -> tuple[str, ...]:
    """Block, last, highest, at step, first above 1 at step: as tables show them."""
    beyond = "–" if rank.beyond is None else str(rank.beyond)
    highest = ("–", "–") if rank.highest == -np.inf else (f"{rank.highest:.3g}", str(rank.step))
    return rank.block, f"{rank.last:.3g}", *highest, beyond


def ranks_table(title: str, ranks: Sequence[Rank]) -> Table:
    """The ranks for a terminal."""
    table = Table("block", title=title, title_justify="left")
    for name in ("last", "highest", "at step", "first above 1 at"):
        table.add_column(name, justify="right")
    for rank in ranks:
        table.add_row(*map(Text, rank_texts(rank)))  # without markup: a module may be named [x]
    return table
