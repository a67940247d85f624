"""Colours: what a figure asks for is what matplotlib draws."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from clinometer.plots.matplotlib import draw
from clinometer.plots.palette import NEUTRAL, resolve
from clinometer.studies.figure import Figure, Panel, Series

STEPS = np.arange(5)


def drawn(*series: Series, **figure):
    return draw(Figure("f", "", (Panel("p", "step", "loss", series),), **figure)).axes[0].lines


def test_a_figure_has_its_own_colours_beside_the_neutral_ones() -> None:
    """Read from matplotlib's own lines: a key of the figure's palette, the first neutral colour, and a dotted grey."""
    own, neutral, edge = drawn(
        Series("own", "batch", STEPS, STEPS),
        Series("neutral", 0, STEPS, STEPS),
        Series("edge", "reference", STEPS, STEPS),
        palette={"batch": "#123456"},
    )
    assert [to_hex(line.get_color()) for line in (own, neutral)] == ["#123456", NEUTRAL[0].lower()]
    assert [line.get_linestyle() for line in (own, neutral, edge)] == ["-", "-", ":"]


def test_the_eighth_line_differs_from_the_first_by_its_dashes() -> None:
    """Two lines that look alike could not be told apart; twice the palette's length leaves each pair distinct."""
    lines = drawn(*(Series(str(number), number, STEPS, STEPS + number) for number in range(2 * len(NEUTRAL))))
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 2 * len(NEUTRAL)


def test_an_unknown_colour_is_refused_by_its_name() -> None:
    """A figure whose palette was forgotten must not be drawn in colours that mean something else."""
    with pytest.raises(ValueError, match="no colour 'batch'; this figure has reference, plain, alarm, and numbers"):
        resolve("batch", {})
