"""A figure as plain data: papers and studies describe it, `clinometer.plots` draws it.

Nothing here draws, so a test can read the numbers of a figure instead of its pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from clinometer.readable.results import readable

Values = np.ndarray[Any, Any]
Colour = (
    int | str
)  # the n-th colour of the neutral palette, a key of the figure's own, "alarm", or "reference": grey and dotted


@readable
@dataclass(frozen=True)
class Series:
    """A line, a band, or both, over x."""

    label: str
    colour: Colour
    x: Values  # (n,)
    y: Values | None = None  # (n,) the line
    low: Values | None = None  # (n,) the band
    high: Values | None = None  # (n,)
    dashed: bool = False
    shade: float = 1.0  # 0 light to 1 full: one line per step, or per layer, in one colour
    each: Values | None = None  # (seeds, n) what the line and the band summarise
    seeds: tuple[int, ...] = ()  # (seeds,) whose values `each` has, in its order

    def __post_init__(self) -> None:
        expected = (len(self.seeds), len(self.x))
        if self.each is not None and self.each.shape != expected:
            raise ValueError(f"`each` has shape {self.each.shape}; expected (seeds, n) = {expected}.")


@readable
@dataclass(frozen=True)
class Ridges:
    """Histograms one behind the other: how a distribution moves over training."""

    colour: Colour
    steps: Values  # (t,)
    edges: Values  # (t, bins + 1)
    counts: Values  # (t, bins)


@dataclass(frozen=True)
class Walk:
    """The loss along the direction of a step, L(x − a d), at several steps: on paper the last few, on a page any."""

    steps: Values  # (t,)
    sizes: Values  # (t, s) a, rising
    losses: Values  # (t, s) NaN where it was not evaluated, infinite where it diverged
    colour: Colour = 0


@dataclass(frozen=True)
class Box:
    """A labelled box of a diagram."""

    text: str
    x: float  # its centre
    y: float
    colour: Colour = "plain"


@dataclass(frozen=True)
class Diagram:
    """Boxes joined by arrows."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int, str], ...]  # from box, to box, label


@dataclass(frozen=True)
class Mark:
    """A place with a name, which the legend has, or stands beside it."""

    label: str
    x: float
    y: float
    shape: Literal["star", "circle", "diamond"] = "star"
    beside: bool = False


@dataclass(frozen=True)
class Vertical:
    """A vertical line at one x, over the whole height of a panel: a step at which something happened."""

    label: str
    x: float
    colour: Colour = "alarm"


@readable
@dataclass(frozen=True)
class Heights:
    """A function of two coordinates, as coloured levels or as a surface; the panel's series are lines upon it."""

    x: Values  # (a,) rising
    y: Values  # (b,) rising
    z: Values  # (a, b) NaN or infinite where it has no finite value, which is shown as such
    unit: str  # of z
    view: Literal["contour", "surface"] = "contour"
    scale: Literal["linear", "log"] = "linear"  # of z
    evaluated: Values | None = None  # (a, b) whether z was evaluated and not interpolated; all of it without
    levels: tuple[float, ...] = ()  # where lines are drawn; some by default
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class HeatMap:
    """A number for each of several things over x, as colours: each layer at each step."""

    names: tuple[str, ...]  # from top to bottom
    x: Values  # (n,) rising
    values: Values  # (names, n) NaN where unknown; infinite ones are marked
    unit: str  # of the values
    limit: float | None = None  # colours part there, one for below and one for above
    scale: Literal["linear", "log"] = "linear"  # of the values; zeros have the lowest colour of a logarithmic one


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, and the bounds that it is judged by: a line of a forest plot."""

    name: str  # what is estimated; lines that follow each other may share one
    value: float  # NaN where no number is finite
    low: float  # infinite where the interval has no such end
    high: float
    bounds: tuple[float, float]  # where it should lie
    verdict: Literal["holds", "fails", "undecided"]
    text: str  # the same in words


@dataclass(frozen=True)
class Point:
    """A named point, with an interval of each coordinate."""

    name: str
    x: float  # not drawn where a coordinate is not finite
    y: float
    x_ends: tuple[float, float]  # not drawn where an end is not finite
    y_ends: tuple[float, float]
    colour: Colour = 0


@readable
@dataclass(frozen=True)
class Panel:
    """Axes with series, ridges, heights, a walk, a heat map, estimates or points; or a diagram, without axes."""

    title: str
    xlabel: str
    ylabel: str
    series: tuple[Series, ...] = ()
    ridges: Ridges | None = None
    diagram: Diagram | None = None
    heights: Heights | None = None
    walk: Walk | None = None
    heat_map: HeatMap | None = None
    estimates: tuple[Estimate, ...] = ()  # from top to bottom, along x
    points: tuple[Point, ...] = ()
    verticals: tuple[Vertical, ...] = ()  # beside series
    xscale: Literal["linear", "log", "asinh"] = "linear"
    yscale: Literal["linear", "log"] = "linear"
    ylim: tuple[float, float] | None = None
    xticks: tuple[float, ...] = ()  # where not everywhere
    linear_within: float = 1.0  # an asinh axis is linear from −x to x, and logarithmic beyond
    group: str = ""  # which layer it shows, where a figure shows several alike: a page may show one group at a time


@readable
@dataclass(frozen=True)
class Figure:
    """Panels in rows of `columns`, with a caption that says what they show and how it was summarised."""

    title: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 3
    palette: Mapping[str, str] = field(default_factory=dict[str, str])  # colour keys of its own -> #RRGGBB
