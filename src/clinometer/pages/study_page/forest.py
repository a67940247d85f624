"""Intervals on a common scale, as inline SVG: an axis for each unit, and a bar for each part of a claim."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from clinometer.pages.html.marks import verdict_state
from clinometer.studies.effect_text import number_text

Row = Mapping[str, Any]  # of a part of a claim, as in claims.json

_WIDTH, _HEIGHT, _EDGE = 220, 16, 6  # of a bar, in its own pixels; its ends keep clear of the edge
_LOGARITHMIC = ("factor", "relative")
_ABOUT_ZERO = {"factor": 0.3, "percentage points": 5.0}  # an axis is linear so far from no difference
_TICKS = {
    "factor": (1, 10, 0.1, 1e3, 1e-3, 1e6, 1e-6, 2, 0.5, 1e9, 1e-9, 1e12, 1e-12),
    "percentage points": (0, 100, -100, 20, -20, 5, -5),
}
_FEW, _CLOSE = 7, 0.13  # ticks of an axis; nearer than that their numbers would touch


@dataclass(frozen=True)
class Axis:
    """Where numbers of one unit stand, from 0 at the left end to 1 at the right.

    Factors lie by their logarithm. Where a number says "no difference", as a factor of 1 does, that is in the middle of
    the axis, which is stretched there and drawn together farther out: a factor of 2 is seen beside one of a million.
    """

    unit: str
    low: float  # the ends, as `_warped` has them
    high: float

    @classmethod
    def of(cls, unit: str, parts: Iterable[Row]) -> "Axis":
        """The axis on which parts of one unit can be seen: all centres and bounds, and ends not much farther off."""
        rows = list(parts)
        core = _finite(unit, [number for row in rows for number in (row["value"], *row["bounds"])]) or [0.0]
        ends = _finite(unit, [end for row in rows for end in (row["low"], row["high"])])
        reach = max(max(core) - min(core), 1.5 if unit in _ABOUT_ZERO else 0.05 * max(map(abs, core)) or 0.5)
        low = min(core) - min(reach, max([0.0, *(min(core) - end for end in ends)]))
        high = max(core) + min(reach, max([0.0, *(end - max(core) for end in ends)]))
        if unit in _ABOUT_ZERO:
            low, high = -max(-low, high), max(-low, high)
        # Numbers that are nearly the same are not drawn as if they were far apart.
        room = max(0.05 * (high - low), 0.01 * max(abs(low), abs(high))) or 0.5
        return cls(unit, low - room, high + room)

    def place(self, number: float) -> float:
        """Where a number stands; beyond 0 and 1 where the axis does not reach.

        Example:
            >>> axis = Axis("factor", -2.0, 2.0)
            >>> axis.place(1.0), round(axis.place(10.0) + axis.place(0.1), 9), axis.place(0.0)
            (0.5, 1.0, -inf)
        """
        return (_warped(self.unit, number) - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places with the numbers that stand there, the most telling ones."""
        numbers = _TICKS.get("factor" if self.unit in _LOGARITHMIC else self.unit) or _round_numbers(
            self.low, self.high
        )
        chosen: dict[float, str] = {}
        for number in numbers:
            place = self.place(number)
            if 0 <= place <= 1 and all(abs(place - other) > _CLOSE for other in chosen) and len(chosen) < _FEW:
                chosen[place] = _tick_text(self.unit, number)
        return sorted(chosen.items())


def axes(rows: Iterable[Row]) -> dict[str, Axis]:
    """The axis of each unit that the parts of some claims have, those of `beside` included."""
    by_unit: dict[str, list[Row]] = {}
    for row in rows:
        for part in (*row["parts"], *row["beside"]):
            by_unit.setdefault(part["unit"], []).append(part)
    return {unit: Axis.of(unit, parts) for unit, parts in by_unit.items()}


def bar(part: Row, axis: Axis, said: str) -> Markup:
    """The interval of a part, upon the shaded range where the part holds.

    Args:
        part: With `value`, `low`, `high`, `bounds` and `verdict`.
        axis: Of its unit.
        said: The same in words, for who does not see it.
    """
    low, high = _ends(part["bounds"])
    drawn = Markup()
    if math.isfinite(low) or math.isfinite(high):
        left = 0 if low == -math.inf else _pixel(axis, low)
        right = _WIDTH if high == math.inf else _pixel(axis, high)
        drawn += Markup('<rect class="bar-range" x="{}" y="0" width="{}" height="{}"/>').format(
            _short(left), _short(max(right - left, 1)), _HEIGHT
        )
    if axis.unit in _ABOUT_ZERO:
        drawn += _line("no-difference", _pixel(axis, 1.0 if axis.unit in _LOGARITHMIC else 0.0))
    return _svg(drawn + _interval(part, axis), part["verdict"], said)


