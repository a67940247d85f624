"""How many seeds an undecided claim would take, from the samples in its row of `claims.json`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.results.power import Power, pilot_power, seeds_for

WANTED = 0.8  # power
MOST = 400  # seeds: a claim that needs more is hopeless as posed


def seeds_needed_text(row: Mapping[str, Any]) -> str:
    """How many seeds would decide a claim with a power of 80%, if the effects seen are the true ones; empty if unknown.

    A claim fails as soon as a part fails, at an error rate divided by the number of parts, and holds when all hold.

    Args:
        row: Of an undecided claim.

    Example:
        >>> part = {"verdict": "undecided", "unit": "factor", "bounds": [1.0, None], "samples": [1.0, 10.0, 100.0]}
        >>> part["remark"] = ""
        >>> seeds_needed_text({"parts": [part]})                                                   # doctest: +ELLIPSIS
        'about 1... seeds would decide it'
        >>> seeds_needed_text({"parts": [part | {"samples": [0.1, 10.2, 1.0]}]})
        'hopeless as posed: more than 400 seeds'
        >>> seeds_needed_text({"parts": [part | {"samples": [2.0]}]})
        ''
    """
    left = [part for part in row["parts"] if part["verdict"] != "holds"]
    plain = [_power(part, 1.0) for part in left]
    failing = [part for part, power in zip(left, plain, strict=True) if power and power.direction == "fails"]
    if failing:
        powers = [_power(part, 1 / len(row["parts"])) for part in failing]
        return _text(min(_seeds(powers), default=math.inf), left)
    return "" if None in plain else _text(max(_seeds(plain), default=math.inf), left)


def _power(part: Mapping[str, Any], share: float) -> Power | None:
    """The power of a part, factors being compared as logarithms; None where its samples cannot tell."""
    absent = math.inf if part["unit"] == "steps" else math.nan  # a delay that never ends
    samples = [_compared(value, absent, part["unit"]) for value in part["samples"]]
    low, high = (
        _compared(bound, end, part["unit"]) for bound, end in zip(part["bounds"], (-math.inf, math.inf), strict=True)
    )
    by_sign = part["unit"] == "steps" or "sign test" in part["remark"]
    return pilot_power(samples, low, high, "sign" if by_sign else "t", MOST, share)


def _compared(value: float | None, absent: float, unit: str) -> float:
    if value is None:
        return absent
    return (math.log10(value) if value > 0 else math.nan) if unit == "factor" else value


def _seeds(powers: Sequence[Power | None]) -> list[float]:
    return [seeds_for(power.likely, WANTED) or math.inf for power in powers if power]


def _text(seeds: float, left: Sequence[Mapping[str, Any]]) -> str:
    if seeds > MOST:
        return f"hopeless as posed: more than {MOST} seeds"
    if seeds <= max(len(part["samples"]) for part in left):  # as likely as not some are on its edge by chance
        return "a few more seeds would probably decide it"
    return f"about {seeds:.0f} seeds would decide it"
