"""How lines, bands, infinities and ends are drawn, read from matplotlib's own axes."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from clinometer.plots.lines import ENDS_HERE
from clinometer.plots.matplotlib import draw
from clinometer.studies.figure import Figure, Panel, Ridges, Series

X = np.arange(40)


def axes_of(*series: Series, **panel: Any) -> Any:
    return draw(Figure("", "", (Panel("", "x", "y", series, **panel),))).axes[0]


def arm(number: int, y: Any = None, spread: float = 0.5) -> Series:
    values = np.cos(X / 10) + 3 + number if y is None else y
    return Series(f"arm {number}", number, X, values, values - spread, values + spread)


def test_no_two_lines_differ_by_their_colour_alone() -> None:
    """By the printer's truth: in grey all colours are alike, so marks and dashes must tell the arms apart."""
    for count in (2, 7, 9, 11):
        axes = axes_of(*(arm(number) for number in range(count)))
        lines = [line for line in axes.lines if line.get_label().startswith("arm")]
        assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == count
        assert all(line.get_marker() not in ("", "None") for line in lines)


def test_a_band_without_width_is_seen() -> None:
    """A shade from 2 to 2 has no area: what is left of it are its outlines, as thick as a line."""
    y = np.full(len(X), 2.0)
    axes = axes_of(Series("mine", 0, X, low=y, high=y))
    seen = [line for line in axes.lines if line.get_linewidth() >= 0.5]
    assert len(seen) == 2
    for line in seen:
        np.testing.assert_array_equal(line.get_ydata(), y)


@pytest.mark.parametrize("points", [40, 5])
def test_many_bands_are_bars_that_do_not_cover_each_other(points: int) -> None:
    """By the segments' places in pixels: no bar of one arm stands on that of another, and each ends where its band
    does."""
    arms = [
        Series(f"arm {n}", n, X[:points], low=np.full(points, 1.0 + n / 9), high=np.full(points, 3.0)) for n in range(5)
    ]
    axes = axes_of(*arms)
    assert not [each for each in axes.collections if type(each).__name__ == "FillBetweenPolyCollection"]
    places: list[set[float]] = []
    for series, bars in zip(arms, axes.collections, strict=True):
        segments = bars.get_segments()
        assert series.low is not None
        assert {tuple(segment[:, 1]) for segment in segments} == {(series.low[0], 3.0)}
        places.append({round(float(bars.get_transform().transform(segment)[0, 0]), 1) for segment in segments})
    assert len(set.union(*places)) == sum(map(len, places))


def test_infinities_stand_at_the_frame() -> None:
    """By hand: +∞ at steps 3 and 4 is above, −∞ at step 9 below, in the colour of their line; the rest is drawn."""
    y = np.ones(len(X))
    y[[3, 4]], y[9] = np.inf, -np.inf
    axes = axes_of(Series("mine", 0, X, y))
    (above,) = [line for line in axes.lines if line.get_marker() == "^"]
    (below,) = [line for line in axes.lines if line.get_marker() == "v"]
    assert (above.get_xdata().tolist(), below.get_xdata().tolist()) == ([3, 4], [9])
    frame = axes.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    for line, at in ((above, frame[1]), (below, frame[0])):
        assert np.allclose(line.get_transform().transform(line.get_xydata())[:, 1], at)
        assert to_hex(line.get_color()) == to_hex(axes.lines[0].get_color())


def test_a_line_that_ends_early_has_its_end_marked() -> None:
    """By hand: the last number is at step 10; a line that goes on, or has a gap within, has no such mark."""
    y = np.arange(len(X), dtype=float)
    gap, ended = y.copy(), y.copy()
    gap[5], ended[11:] = np.nan, np.nan
    axes = axes_of(Series("whole", 0, X, y), Series("gap", 1, X, gap), Series("ended", 2, X, ended))
    (mark,) = [line for line in axes.lines if line.get_label() == ENDS_HERE]
    assert (mark.get_xdata().tolist(), mark.get_ydata().tolist()) == ([10], [10.0])


def test_single_seeds_are_drawn_where_they_are_few() -> None:
    """By hand: of three seeds each is there with its values; of eleven none is."""
    for seeds, expected in ((3, 3), (11, 0)):
        each = np.random.default_rng(seeds).normal(size=(seeds, len(X)))
        line = Series("mine", 0, X, each.mean(0), each.min(0), each.max(0), each=each, seeds=tuple(range(seeds)))
        axes = axes_of(line, arm(1))
        drawn = [line.get_ydata() for line in axes.lines]
        assert sum(any(np.array_equal(values, of) for values in drawn) for of in each) == expected


def test_the_axis_of_steps_ends_with_the_last_step() -> None:
    """By hand: histograms of steps 0 to 900 have no tick at 1000, though the last one rises above that."""
    steps, edges = np.arange(0, 1000, 100), np.linspace(-1, 1, 9) * np.ones((10, 1))
    canvas = draw(Figure("", "", (Panel("", "x", "step", ridges=Ridges(0, steps, edges, np.ones((10, 8)))),)))
    canvas.draw_without_rendering()
    ticks = canvas.axes[0].get_yticks()
    assert max(ticks) <= 900
    assert canvas.axes[0].get_ylim()[1] > 1000
    assert canvas.axes[0].spines["left"].get_bounds() == (0, 900)


def test_what_has_one_name_in_several_colours_is_grey_in_the_legend() -> None:
    """Its colour would be that of one panel alone, and wrong for the others."""
    panels = tuple(Panel(str(n), "x", "y", (Series("step 0", n, X, X), Series("step 9", 2, X, X))) for n in (0, 1))
    (legend,) = draw(Figure("", "", panels)).legends
    first, second = (line.get_color() for line in legend.get_lines())
    assert first.lower() == "#444444"
    assert second.lower() == "#009e73"
