"""Which points of very long lines are kept: of each stretch the lowest and the highest, so no spike is lost."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from clinometer.studies.figure import Figure, Panel, Series, Values

_NUMBERS = 5_000  # of a figure, about, so that a page of twenty stays small
_POINTS = (30, 240)  # of a line, at least and at most, where they are thinned
_SUMMARY = 4  # lines of single seeds that a mean with its range counts for
_DRAWN = 100  # points of a line in a drawing, at most, which nobody can look at closer
_SEEDS = 40  # lines of single seeds in a drawing, at most
_FEWEST = 10  # stretches


def points_of(figure: Figure) -> int:
    """How many points a line of a figure may have: few where lines are many."""
    every = [series for panel in figure.panels for series in panel.series]
    lines = sum(_SUMMARY + (0 if series.each is None else len(series.each)) for series in every)
    return min(max(_NUMBERS // max(lines, 1), _POINTS[0]), _POINTS[1])


def kept_places(lines: Sequence[Values], points: int) -> Values:
    """The places to keep of lines that share one x, about so many.

    The first and the last; and of each stretch, for each line, its lowest and highest number, and the first place
    where it is unknown, infinite and minus infinite.

    Example:
        >>> line = np.zeros(1000)
        >>> line[345] = 7.0
        >>> 345 in kept_places([line], 30), len(kept_places([line], 30)) <= 30
        (True, True)
    """
    count = len(lines[0])
    if count <= points:
        return np.arange(count)
    stretches = max((points - 2) // (2 * len(lines)), _FEWEST)
    ends = np.unique(np.linspace(0, count, stretches + 1).astype(int))
    kept = {0, count - 1}
    for line in lines:
        for start, end in pairwise(ends):
            kept.update(start + place for place in _extremes(line[start:end]))
    return np.array(sorted(kept))


def _extremes(values: Values) -> list[int]:
    """Of one stretch: where the lowest and the highest finite value are, and the first of each that is not finite."""
    finite = np.isfinite(values)
    found: list[int] = []
    if finite.any():
        found += [int(np.where(finite, values, np.inf).argmin()), int(np.where(finite, values, -np.inf).argmax())]
    if not finite.all():
        kinds = (np.isnan(values), np.isposinf(values), np.isneginf(values))
        found += [int(kind.argmax()) for kind in kinds if kind.any()]
    return found


def lines_of(series: Series) -> list[Values]:
    """What a series draws over its x, without the lines of seeds."""
    return [np.asarray(each, dtype=float) for each in (series.y, series.low, series.high) if each is not None]


def for_drawing(figure: Figure) -> Figure:
    """The figure as it is drawn: lines of few points, and none of single seeds where these are very many."""
    seeds = sum(len(series.seeds) for panel in figure.panels for series in panel.series)
    points = min(points_of(figure), _DRAWN)
    return replace(figure, panels=tuple(_drawn(panel, seeds <= _SEEDS, points) for panel in figure.panels))


def _drawn(panel: Panel, seeds: bool, points: int) -> Panel:
    return replace(panel, series=tuple(_with_few_points(series, seeds, points) for series in panel.series))


def _with_few_points(series: Series, seeds: bool, points: int) -> Series:
    if not seeds:
        series = replace(series, each=None, seeds=())
    lines = lines_of(series)
    if not lines or len(series.x) <= points:
        return series
    at = kept_places(lines, points)
    found = {name: getattr(series, name) for name in ("x", "y", "low", "high", "each")}
    return replace(
        series, **{name: None if each is None else np.asarray(each)[..., at] for name, each in found.items()}
    )
