"""Small marks within text and tables, as inline SVG: a sparkline, an interval beside its bounds; states of chips."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

_STATES = {
    "holds": "good",
    "verified": "good",
    "stable": "good",
    "good": "good",
    "better": "good",
    "fails": "bad",
    "failed": "bad",
    "broken": "bad",
    "unstable": "bad",
    "bad": "bad",
    "worse": "bad",
    "near": "warn",
    "warn": "warn",
    "partial": "warn",
}
_WIDE, _HIGH = 120, 32  # of a sparkline
_BAR, _ROOM = 180, 8  # of an interval


def verdict_state(verdict: object) -> str:
    """The state that a verdict shows: "good", "bad", "warn" or "open"; any word may come.

    Example:
        >>> verdict_state("holds"), verdict_state("undecided"), verdict_state('"><script>')
        ('good', 'open', 'open')
    """
    return _STATES.get(str(verdict), "open")


def sparkline(values: Sequence[float], edge: float | None = None, scale: str = "linear") -> Markup:
    """Values as a small line, with a dashed one at `edge`; infinite ones touch the frame, unknown ones leave a gap.

    Args:
        values: In order, evenly spaced.
        edge: A level not to be passed.
        scale: "linear" or "log".
    """
    shown = np.asarray(values, dtype=float).ravel()
    shown = shown[np.unique(np.linspace(0, len(shown) - 1, min(len(shown), 80)).astype(int))] if len(shown) else shown
    y = _along(shown, scale)
    level = float(_along(np.array([math.nan if edge is None else edge]), scale)[0])
    known = np.append(y, level)[np.isfinite(np.append(y, level))]
    if not len(known):
        return Markup("")
    low, high = float(known.min()), float(known.max())
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return min(max(_HIGH - 3 - (_HIGH - 6) * (value - low) / span, 1), _HIGH - 1)

    parts: list[str] = []
    for place, value in enumerate(y):
        if math.isnan(value):
            continue
        begins = place == 0 or math.isnan(y[place - 1])
        parts.append(f"{'M' if begins else 'L'}{_WIDE * place / max(len(y) - 1, 1):.1f} {at(float(value)):.1f}")
    line = f'<path class="spark-line" d="{"".join(parts)}"/>'
    dashed = "" if math.isnan(level) else f'<path class="spark-edge" d="M0 {at(level):.1f}H{_WIDE}"/>'
    size = f'viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none"'
    return Markup(f'<svg class="spark" {size} aria-hidden="true">{dashed}{line}</svg>')


def interval_bar(
    value: float,
    low: float,
    high: float,
    bounds: tuple[float | None, float | None],
    scale: str = "linear",
    verdict: str = "undecided",
) -> Markup:
    """A value on its interval, over the shaded range within which it should lie.

    Args:
        value: The estimate; not drawn if it is not finite.
        low: The interval's lower end, minus infinity if it has none.
        high: The upper end.
        bounds: Where the value should lie; None or infinite where there is no such bound.
        scale: "linear" or "log".
        verdict: What was decided; the colour.
    """
    ends = [math.nan if bound is None else float(bound) for bound in bounds]
    v, lo, hi, a, b = (float(x) for x in _along(np.array([value, low, high, *ends], dtype=float), scale))
    core = [x for x in (v, a, b) if math.isfinite(x)]
    if not core:
        return Markup("")
    reach = max(core) - min(core) or 0.3
    left = min([*core, max(lo, min(core) - reach)] if not math.isnan(lo) else core) - 0.1 * reach
    right = max([*core, min(hi, max(core) + reach)] if not math.isnan(hi) else core) + 0.1 * reach

    def at(x: float) -> float:
        return round(_ROOM + (_BAR - 2 * _ROOM) * (min(max(x, left), right) - left) / (right - left), 1)

    inner = [at(a) if math.isfinite(a) else 0.0, at(b) if math.isfinite(b) else float(_BAR)]
    parts = [f'<rect class="bar-range" x="{inner[0]}" y="2" width="{max(inner[1] - inner[0], 1):.1f}" height="16"/>']
    parts += [f'<path class="bar-edge" d="M{at(end)} 2V18"/>' for end in (a, b) if math.isfinite(end)]
    if not (math.isnan(lo) or math.isnan(hi)):
        parts.append(f'<path class="bar-line" d="M{at(lo)} 10H{at(hi)}"/>')
        tips = [(lo < left, _ROOM, 2), (hi > right, _BAR - _ROOM, _BAR - 2)]
        parts += [f'<path class="bar-tip" d="M{end} 6L{tip} 10L{end} 14"/>' for far, end, tip in tips if far]
    if math.isfinite(v):
        parts.append(f'<circle class="bar-dot" cx="{at(v)}" cy="10" r="4"/>')
    said = escape(f"{value:.3g}, from {low:.3g} to {high:.3g}")
    state = verdict_state(verdict)
    return Markup(
        f'<svg class="interval state-{state}" viewBox="0 0 {_BAR} 20" role="img" aria-label="{said}">'
        f"{''.join(parts)}</svg>"
    )


def _along(values: np.ndarray, scale: str) -> np.ndarray:
    """Values as an axis of that scale places them."""
    if scale != "log":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)
