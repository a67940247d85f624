"""The parts of claims in words: an effect with its interval in its unit, what it is judged against, and the looks.

Each function takes a row of `claims.json` or that of a part, where null stands for what is not finite.
"""

from collections.abc import Callable, Mapping
from typing import Any

from clinometer.studies.seeds_needed import MOST

Row = Mapping[str, Any]


def number_text(value: float) -> str:
    """Three digits, as `1.3e6` where that is beyond what can be read at a glance.

    Example:
        >>> [number_text(value) for value in (0.0, 0.1234, -1.5, 1634.0, 1.26e6, 2.5e-9)]
        ['0', '0.123', '-1.5', '1630', '1.26e6', '2.5e-9']
    """
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{float(f'{value:.3g}'):.10g}"
    mantissa, exponent = f"{value:.3g}".split("e") if "e" in f"{value:.3g}" else (f"{value:.3g}", "0")
    return f"{mantissa}e{int(exponent)}" if int(exponent) else mantissa


def _points(value: float) -> str:
    return f"{value:+.1f}" if abs(value) >= 0.05 or value == 0 else f"{value:+.1g}"


def _percent(value: float) -> str:
    return f"{value:.1f}%"


# A unit's name -> how its numbers are written, and what stands before and after the number at the centre.
_UNITS: Mapping[str, tuple[Callable[[float], str], str, str]] = {
    "factor": (number_text, "a factor ", ""),
    "percentage points": (_points, "", " points"),
    "%": (_percent, "", ""),
    "": (number_text, "", ""),
}


def effect_text(part: Row) -> str:
    """An effect and its interval, in the unit of the row; a row without a unit is told as it was measured.

    Example:
        >>> effect_text({"value": 126.0, "low": 10.2, "high": 1630.0, "unit": "factor"})
        'a factor 126 [10.2, 1630]'
        >>> effect_text({"value": 11.8, "low": 9.0, "high": 14.0, "unit": "percentage points"})
        '+11.8 points [+9.0, +14.0]'
        >>> effect_text({"value": 1.0, "low": None, "high": None, "unit": "steps"})
        '1 steps [no interval]'
        >>> effect_text({"value": None, "low": 91.0, "high": None, "unit": "steps"})
        'no finite centre [91, ∞] steps'
    """
    written, _, after = _unit(part)
    low, high, value = part["low"], part["high"], part["value"]
    if value is None and low is None and high is None:
        return "no finite number" if part.get("n", 1) else "not measured"
    lowest = "0" if part.get("unit") == "factor" else "-∞"
    ends = f"{lowest if low is None else written(low)}, {'∞' if high is None else written(high)}"
    interval = "[no interval]" if low is None and high is None else f"[{ends}]"
    return f"no finite centre {interval}{after}" if value is None else f"{centre_text(part)} {interval}"


def centre_text(part: Row) -> str:
    """The number at the centre of an effect, which is finite, in its unit.

    Example:
        >>> centre_text({"value": 126.0, "unit": "factor"}), centre_text({"value": 91.0, "unit": "steps"})
        ('a factor 126', '91 steps')
    """
    written, before, after = _unit(part)
    return f"{before}{written(part['value'])}{after}"


def bounds_text(part: Row) -> str:
    """Where a part holds: above, below or between its bounds, in the unit of its effect; empty if the row has none.

    Example:
        >>> bounds_text({"unit": "factor", "bounds": [None, 2.0]}), bounds_text({"unit": "%", "bounds": [10.0, 20.0]})
        ('below 2', 'from 10 to 20%')
        >>> bounds_text({"unit": "percentage points", "bounds": [-5.0, None]})
        'above -5 points'
    """
    low, high = part["bounds"]
    after = "%" if part.get("unit") == "%" else _unit(part)[2]
    if low is not None and high is not None:
        return f"from {number_text(low)} to {number_text(high)}{after}"
    told = f"above {number_text(low)}" if low is not None else f"below {number_text(high)}" if high is not None else ""
    return f"{told}{after}" if told else ""


def seeds_text(part: Row) -> str:
    """How many seeds, and at which look if that is not the first.

    Example:
        >>> seeds_text({"n": 3, "looks": [3]}), seeds_text({"n": 8, "looks": [3, 5, 8]})
        ('n = 3', 'n = 8, 3rd look')
    """
    looks = len(part["looks"])
    return f"n = {part['n']}" + (f", {_ordinal(looks)} look" if looks > 1 else "")


def name_text(part: Row) -> str:
    """What is compared, without the scale of comparison where the effect is told as a factor.

    Example:
        >>> name_text({"name": "VGG: log10 of β, standard − BatchNorm", "unit": "factor"})
        'VGG: β, standard − BatchNorm'
    """
    name = str(part["name"])
    return name.replace("log10 of the ", "").replace("log10 of ", "") if part.get("unit") == "factor" else name


def _unit(part: Row) -> tuple[Callable[[float], str], str, str]:
    unit = part.get("unit", "")
    return _UNITS.get(unit, (number_text, "", f" {unit}"))


def _ordinal(count: int) -> str:
    last = {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th") if count % 100 not in (11, 12, 13) else "th"
    return f"{count}{last}"


def seeds_needed_text(row: Row) -> str:
    """How many seeds would decide the claim of a row, with a power of 80%, if its effects are the true ones.

    It is empty where the claim is decided, and where its samples cannot tell.

    Example:
        >>> row = {"parts": [{"n": 8}], "seeds_needed": {"likely": 19, "cautious": None}}
        >>> seeds_needed_text(row), seeds_needed_text(row | {"seeds_needed": {"likely": None, "cautious": None}})
        ('about 19 seeds would decide it', 'hopeless as posed: more than 400 seeds')
        >>> seeds_needed_text(row | {"parts": [{"n": 20}]})
        'a few more seeds would probably decide it'
        >>> seeds_needed_text(row | {"seeds_needed": None})
        ''
    """
    if row["seeds_needed"] is None:
        return ""
    likely = row["seeds_needed"]["likely"]
    if likely is None:
        return f"hopeless as posed: more than {MOST} seeds"
    if likely <= max(part["n"] for part in row["parts"]):  # as likely as not some are on its edge by chance
        return "a few more seeds would probably decide it"
    return f"about {likely} seeds would decide it"
