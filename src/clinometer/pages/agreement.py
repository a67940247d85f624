"""Compares a study's verdicts with those of another `claims.json`: of another machine, or of other seeds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from clinometer.results.claims_file import read_claims
from clinometer.studies.claims_json import deciding_part, to_finding
from clinometer.studies.effect_text import effect_text, name_text, seeds_text

ANOTHER_DRAW = (
    "Another machine is another draw: its arithmetic rounds otherwise, and training carries that on, so a claim that "
    "one machine decides may stay open on another."
)
_RULE = ("statement", "rule", "bounds")  # where they differ, two verdicts answer two questions

Row = Mapping[str, Any]  # of claims.json


@dataclass(frozen=True)
class KeptClaims:
    """Claims that were decided before, or elsewhere."""

    path: Path
    rows: Sequence[Row]
    name: str = ""  # what they are, in words; by default their path

    def __str__(self) -> str:
        return self.name or str(self.path)


@dataclass(frozen=True)
class Agreement:
    """How the verdicts on each claim compare; every list holds claims' ids."""

    path: Path  # of the kept claims
    name: str  # what these are, in words
    agree: tuple[str, ...]
    open_here: tuple[str, ...]  # and decided there
    open_there: tuple[str, ...]
    differ: tuple[str, ...]  # one holds, the other fails
    other_rule: tuple[str, ...]  # decided there by another rule: not compared
    missing: tuple[str, ...]  # not there
    said: Sequence[tuple[str, str, str]]  # of each claim that does not agree: its id, what is said here, and there

    @property
    def line(self) -> str:
        """All of it in one line; what is seldom, and is not the case, is left out."""
        seldom = {
            "open there": self.open_there,
            "by another rule there, not compared": self.other_rule,
            "not there": self.missing,
        }
        compared = sum(map(len, (self.agree, self.open_here, self.open_there, self.differ)))
        told = [f"agrees with {self.name} in {len(self.agree)} of {compared} claims"]
        told += [f"{name}: {_listed(ids)}" for name, ids in (("open here", self.open_here), ("differs", self.differ))]
        return "; ".join([*told, *(f"{name}: {_listed(ids)}" for name, ids in seldom.items() if ids)])


def read_kept(path: Path, ids: Collection[str]) -> KeptClaims:
    """The claims to compare verdicts with, once the study's are decided.

    Args:
        path: A `claims.json`, or a folder that holds one.
        ids: The claims of the study, of which it must have at least one.

    Raises:
        OSError or ValueError: if there is no such file, it is damaged, or holds none of these claims.
    """
    rows = read_claims(path)
    for row in rows:
        try:
            to_finding(row)
            deciding_part(row)
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"--against {path}: its row of {row['id']} is damaged, or of another version ({error!r}). "
                "Write it again with `clinometer report`."
            ) from error
    if not {row["id"] for row in rows} & set(ids):
        raise ValueError(
            f"--against {path} holds none of this study's claims: expected some of {_listed(ids)}; found "
            f"{_listed([row['id'] for row in rows])}."
        )
    return KeptClaims(path, rows)


def agreement(rows: Sequence[Row], kept: KeptClaims) -> Agreement:
    """Compare verdicts with those that were kept.

    Args:
        rows: Those of the study, from `claims.json`.
        kept: The others; claims that are only there are left out.

    Example:
        >>> part = {"name": "gap", "verdict": "holds", "value": 2.0, "low": 1.0, "high": 3.0, "n": 3, "looks": [3]}
        >>> row = {"id": "C1", "verdict": "holds", "parts": [part]}
        >>> found = agreement([{**row, "verdict": "undecided"}, {**row, "id": "C2"}], KeptClaims(Path("mine"), [row]))
        >>> found.line
        'agrees with mine in 0 of 1 claims; open here: C1; differs: none; not there: C2'
        >>> found.said
        [('C1', 'undecided: 2 [1, 3], n = 3: gap', 'holds: 2 [1, 3], n = 3: gap')]
    """
    there = {row["id"]: row for row in kept.rows}
    pairs = {row["id"]: (row, there[row["id"]]) for row in rows if row["id"] in there}
    kinds = {name: _kind(*pair) for name, pair in pairs.items()}

    def of(kind: str) -> tuple[str, ...]:
        return tuple(name for name in kinds if kinds[name] == kind)

    return Agreement(
        kept.path,
        str(kept),
        *map(of, ("agree", "open here", "open there", "differ", "other rule")),
        missing=tuple(row["id"] for row in rows if row["id"] not in there),
        said=[(name, _text(ours), _text(theirs)) for name, (ours, theirs) in pairs.items() if kinds[name] != "agree"],
    )


def agreement_table(found: Agreement) -> Table:
    """The claims that do not agree, and what each side says."""
    table = Table()
    for heading in ("claim", "here", f"in {found.name}"):
        table.add_column(heading)
    for texts in found.said:
        table.add_row(*map(Text, texts))
    return table


def _kind(ours: Row, theirs: Row) -> str:
    if any(ours[name] != theirs[name] for name in _RULE if name in ours and name in theirs):
        return "other rule"
    if ours["verdict"] == theirs["verdict"]:
        return "agree"
    if "undecided" in (ours["verdict"], theirs["verdict"]):
        return "open here" if ours["verdict"] == "undecided" else "open there"
    return "differ"


def _text(row: Row) -> str:
    part = deciding_part(row)
    return f"{row['verdict']}: {effect_text(part)}, {seeds_text(part)}: {name_text(part)}"


def _listed(ids: Collection[str]) -> str:
    return ", ".join(ids) or "none"
