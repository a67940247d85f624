"""Ticks whose labels never meet: as many as there is room for, at round numbers."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clinometer.plots.lettering import text_width
from clinometer.plots.library import import_matplotlib, part_of_matplotlib

_ticker = part_of_matplotlib("ticker")

_MOST = 7  # ticks of an axis
_ROUND = (1, 2, 2.5, 5, 10)
_DIGITS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_PLAIN = 1e-3, 1e6  # numbers between them are written without a power of ten
_FAR = 1e5  # steps from zero; beyond, labels would be too long
_NEAR = 100.0  # a ratio of the largest number to how far all lie apart
_DECADES = 1000.0  # a ratio of the largest to the least from which numbers above it are


def fit_both(axes: Any, xticks: Sequence[float] = ()) -> None:
    """Give both axes ticks whose labels do not meet, however small the panel will be.

    Args:
        axes: With their scales set; where the line of the y-axis is bounded, ticks are along that.
        xticks: Where along x; as many of them are labelled as there is room for. By default round numbers.
    """
    fit_ticks(axes.xaxis, xticks)
    fit_ticks(axes.yaxis, bounds=axes.spines["left"].get_bounds())


def fit_ticks(axis: Any, chosen: Sequence[float] = (), bounds: tuple[float, float] | None = None) -> None:
    """Give an axis ticks whose labels do not meet: those of `chosen` for which there is room, or round numbers.

    Args:
        axis: matplotlib's, with its scale set.
        chosen: Where; by default anywhere.
        bounds: Between which ends; by default between the limits of the axis.
    """
    axis.set_major_locator(_FittingTicks(axis.get_scale(), chosen, bounds))
    axis.set_major_formatter(_Numbers())
    axis.set_minor_locator(_NoTicks())


class _NoTicks(_ticker.Locator):
    """None."""

    def __call__(self) -> Any:
        return []

    def tick_values(self, vmin: float, vmax: float) -> Any:
        del vmin, vmax
        return []


class _FittingTicks(_ticker.Locator):
    """The most ticks of those that an axis of this scale may have whose labels leave room between them."""

    def __init__(self, scale: str, chosen: Sequence[float], bounds: tuple[float, float] | None) -> None:
        self.scale, self.chosen, self.bounds = scale, tuple(chosen), bounds
        self._letters = _letter_size()
        self._last: tuple[Any, Sequence[float]] = (None, ())

    def __call__(self) -> Any:
        axis: Any = self.axis
        return self.tick_values(*axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = self.bounds or (min(vmin, vmax), max(vmin, vmax))
        axis: Any = self.axis
        box = axis.axes.get_window_extent()
        key = (low, high, round(box.width), round(box.height))
        if self._last[0] != key:
            self._last = (key, self._found(low, high))
        return self._last[1]

    def _found(self, low: float, high: float) -> Sequence[float]:
        if not (math.isfinite(low) and math.isfinite(high)):
            return []
        room = 1e-9 * (high - low)
        within = [t for t in self.chosen if low - room <= t <= high + room]
        if within:
            return self._without_neighbours(within)
        ticks: Sequence[float] = []
        for ticks in self._candidates(low, high):
            if len(ticks) and self._fit(ticks):
                break
        return ticks if self._fit(ticks) else ticks[:1]

    def _candidates(self, low: float, high: float) -> Iterator[Sequence[float]]:
        """From many ticks to few."""
        if self.scale == "log" and low > 0:
            yield from _logarithmic(low, high)
        elif self.scale == "asinh":
            for most in range(_MOST, 1, -1):
                yield [t for t in _ticker.AsinhLocator(1.0, numticks=most).tick_values(low, high) if low <= t <= high]
        else:
            yield from _linear(low, high)

    def _without_neighbours(self, ticks: Sequence[float]) -> list[float]:
        """The ends first, then those between that meet no label of what is kept."""
        kept: list[float] = []
        for tick in dict.fromkeys((ticks[0], ticks[-1], *ticks)):
            if self._fit(sorted((*kept, tick))):
                kept.append(tick)
        return sorted(kept)

    def _fit(self, ticks: Sequence[float]) -> bool:
        """Whether the labels leave the width of a letter between them."""
        if len(ticks) < 2:
            return True
        axis: Any = self.axis
        axes, along_x = axis.axes, axis.axis_name == "x"
        size = self._letters
        places = axes.transData.transform(
            [(t, axes.get_ylim()[0]) if along_x else (axes.get_xlim()[0], t) for t in ticks]
        )
        at = places[:, 0 if along_x else 1] * 72 / axes.get_figure(root=True).dpi
        texts = numbers([tick - _base(ticks) for tick in ticks])
        widths = [text_width(text, size) if along_x else size for text in texts]
        half = np.array(widths) / 2
        return bool((np.abs(np.diff(at)) >= half[1:] + half[:-1] + (0.8 if along_x else 0.35) * size).all())


def _letter_size() -> float:
    size = import_matplotlib().rcParams["xtick.labelsize"]
    return part_of_matplotlib("font_manager").FontProperties(size=size).get_size_in_points()


class _Numbers(_ticker.Formatter):
    """Numbers in one way on one axis."""

    _base = 0.0

    def __call__(self, x: float, pos: int | None = None) -> str:
        del pos
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Any) -> list[str]:
        self._base = _base(values)
        return numbers([value - self._base for value in values])

    def get_offset(self) -> str:
        """What all labels leave out, above the axis."""
        return f"+{numbers([self._base])[0]}" if self._base else ""


def _base(values: Sequence[float]) -> float:
    """The first number, where all are so near to it that labels would be too long; 0 where they are not."""
    if len(values) < 2:
        return 0.0
    most, step = max(map(abs, values)), float(min(np.diff(sorted(values))))
    apart = max(values) - min(values)  # along a logarithmic axis steps are small as well, but numbers far apart
    return float(values[0]) if most > _FAR * step and most > _NEAR * apart else 0.0


def numbers(values: Sequence[float]) -> list[str]:
    """Labels of ticks: all written out, or all with powers of ten.

    Example:
        >>> numbers([0.0, 2500.0, 5000.0]), numbers([1e-8, 3e-5]), numbers([1e-2, 1.0])
        (['0', '2500', '5000'], ['10⁻⁸', '3×10⁻⁵'], ['0.01', '1'])
    """
    sizes = [abs(value) for value in values if value]
    step = float(min(np.diff(sorted(values)))) if len(values) > 1 else math.inf
    many = max(sizes, default=1.0) >= _DECADES * min(sizes, default=1.0)
    if not sizes or (min(*sizes, step) >= _PLAIN[0] and max(sizes) < (2 * _DECADES if many else _PLAIN[1])):
        return [_plain(value, step) for value in values]
    return [_with_power(value, step) for value in values]


def _plain(value: float, step: float) -> str:
    """A number with as many digits as tell it from those a step away."""
    near = 0.01 * min(step, abs(value) or 1.0)
    digits = next((count for count in range(12) if abs(round(value, count) - value) <= near), 12)
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _with_power(value: float, step: float) -> str:
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    digits = _plain(value / 10.0**power, step / 10.0**power)
    ten = f"10{str(power).translate(_DIGITS)}"
    return {"1": ten, "−1": f"−{ten}"}.get(digits, f"{digits}×{ten}")


def _linear(low: float, high: float) -> Iterator[Sequence[float]]:
    for most in range(_MOST, 0, -1):
        ticks = _ticker.MaxNLocator(most, steps=_ROUND).tick_values(low, high)
        room = 1e-9 * (high - low)
        yield [float(t) for t in ticks if low - room <= t <= high + room]


def _logarithmic(low: float, high: float) -> Iterator[Sequence[float]]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        for stride in range(max(1, math.ceil((last - first + 1) / _MOST)), last - first + 1):
            yield [10.0**power for power in range(-(-first // stride) * stride, last + 1, stride)]
        return
    for leading in ((1, 2, 5), (1, 3), (1,)):
        found = [digit * 10.0**power for power in range(first - 1, last + 1) for digit in leading]
        if len(ticks := [tick for tick in found if low <= tick <= high]) > 1:
            yield ticks
    yield from _linear(low, high)
