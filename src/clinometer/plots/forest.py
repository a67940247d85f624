"""A forest plot of claims: each counted part with its effect, its interval and the bounds that it is judged by."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.studies.effect_text import effect_text, name_text, seeds_text
from clinometer.studies.figure import Estimate, Figure, Panel

Rows = Sequence[Mapping[str, Any]]  # of claims.json

_UNITS = ("factor", "percentage points", "%", "steps")  # the order of panels; others follow
_LOGARITHMIC = ("factor", "relative")  # of what is positive, and compared by its logarithm
_LONGEST = 68  # letters of a name: tables have all of it
_CAPTION = (
    "One line for each counted part: its effect with its 95% interval over seeds, all looks paid for, and shaded where "
    "it should lie by the claim's rule. Filled circle: holds; cross: fails; open circle: undecided. An arrow: the "
    "interval goes on."
)


def forest_figure(
    results: Mapping[str, Rows], title: str = "What holds, and how large it is", *, deciding: bool = False
) -> Figure:
    """A panel for each unit, with a line for each part and scale; factors and relative errors on a logarithmic axis.

    Args:
        results: Rows of `claims.json` by the scale of the study; one study alone needs no name for it.
        title: Above the figure.
        deciding: Whether to show of each claim only the first part of each verdict that its parts have at a scale.

    Example:
        >>> part = {"name": "log10 of the gap", "verdict": "holds", "value": 126.0, "low": 10.0, "high": 1600.0, "n": 3}
        >>> part |= {"unit": "factor", "bounds": [1.0, None], "looks": [3]}
        >>> figure = forest_figure({"smoke": [{"id": "C1", "verdict": "holds", "parts": [part]}]})
        >>> figure.panels[0].estimates[0].name, figure.panels[0].estimates[0].text
        ('C1 gap', 'smoke: a factor 126 [10, 1600], n = 3')
    """
    lines: dict[str, list[Estimate]] = {unit: [] for unit in _UNITS}
    for claim, names in _shown(results, deciding).items():
        for name in names:
            for scale, rows in results.items():
                part = _parts(rows).get(claim, {}).get(name)
                if part is not None:
                    lines.setdefault(part["unit"], []).append(_estimate(claim, scale, part))
    panels = tuple(_panel(unit, estimates) for unit, estimates in lines.items() if estimates)
    return Figure(title, _CAPTION, panels, columns=1)


def _shown(results: Mapping[str, Rows], deciding: bool) -> dict[str, dict[str, None]]:
    """The names of the parts to show, claim by claim, in the order of the rows."""
    shown: dict[str, dict[str, None]] = {}
    chosen: dict[str, set[str]] = {}
    for rows in results.values():
        for row in rows:
            shown.setdefault(row["id"], {}).update(dict.fromkeys(part["name"] for part in row["parts"] if part["n"]))
            firsts = {part["verdict"]: part["name"] for part in reversed(row["parts"])}
            chosen.setdefault(row["id"], set()).update(firsts.values())
    if not deciding:
        return shown
    return {claim: {name: None for name in names if name in chosen[claim]} for claim, names in shown.items()}


def _parts(rows: Rows) -> dict[str, dict[str, Mapping[str, Any]]]:
    return {row["id"]: {part["name"]: part for part in row["parts"] if part["n"]} for row in rows}


def _estimate(claim: str, scale: str, part: Mapping[str, Any]) -> Estimate:
    name = f"{claim} {name_text(part)}"
    return Estimate(
        name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…",
        _number(part["value"], math.nan),
        *_interval((part["low"], part["high"])),
        _interval(part["bounds"]),
        part["verdict"],
        f"{scale}: " * bool(scale) + f"{effect_text(part)}, {seeds_text(part)}",
    )


def _interval(ends: Sequence[float | None]) -> tuple[float, float]:
    low, high = ends
    return _number(low, -math.inf), _number(high, math.inf)


def _number(value: float | None, absent: float) -> float:
    return absent if value is None else value


def _panel(unit: str, estimates: Sequence[Estimate]) -> Panel:
    return Panel(
        "",
        unit or "as measured",
        "",
        estimates=tuple(estimates),
        xscale="log" if unit in _LOGARITHMIC else "linear",
    )
