"""Draws lines and bands over x so that each can be told: marks on lines, outlined bands, bars where bands are many."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clinometer.plots.labels import label
from clinometer.plots.library import part_of_matplotlib
from clinometer.plots.looks import Look, Looks
from clinometer.studies.figure import Series, Values

_transforms = part_of_matplotlib("transforms")

SHOWN_POINTS = 400  # more than a panel has pixels across would only make the file large
ENDS_HERE = "no finite value from here on"
_BANDS = 3  # as many can be told where they overlap; more are drawn as bars with caps
_WIDE = 2.4  # inches of axes from which lines and marks have their full size
_SEEDS, _SEED_POINTS = 10, 60  # lines of single seeds are drawn up to so many seeds, of so many points
_TRIANGLES = 12  # of a series at the frame
_APART = 2.4  # points between bars that would stand on one place


def shown_points(length: int) -> Values:
    """The places of the points that are drawn of so many: evenly spaced, the last one among them.

    Example:
        >>> shown_points(3), len(shown_points(100_000)), int(shown_points(100_000)[-1])
        (array([0, 1, 2]), 401, 99999)
    """
    return np.union1d(np.arange(0, length, max(1, math.ceil(length / SHOWN_POINTS))), [length - 1] if length else [])


def draw_lines(axes: Any, lines: Sequence[Series], looks: Looks) -> None:
    """Draw series: bands first, then lines, then marks where a value is infinite or a line ends early.

    The axes' scales must be set.
    """
    pen = _Pen(axes)
    bands = [series for series in lines if series.low is not None and series.high is not None]
    marked: dict[int, Values] = {}
    for place, series in enumerate(bands):
        if len(bands) <= _BANDS:
            pen.draw_band(series, looks.of(series), len(bands))
        else:
            marked[id(series)] = pen.draw_bars(series, looks.of(series), place, len(bands))
    for series in lines:
        if series.y is not None:
            pen.draw_line(series, looks.of(series), marked.get(id(series)))
    for series in lines:
        pen.mark_infinities(series, looks.of(series))
        pen.mark_end(series, looks.of(series))


class _Pen:
    """Draws on axes, finer where these are narrow."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes
        width = axes.get_position().width * axes.get_figure(root=True).get_figwidth()
        self.size = min(max(width / _WIDE, 0.7), 1.0)
        self.marks, self.bars = round(6 * self.size), round(8 * self.size**2)
        thin = 0.4 * self.size
        self.mark: Any = {"markersize": 4.2 * self.size, "markeredgecolor": "white", "markeredgewidth": thin}

    def draw_line(self, series: Series, look: Look, marked: Values | None) -> None:
        assert series.y is not None
        shown = shown_points(len(series.x))
        every = self._marked(len(shown), look) if marked is None else np.searchsorted(shown, marked)
        style: Any = self.mark | {"marker": look.mark or None, "markevery": every, "alpha": look.alpha}
        style |= {"color": look.tint, "linewidth": 1.3 * self.size, "label": label(series.label) or None}
        self.axes.plot(series.x[shown], series.y[shown], look.dashes, **style)

    def _marked(self, points: int, look: Look) -> Any:
        """The points of a line that have its mark: those of the other lines are elsewhere."""
        if points <= self.marks or not look.mark:
            return 1
        every = max(points // self.marks, 1)
        return slice(every * look.place // look.count, None, every)

    def draw_band(self, series: Series, look: Look, bands: int) -> None:
        """A shade with the lines of single seeds, or between two outlines: one thinner than these is seen as a line."""
        assert series.low is not None
        assert series.high is not None
        shown = shown_points(len(series.x))
        x, ends = series.x[shown], (series.low[shown], series.high[shown])
        self.axes.fill_between(x, *ends, color=look.tint, alpha=0.22 * look.alpha, linewidth=0)
        if series.y is None:
            style: Any = self.mark | {"marker": look.mark or None, "markevery": self._marked(len(shown), look)}
            style |= {"color": look.tint, "alpha": 0.9 * look.alpha, "linewidth": 0.9 * self.size}
            for values, name in zip(ends, (label(series.label) or None, None), strict=True):
                self.axes.plot(x, values, look.dashes, label=name, **style)
            return
        seeds = series.each if len(series.seeds) <= _SEEDS and len(series.x) <= _SEED_POINTS and bands <= 2 else None
        thin = np.stack(ends) if seeds is None else seeds[:, shown]
        self.axes.plot(x, thin.T, "-", color=look.tint, alpha=0.45 * look.alpha, linewidth=0.4 * self.size)

    def draw_bars(self, series: Series, look: Look, place: int, bands: int) -> Values:
        """Bars with caps at some of the points, which are returned; those of other bands stand beside them."""
        assert series.low is not None
        assert series.high is not None
        shown = shown_points(len(series.x))
        points = len(shown)
        between = points >= self.bars * bands  # then every band has points of its own
        every = max(points // self.bars, 1)
        at = shown[np.arange(every * place // bands if between else every // 2, points, every)]
        shift = 0.0 if between else _APART * (place - (bands - 1) / 2)
        inches = self.axes.get_figure(root=True).dpi_scale_trans
        moved = self.axes.transData + _transforms.ScaledTranslation(shift / 72, 0, inches)
        ends = series.low[at], series.high[at]
        bars = self.axes.vlines(series.x[at], *ends, color=look.tint, alpha=look.alpha, linewidth=0.9 * self.size)
        bars.set_transform(moved)
        alone = series.y is None
        caps: Any = {"linestyle": "none", "color": look.tint, "transform": moved}
        caps |= self.mark | {"marker": look.mark} if alone and look.mark else {"marker": "_", "markersize": 3.6}
        for values, name in zip(ends, (label(series.label) or None if alone else None, None), strict=True):
            self.axes.plot(series.x[at], values, label=name, **caps)
        return at

    def mark_infinities(self, series: Series, look: Look) -> None:
        """Triangles at the frame: above for +∞, below for −∞."""
        for sign, at, shape in ((1, 1.0, "^"), (-1, 0.0, "v")):
            x = series.x[_is_infinite(series, sign)]
            if len(x):
                few = x[np.unique(np.linspace(0, len(x) - 1, min(len(x), _TRIANGLES)).astype(int))]
                style: Any = {"marker": shape, "color": look.tint, "markersize": 5 * self.size, "linestyle": "none"}
                style |= {"clip_on": False, "zorder": 6, "transform": self.axes.get_xaxis_transform()}
                self.axes.plot(few, np.full(len(few), at), label="infinite" if sign > 0 else "minus infinite", **style)

    def mark_end(self, series: Series, look: Look) -> None:
        """A cross at the last number of a line that has none at its last points, as where its runs diverged."""
        values = series.y if series.y is not None else series.high
        if values is None or not len(values):
            return
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite) and finite[-1] < len(values) - 1:
            last = finite[-1]
            style: Any = {"marker": "x", "markersize": 6 * self.size, "markeredgewidth": 1.6 * self.size, "zorder": 6}
            self.axes.plot(series.x[last], values[last], color=look.tint, linestyle="none", label=ENDS_HERE, **style)


def _is_infinite(series: Series, sign: int) -> Values:
    parts = [values == sign * np.inf for values in (series.y, series.low, series.high) if values is not None]
    return np.any(parts, axis=0) if parts else np.zeros(len(series.x), bool)
