"""`looks.json`: at how many seeds each part of each claim was looked at, so that every look can be paid for.

A look is a verdict that was computed to be shown or written, whatever it was. The file maps a study's first seed to the
ids of claims, these to the names of parts, and these to numbers of seeds in ascending order.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinometer.results.claim_ledger import read_ledger
from clinometer.training.files import write_sealed

NAME = "looks.json"
FEWEST = 2  # seeds of a look: one has no interval, and decides nothing
ClaimLooks = dict[str, list[int]]  # a part's name to the numbers of seeds with which it was looked at, ascending
Looks = dict[str, dict[str, ClaimLooks]]  # a first seed to a claim's id to its looks


def read_looks(folder: Path) -> Looks:
    """The looks that are noted in a study's folder; none where the file is not there.

    Raises:
        DamagedError: if the file is not what was written.
        OSError: if it cannot be read.
    """
    return read_ledger(folder / NAME, _parts, "the earlier looks")


def write_looks(folder: Path, looks: Looks) -> None:
    """Write the file, whole or not at all."""
    write_sealed(folder / NAME, looks)


def union(*looks: Mapping[str, Mapping[str, Mapping[str, Sequence[int]]]]) -> Looks:
    """All looks of several files; a number that is in several of them is one look.

    Example:
        >>> union({"100": {"C1": {"gap": [3]}}}, {"100": {"C1": {"gap": [6, 3]}}}, {"0": {}})
        {'0': {}, '100': {'C1': {'gap': [3, 6]}}}
    """
    return {
        first: {
            claim: {
                part: sorted({n for each in looks for n in each.get(first, {}).get(claim, {}).get(part, ())})
                for part in _names(*(each.get(first, {}).get(claim, {}) for each in looks))
            }
            for claim in _names(*(each.get(first, {}) for each in looks))
        }
        for first in _names(*looks)
    }


def _names(*mappings: Mapping[str, Any]) -> list[str]:
    return sorted({name for each in mappings for name in each})


def _parts(parts: Any) -> ClaimLooks:
    return {part: _counts(counts) for part, counts in parts.items()}


def _counts(counts: Any) -> list[int]:
    if not isinstance(counts, list) or not all(type(n) is int and n >= FEWEST for n in counts):
        raise ValueError(f"expected numbers of seeds from {FEWEST} on; found {counts!r}")
    return sorted(set(counts))
