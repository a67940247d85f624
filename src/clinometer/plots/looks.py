"""How each line of a figure looks: a colour, dashes and a mark, so that none is told by its colour alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from clinometer.plots.palette import is_repeated, resolve
from clinometer.studies.figure import Figure, Series

_MARKS = ("o", "s", "D", "^", "v", "P", "*", "p", "h", "<", ">")


@dataclass(frozen=True)
class Look:
    """The colour, dashes and mark of a line, and its place among the lines of its figure."""

    tint: str  # #RRGGBB
    alpha: float
    dashes: str
    mark: str = ""  # of matplotlib; none where a figure has one line, or shades
    place: int = 0
    count: int = 1  # of lines with a mark in the figure


class Looks:
    """The looks of a figure's lines: what has one label looks alike in all of its panels.

    Args:
        figure: Whose.

    Example:
        >>> import numpy as np
        >>> from clinometer.studies.figure import Panel
        >>> one, two = (Series(name, n, np.arange(3), np.arange(3)) for n, name in enumerate(("a", "b")))
        >>> looks = Looks(Figure("", "", (Panel("", "", "", (one, two)),)))
        >>> looks.of(one).mark, looks.of(two).mark
        ('o', 's')
    """

    def __init__(self, figure: Figure) -> None:
        self._palette: Mapping[str, str] = figure.palette
        every = [series for panel in figure.panels for series in panel.series]
        self._shaded = {series.colour for series in every if series.shade < 1.0}
        labels = dict.fromkeys(series.label for series in every if self._is_marked(series))
        self._places = {name: place for place, name in enumerate(labels)} if len(labels) > 1 else {}

    def of(self, series: Series) -> Look:
        """The look of a series."""
        dashes = ":" if series.colour == "reference" else "--" if series.dashed or is_repeated(series.colour) else "-"
        place = self._places.get(series.label) if self._is_marked(series) else None
        tint, alpha = resolve(series.colour, self._palette), 0.25 + 0.75 * series.shade
        if place is None:
            return Look(tint, alpha, dashes)
        return Look(tint, alpha, dashes, _MARKS[place % len(_MARKS)], place, len(self._places))

    def _is_marked(self, series: Series) -> bool:
        """Whether it is a line with a name; lines from light to dark are told by that."""
        return bool(series.label) and series.colour != "reference" and series.colour not in self._shaded
