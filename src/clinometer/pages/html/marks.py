"""Small marks within text and tables, as inline SVG: a sparkline, an interval beside its bounds; states of chips."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from clinometer.readable.sparkline import spark_svg

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
_BAR, _ROOM = 180, 8  # of an interval


def verdict_state(verdict: object) -> str:
    """The state that a verdict shows: "good", "bad", "warn" or "open"; any word may come.

    Example:
        >>> verdict_state("holds"), verdict_state("undecided"), verdict_state('"><script>')
        ('good', 'open', 'open')
    """
    return _STATES.get(str(verdict), "open")


def sparkline(values: Sequence[float], edge: float | None = None) -> Markup:
    """Values as a small line, with a dashed one at `edge`, a level not to be passed; infinite ones touch the frame."""
    return Markup(spark_svg(values, edge))


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
