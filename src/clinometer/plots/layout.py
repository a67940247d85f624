"""How large a figure is, and in how many columns its panels stand: on a screen, or in print."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from clinometer.plots.estimates import MARGINS, Margins, size_of
from clinometer.plots.heat_map import heat_map_height
from clinometer.studies.figure import Figure, Panel

Width = Literal["screen", "one", "two"]  # one or two columns of a printed page

_INCHES = {"one": 3.35, "two": 6.9}
_SCREEN = 9.6  # inches of a row of panels, at most: a page shows them all, and then letters must not be small
_ROOM = {
    "points": 2.9,
    "heights": 2.2,
    "lines": 1.6,
    "heat_map": 3.0,
    "estimates": 3.0,
    "diagram": 3.0,
}  # inches of a panel in print
_ON_SCREEN = {
    "points": (4.6, 3.8),
    "heights": (4.4, 3.6),
    "lines": (3.1, 2.5),
    "heat_map": (6.2, 2.4),
    "diagram": (7.5, 1.3),
}
_KINDS = (
    "points",
    "heights",
    "heat_map",
    "lines",
    "diagram",
    "estimates",
)  # the first that a figure has tells its size
_LETTERS = {"screen": 9.0, "one": 7.5, "two": 7.5}  # points

STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titley": 1.0,  # nothing stands above the axes that a title would have to avoid
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "clinometer",  # the same figure is the same file
    "pdf.fonttype": 42,  # TrueType, which publishers ask for
}


@dataclass(frozen=True)
class Layout:
    """Where a figure's panels stand."""

    rows: int
    columns: int
    width: float  # inches of the whole
    height: float  # without the legend
    letters: float  # points
    titled: bool  # in print the caption says what the title says
    margins: Margins  # of a panel of estimates

    @property
    def panel(self) -> tuple[float, float]:
        """The width and height of a panel with its labels, in points."""
        return 72 * self.width / self.columns, 72 * self.height / self.rows

    @property
    def style(self) -> Any:
        """The settings of matplotlib."""
        small = max(self.letters - 1, 7.0)
        sizes = {"axes.titlesize": self.letters, "axes.labelsize": self.letters, "legend.fontsize": small}
        return STYLE | sizes | {"font.size": self.letters, "xtick.labelsize": small, "ytick.labelsize": small}


def layout_of(figure: Figure, width: Width = "screen") -> Layout:
    """The layout of a figure.

    Args:
        figure: What to draw.
        width: "screen", or of one or two printed columns, 3.35 and 6.9 inches.

    Example:
        >>> panels = tuple(Panel(name, "step", "loss") for name in "abc")
        >>> [layout_of(Figure("", "", panels), width).columns for width in ("screen", "one", "two")]
        [3, 2, 3]
    """
    kinds = {_kind(panel) for panel in figure.panels}
    kind = next((each for each in _KINDS if each in kinds), "lines")
    columns = max(min(figure.columns, len(figure.panels)), 1)
    if width == "screen":
        wide, high = _ON_SCREEN.get(kind) or size_of([p.estimates for p in figure.panels], MARGINS[width])
        wide = min(wide, _SCREEN / columns) if kind in ("lines", "heat_map") else wide
        whole = wide * columns + 0.6
    else:
        whole = _INCHES[width]
        columns = max(min(columns, int(whole / _ROOM[kind])), 1)
        wide = whole / columns
        high = 0.95 if kind == "diagram" else max(1.1, min(0.85 * wide, 2.4))
        if kind == "estimates":
            _, high = size_of([panel.estimates for panel in figure.panels], MARGINS[width])
    if kind == "heat_map":
        high = max(heat_map_height(panel.heat_map) for panel in figure.panels if panel.heat_map)
    rows = max(math.ceil(len(figure.panels) / columns), 1)
    titled = width == "screen"
    return Layout(rows, columns, whole, high * rows + 0.5 * titled, _LETTERS[width], titled, MARGINS[width])


def height_ratios(figure: Figure, columns: int) -> list[int]:
    """Of the rows of panels: those of estimates are as high as they have lines."""
    lines = [len(panel.estimates) or 1 for panel in figure.panels]
    return [max(lines[first : first + columns]) for first in range(0, len(lines), columns)] or [1]


def _kind(panel: Panel) -> str:
    if panel.estimates:
        return "estimates"
    if panel.points:
        return "points"
    if panel.heights is not None:
        return "heights"
    if panel.heat_map is not None:
        return "heat_map"
    return "diagram" if panel.diagram is not None else "lines"