def scale(axis: Axis) -> Markup:
    """The axis itself, with its numbers, as wide as a bar."""
    drawn = Markup()
    for place, text in axis.ticks:
        x = _short(_EDGE + place * (_WIDTH - 2 * _EDGE))
        drawn += Markup('<text x="{}" y="12" text-anchor="middle">{}</text>').format(x, text)
    return Markup('<svg class="scale" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(_WIDTH, _HEIGHT, drawn)


def _interval(part: Row, axis: Axis) -> Markup:
    """The line from end to end, arrows where it goes on beyond the axis, and the mark at the centre."""
    low, high = _ends((part["low"], part["high"]))
    value, middle = part["value"], _HEIGHT / 2
    if value is None and not (math.isfinite(low) or math.isfinite(high)):
        return Markup()
    left, right = _pixel(axis, low), _pixel(axis, high)
    drawn = Markup()
    if part["low"] is not None or part["high"] is not None:
        drawn += Markup('<path class="bar-line" d="M{} {}H{}"/>').format(_short(left), _short(middle), _short(right))
        for beyond, end, way in ((axis.place(low) < 0, 1, 4), (axis.place(high) > 1, _WIDTH - 1, -4)):
            if beyond:
                drawn += Markup('<path class="bar-tip" d="M{} {}l{} 4l{} 4"/>').format(end + way, middle - 4, -way, way)
    if value is None or not 0 <= axis.place(value) <= 1:
        return drawn
    return drawn + _mark(part["verdict"], _pixel(axis, value), middle)


def _mark(verdict: str, x: float, y: float) -> Markup:
    """In grey, too, the verdicts differ: a filled circle holds, a cross fails, an open circle is undecided."""
    if verdict == "fails":
        return Markup('<path class="bar-dot cross" d="M{} {}m-3.5 -3.5l7 7m0 -7l-7 7"/>').format(_short(x), _short(y))
    return Markup('<circle class="bar-dot" cx="{}" cy="{}" r="3.5"/>').format(_short(x), _short(y))


def _line(kind: str, x: float) -> Markup:
    return Markup('<path class="{}" d="M{} 0V{}"/>').format(kind, _short(x), _HEIGHT)


def _svg(drawn: Markup, verdict: str, said: str) -> Markup:
    opening = '<svg class="interval state-{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    return Markup(opening).format(verdict_state(verdict), _WIDTH, _HEIGHT, said, drawn)


def _pixel(axis: Axis, number: float) -> float:
    return _EDGE + min(max(axis.place(number), 0.0), 1.0) * (_WIDTH - 2 * _EDGE)


def _short(pixels: float) -> str:
    return f"{pixels:.1f}".removesuffix(".0")


def _ends(ends: Sequence[float | None]) -> tuple[float, float]:
    low, high = ends
    return -math.inf if low is None else low, math.inf if high is None else high


def _finite(unit: str, numbers: Iterable[float | None]) -> list[float]:
    warped = [_warped(unit, number) for number in numbers if number is not None]
    return [number for number in warped if math.isfinite(number)]


def _warped(unit: str, number: float) -> float:
    if unit in _LOGARITHMIC:
        number = math.log10(number) if number > 0 else -math.inf
    return math.asinh(number / _ABOUT_ZERO[unit]) if unit in _ABOUT_ZERO else number


def _round_numbers(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, three or a few more within the ends."""
    raw = (high - low) / 3
    power = 10.0 ** math.floor(math.log10(raw))
    step = max(size * power for size in (1, 2, 5) if size * power <= raw)
    first = math.ceil(low / step)
    return [step * number for number in range(first, math.floor(high / step) + 1)]


def _tick_text(unit: str, number: float) -> str:
    if unit in _LOGARITHMIC:
        return "×" * (unit == "factor") + number_text(number)
    if unit == "percentage points":
        return f"{number:+g}".replace("-", "−").replace("+0", "0")
    return f"{number:.6g}".replace("-", "−") + "%" * (unit == "%")
