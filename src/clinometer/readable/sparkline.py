"""A course of numbers as a small line: SVG in the reader's own colour, which a page's style sheet may set otherwise."""

import math
from collections.abc import Callable, Sequence

_WIDE, _HIGH, _EDGE = 140.0, 26.0, 3.0
_SHOWN = 140  # points: one for each pixel
_SPAN = 20.0  # from this ratio of the largest to the smallest number on, the axis is logarithmic
_MARK = "#d9480f"  # seen on light and on dark
_LINE_LOOK = 'stroke="currentColor" stroke-width="1.3" stroke-linejoin="round"'
_EDGE_LOOK = f'stroke="{_MARK}" stroke-width="1" stroke-dasharray="3 3"'


def spark_svg(values: Sequence[float], limit: float | None = None) -> str:
    """Numbers from left to right, with a dashed line at a limit, and a mark at the frame where one is infinite.

    NaN leaves a gap. The axis is logarithmic where no number is negative and they span more than a factor of 20.

    Example:
        >>> spark_svg([1.0, 2.0, float("inf")], limit=1.5).count("spark-mark")
        1
        >>> spark_svg([])
        ''
    """
    values = _thinned(values)
    finite = [value for value in [*values, *([] if limit is None else [limit])] if math.isfinite(value)]
    if not values or not any(not math.isnan(value) for value in values):
        return ""
    positive = [value for value in finite if value > 0]
    log = bool(positive) and min(finite) >= 0 and max(positive) > _SPAN * min(positive)
    ends = [_placed(value, log) for value in (positive if log else finite)] or [0.0]
    low, high = min(ends), max(ends)

    def at(value: float) -> float:
        """The height of a number, from the top; at the frame if it is infinite, or zero on a logarithmic axis."""
        share = (_placed(value, log) / 2 - low / 2) / (high / 2 - low / 2 or 1.0)  # halves, as the span may overflow
        return _EDGE + (_HIGH - 2 * _EDGE) * (1 - min(max(share, 0.0), 1.0))

    across = (_WIDE - 2 * _EDGE) / max(len(values) - 1, 1)
    points = [(_EDGE + across * place, value) for place, value in enumerate(values)]
    dashed = (
        "" if limit is None or not math.isfinite(limit) else _line("edge", f"M0 {at(limit):.1f}H{_WIDE:g}", _EDGE_LOOK)
    )
    marks = "".join(_dot("mark", x, at(value), _MARK) for x, value in points if math.isinf(value))
    last = "".join(_dot("last", x, at(value), "currentColor") for x, value in points[-1:] if math.isfinite(value))
    return (
        f'<svg class="spark" width="{_WIDE:g}" height="{_HIGH:g}" viewBox="0 0 {_WIDE:g} {_HIGH:g}" '
        f'preserveAspectRatio="none" overflow="visible" aria-hidden="true">{dashed}'
        f"{_line('line', _path(points, at), _LINE_LOOK)}{marks}{last}</svg>"
    )


def _path(points: Sequence[tuple[float, float]], at: Callable[[float], float]) -> str:
    parts: list[str] = []
    pen = "M"
    for x, value in points:
        if not math.isfinite(value):
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {at(value):.1f}")
        pen = "L"
    return "".join(parts)


def _thinned(values: Sequence[float]) -> list[float]:
    """At most so many as there are pixels; of those that share one, the farthest from the one before."""
    if len(values) <= _SHOWN:
        return list(values)
    kept: list[float] = []
    for place in range(_SHOWN):
        group = values[place * len(values) // _SHOWN : (place + 1) * len(values) // _SHOWN]
        before = kept[-1] if kept else group[0]
        kept.append(max(group, key=lambda value, b=before: _distance(value, b)))
    kept[-1] = values[-1]
    return kept


def _distance(value: float, other: float) -> float:
    """How far apart two numbers are; an infinity is as far as can be, and NaN nowhere."""
    if math.isinf(value):
        return math.inf
    far = abs(value - other)
    return -1.0 if math.isnan(value) else 0.0 if math.isnan(far) else far


def _placed(value: float, log: bool) -> float:
    if not log:
        return value
    return math.log10(value) if value > 0 else -math.inf


def _dot(kind: str, x: float, y: float, colour: str) -> str:
    """A round end of a line without length: it stays round where the drawing is stretched."""
    return _line(kind, f"M{x:.1f} {y:.1f}h0", f'stroke="{colour}" stroke-width="4" stroke-linecap="round"')


def _line(kind: str, path: str, look: str) -> str:
    return f'<path class="spark-{kind}" d="{path}" fill="none" vector-effect="non-scaling-stroke" {look}/>'
