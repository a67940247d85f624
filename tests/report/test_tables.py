import io

from rich.console import Console

from clinometer.report.tables import claims_table, theorems_table


def test_the_table_shows_every_part_with_its_interval() -> None:
    """Nothing of a claim that failed is left out."""
    part = {"name": "difference", "verdict": "fails", "value": -1.0, "low": -2.0, "high": -0.5, "n": 3, "p": 0.25}
    row = {"id": "C1", "verdict": "fails", "statement": "it is so [sic]", "note": "dead arm", "parts": [part]}
    row["beside"] = [part | {"name": "at matched loss"}]
    out = io.StringIO()
    Console(file=out, width=100).print(claims_table([row]))
    for expected in (
        "C1",
        "fails",
        "it is so [sic]",
        "difference: -1 [-2, -0.5], n = 3",
        "dead arm",
        "at matched loss",
    ):
        assert expected in out.getvalue()


def test_the_theorems_are_shown_as_printed_as_true_and_broken() -> None:
    """Rows written by hand, one of a theorem that failed with an error that is no number."""
    shown = {"printed": "a ≤ b [sic]", "true": "a = b", "hypothesis": "c > 0", "cases": 7}
    breaks = [{"name": "c = 0", "false": 0.125, "error": None}, {"name": "never", "false": 0.0, "error": None}]
    found = {"id": "theorem_1", "verdict": "failed", "worst": None, "breaks": breaks}
    out = io.StringIO()
    Console(file=out, width=120).print(theorems_table([shown | found]))
    for expected in ("theorem_1", "failed", "a ≤ b [sic]", "a = b", "c > 0", "c = 0: 12.5%, by ∞", "never: 0%", "∞ │"):
        assert expected in out.getvalue()
