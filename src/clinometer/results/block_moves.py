"""Which layers or blocks moved nearer to the edge, or away from it, from one run to another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.probes.ranking import Ranking, Values, ranked
from clinometer.results.curves import RecordedRun

Highest = tuple[float, int]  # a share of a step that is as long as it may be, and the step at which it was


@dataclass(frozen=True)
class BlockMove:
    """A block's highest share over the common steps: 1 is the edge. NaN where a side has no such block, or number."""

    block: str
    base: Highest
    mine: Highest

    @property
    def factor(self) -> float:
        """How many times nearer to the edge it is in mine."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.float64(self.mine[0]) / np.float64(self.base[0]))


@dataclass(frozen=True)
class BlockMoves:
    """The blocks of one probe, that which is nearest to the edge in mine first."""

    probe: str
    label: str  # what a share is called
    moves: tuple[BlockMove, ...]
    nearest: tuple[str, str]  # of each side; "" where none has a number


def block_moves(runs: tuple[Sequence[RecordedRun], Sequence[RecordedRun]], common: Values) -> Iterator[BlockMoves]:
    """For each probe that all runs have with a limit for each block: the blocks, over the steps common to all runs.

    Args:
        runs: Of each side. Of several, a block's share is the median over the runs of its highest.
        common: Steps.
    """
    rankings = [[ranked(run.tables, run.declared) for run in side] for side in runs]
    first = rankings[0][0]
    for probe in (probe for probe in first if all(probe in of for side in rankings for of in side)):
        labels = {of[probe].label for side in rankings for of in side}
        if len(labels) > 1:
            continue  # shares of another limit: one of the optimizers has no threshold
        shares = [
            [_highest(of[probe], run, probe, common) for of, run in zip(side, recorded, strict=True)]
            for side, recorded in zip(rankings, runs, strict=True)
        ]
        base, mine = (_over_runs(side) for side in shares)
        nothing = (np.nan, 0)
        moves = [BlockMove(name, base.get(name, nothing), mine.get(name, nothing)) for name in {**mine, **base}]
        moves.sort(key=lambda move: -np.nan_to_num(move.mine[0], nan=-np.inf))
        yield BlockMoves(probe, first[probe].label, tuple(moves), (_nearest(base), _nearest(mine)))


def _highest(ranking: Ranking, run: RecordedRun, probe: str, common: Values) -> dict[str, Highest]:
    """Each block's highest share at the common steps."""
    table = run.tables[probe]
    rows = np.flatnonzero(np.isin(table["step"], common))
    axis = next(name for name in ("block", "layer") if name in table)
    found: dict[str, Highest] = {}
    for index, name in enumerate(table[axis][0]):
        own = ranking.shares[rows, index]
        known = rows[~np.isnan(own)]
        if len(known):
            at = known[int(ranking.shares[known, index].argmax())]
            found[str(name) or "model"] = (float(ranking.shares[at, index]), int(table["step"][at]))
    return found


def _over_runs(side: Sequence[dict[str, Highest]]) -> dict[str, Highest]:
    """The block's highest of the run that is in the middle."""
    names = dict.fromkeys(name for run in side for name in run)
    found: dict[str, Highest] = {}
    for name in names:
        ordered = sorted(run[name] for run in side if name in run)
        found[name] = ordered[len(ordered) // 2]
    return found


def _nearest(side: dict[str, Highest]) -> str:
    return max(side, key=lambda name: side[name][0], default="")
