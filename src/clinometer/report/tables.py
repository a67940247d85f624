"""The tables of claims and theorems for a terminal, and the texts of their numbers, which pages share."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

_COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow", "verified": "green", "failed": "red"}


def claims_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The claims with their verdicts; a claim of several parts shows each."""
    table = Table(show_lines=True, title_justify="left")
    table.add_column("claim")
    table.add_column("verdict")
    table.add_column("what is said; what was measured: mean [95% interval over seeds]", ratio=1)
    for row in rows:
        measured = Text(row["statement"])
        for part in row["parts"]:
            measured.append(f"\n· {part['name']}: {interval_text(part)}, n = {part['n']}: ")
            measured.append(part["verdict"], style=_COLOURS[part["verdict"]])
        for part in row["beside"]:
            measured.append(f"\n  beside, not counted: {part['name']}: {interval_text(part)}", style="dim")
        measured.append(f"\n{row['note']}", style="dim")
        table.add_row(row["id"], Text(row["verdict"], style=f"bold {_COLOURS[row['verdict']]}"), measured)
    return table


def verdict_text(row: Mapping[str, Any]) -> Text:
    """A claim's verdict and the first comparison that has the same verdict, in one line.

    Example:
        >>> part = {"name": "gap", "verdict": "holds", "value": 2.0, "low": 1.5, "high": 2.5, "n": 3}
        >>> open_part = part | {"name": "loss", "verdict": "undecided", "low": -1.0}
        >>> str(verdict_text({"id": "C1", "verdict": "undecided", "parts": [part, open_part]}))
        'C1 undecided: loss 2 [-1, 2.5], n = 3'
    """
    verdict = (row["verdict"], _COLOURS[row["verdict"]])
    part = next(
        part for part in row["parts"] if part["verdict"] == row["verdict"]
    )  # one fails, one is open, or all hold
    return Text.assemble(f"{row['id']} ", verdict, f": {part['name']} {interval_text(part)}, n = {part['n']}")


def outcome_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which claims hold, fail and are undecided, in one line.

    Example:
        >>> outcome_text([{"id": "C1", "verdict": "holds"}, {"id": "C2", "verdict": "undecided"}])
        'holds: C1; fails: none; undecided: C2'
    """
    ids = {name: [row["id"] for row in rows if row["verdict"] == name] for name in ("holds", "fails", "undecided")}
    return "; ".join(f"{name}: {', '.join(found) or 'none'}" for name, found in ids.items())


def theorems_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The theorems as printed and as true, with what becomes of them where a hypothesis is broken."""
    table = Table(show_lines=True)
    table.add_column("theorem")
    table.add_column("as printed; as true; what it needs; what is false, in how many cases, by how much", ratio=1)
    table.add_column("cases", justify="right")
    table.add_column("worst\nrelative\nerror", justify="right")
    for row in rows:
        said = Table.grid(padding=(0, 1))
        said.add_row(Text("printed", style="dim"), Text(row["printed"]))
        said.add_row(Text("true", style="dim"), Text(row["true"], style="bold"))
        said.add_row(Text("needs", style="dim"), Text(row["hypothesis"]))
        for each in row["breaks"]:
            said.add_row(Text("false", style="dim"), Text(break_text(each)))
        name = Text(f"{row['id']}\n").append(row["verdict"], style=f"bold {_COLOURS[row['verdict']]}")
        table.add_row(name, said, str(row["cases"]), error_text(row["worst"]))
    return table


def break_text(found: Mapping[str, Any]) -> str:
    """What becomes of a statement that is not always true: how often it is false, and by how much in the median.

    Example:
        >>> break_text({"name": "with ε > 0", "false": 0.25, "error": 0.0312})
        'with ε > 0: 25%, by 0.031'
        >>> break_text({"name": "with ε > 0", "false": 0.0, "error": None})
        'with ε > 0: 0%'
    """
    share = f"{found['name']}: {100 * found['false']:.3g}%"
    return f"{share}, by {error_text(found['error'])}" if found["false"] else share


def error_text(error: float | None) -> str:
    """A relative error as text; what is not finite is null in the rows.

    Example:
        >>> error_text(1.234e-15), error_text(None)
        ('1.2e-15', '∞')
    """
    return "∞" if error is None else f"{error:.2g}"


def interval_text(part: Mapping[str, Any]) -> str:
    """A mean and its interval as text; an end that is not finite is null in the rows.

    Example:
        >>> interval_text({"value": 1.0, "low": 0.5, "high": 1.5})
        '1 [0.5, 1.5]'
        >>> interval_text({"value": 1.0, "low": None, "high": None})
        '1 [no interval]'
        >>> interval_text({"value": 1.0, "low": 0.0, "high": None})
        '1 [0, ∞]'
    """
    if part["value"] is None:
        return "not measured"
    low, high = part["low"], part["high"]
    if low is None and high is None:
        return f"{part['value']:.3g} [no interval]"
    return f"{part['value']:.3g} [{'-∞' if low is None else f'{low:.3g}'}, {'∞' if high is None else f'{high:.3g}'}]"


def sign_flip_text(part: Mapping[str, Any]) -> str:
    """The exact test's p beside its floor, since with few seeds p cannot be small; empty if there is no p.

    Example:
        >>> sign_flip_text({"p": 0.25, "n": 3}), sign_flip_text({"p": None, "n": 3})
        ('sign-flip p = 0.25 (floor 0.25), ', '')
    """
    return "" if part["p"] is None else f"sign-flip p = {part['p']:.3g} (floor {2 / 2 ** part['n']:.3g}), "
