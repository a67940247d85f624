"""The tables of claims and theorems for a terminal, and the texts of their numbers, which pages share."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clinometer.pages.status import have_one_status
from clinometer.studies.claims_json import deciding_part
from clinometer.studies.effect_text import bounds_text, effect_text, name_text, seeds_needed_text, seeds_text

_COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow", "verified": "green", "failed": "red"}


def claims_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The claims with their verdicts, and under each what was measured, a line for each part: its verdict first."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    alike = have_one_status(rows)
    for row in rows:
        said = (
            Text(f"{row['id']} ", "bold").append(row["statement"], "bold").append(f" {status_text(row, alike)}", "dim")
        )
        table.add_row(Text(row["verdict"], f"bold {_COLOURS[row['verdict']]}"), said)
        for part in row["parts"]:
            table.add_row(Text(f" {part['verdict']}", _COLOURS[part["verdict"]]), Text(part_text(part)))
        if row["beside"]:
            table.add_row("", Text(f"beside, not counted: {len(row['beside'])} more, on the page", "dim"))
        table.add_row("", Padding(Text(row["note"], "dim"), (0, 0, 1, 0)))
    return table


def part_text(part: Mapping[str, Any]) -> str:
    """What was measured, what the rule holds it against, and of how many seeds.

    Example:
        >>> part = {"name": "log10 of β", "value": 3.0, "low": 2.0, "high": 5.0, "n": 8, "looks": [3, 8], "remark": ""}
        >>> part_text(part | {"unit": "factor", "bounds": [1.0, None]})
        'a factor 3 [2, 5] (rule: above 1), n = 8, 2nd look: β'
    """
    bounds, remark = bounds_text(part), part["remark"]
    rule = f" (rule: {bounds})" * bool(bounds)
    return f"{effect_text(part)}{rule}, {seeds_text(part)}: {name_text(part)}" + f" ({remark})" * bool(remark)


def judged_text(part: Mapping[str, Any]) -> str:
    """Where a part holds, the p-value of the bound that decides, and what must be known of the test.

    Example:
        >>> judged_text({"unit": "steps", "bounds": [None, 20.0], "p": 0.0123, "remark": "2 distinct values"})
        'holds below 20 steps; p = 0.012; 2 distinct values'
    """
    bounds, p = bounds_text(part), part["p"]
    told = (f"holds {bounds}" * bool(bounds), "" if p is None else f"p = {p:.2g}", part["remark"])
    return "; ".join(filter(None, told))


def status_text(row: Mapping[str, Any], alike: bool = False) -> str:
    """What a verdict is beside itself: exploratory, and why; another one where all claims share the 5%; still open.

    Args:
        row: Of `claims.json`.
        alike: Whether all rows have one status, which the line above the table says.

    Example:
        >>> row = {"verdict": "holds", "holm": "undecided", "status": "confirmatory", "seeds_needed": None}
        >>> status_text(row)
        '(undecided where all claims share one error rate, by Holm)'
        >>> late = row | {"holm": "holds", "status": "exploratory", "status_reason": "written late"}
        >>> status_text(late), status_text(late, alike=True)
        ('(exploratory: written late)', '')
    """
    differs = row.get("status") == "exploratory" and not alike
    told = [f"exploratory: {row['status_reason']}"] if differs else []
    if row.get("holm", row["verdict"]) != row["verdict"]:
        told.append(f"{row['holm']} where all claims share one error rate, by Holm")
    if needed := seeds_needed_text(row):
        told.append(needed)
    return f"({'; '.join(told)})" if told else ""


def verdict_text(row: Mapping[str, Any]) -> Text:
    """A claim's verdict and the part that tells best why, in one line.

    Example:
        >>> part = {"name": "gap", "verdict": "holds", "value": 2.0, "low": 1.5, "high": 2.5, "n": 3, "looks": [3]}
        >>> part |= {"unit": "factor", "bounds": [None, 1.0], "remark": ""}
        >>> open_part = part | {"name": "loss", "verdict": "undecided", "low": 0.5}
        >>> str(verdict_text({"id": "C1", "verdict": "undecided", "parts": [part, open_part]}))
        'C1 undecided: a factor 2 [0.5, 2.5] (rule: below 1), n = 3: loss'
    """
    verdict = (row["verdict"], _COLOURS[row["verdict"]])
    return Text.assemble(f"{row['id']} ", verdict, f": {part_text(deciding_part(row))}")


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
