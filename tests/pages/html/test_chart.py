"""What a page gets of a figure: pictures that stand alone, numbers that are the figure's, names that do nothing."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from clinometer.pages.html.chart import chart
from clinometer.pages.html.chart_data import thinned
from clinometer.readable.text import plain
from clinometer.studies.figure import Figure, Heights, Mark, Panel, Series, Vertical, Walk

STEPS = np.arange(0, 50, 5)
HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> \x1b[2J $x^{2}$ \" ' &lt;"


class Read(HTMLParser):
    """Tags, ids, links to ids and the text of scripts, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.data = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        values = " ".join(value or "" for _, value in attrs)
        self.links |= set(re.findall(r"url\(#([^)]+)\)", values))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"]:
            self.data += data


def lines(name: str = "line") -> Figure:
    y = 1.0 + STEPS
    series = (Series(name, 0, STEPS, y, y / 2, y * 2), Series("bound", "reference", STEPS, y * 0 + 3))
    first = Panel(name, name, name, series, yscale="log", verticals=(Vertical(name, 20.0),))
    return Figure(name, name, (first, Panel("second", "step", "loss", series)))


def read_data(markup: str) -> dict[str, list[dict[str, object]]]:
    return json.loads(Read(markup).data)


def test_data_are_the_figures_numbers() -> None:
    """JSON's own reader, and the figure: four digits of each number, unknown ones as null, infinite ones apart."""
    y = np.array([1.23456789, np.nan, np.inf, -np.inf, 1e-12])
    figure = Figure("t", "c", (Panel("p", "x", "y", (Series("a", 0, np.arange(5), y),)),))
    (panel,) = read_data(chart("f", figure))["panels"]
    (series,) = panel["series"]  # type: ignore[misc]
    assert series["y"] == [1.235, None, "+", "-", 1e-12]
    assert panel["xs"] == [[0, 1, 2, 3, 4]]


def test_a_hostile_name_is_text_everywhere() -> None:
    """A parser of HTML: no element but ours, one script, and JSON within it has the name."""
    markup = chart(HOSTILE, lines(HOSTILE), reading=HOSTILE)
    page = Read(markup)
    assert page.tags.count("script") == 1
    assert not {"img", "iframe", "style"} & set(page.tags)
    assert not {each for each in page.attributes if each.startswith("on")} | ({"style"} & page.attributes)
    assert read_data(markup)["panels"][0]["title"] == plain(HOSTILE)
    assert "\x1b" not in markup


def test_ids_are_unique_and_all_that_is_linked_is_there() -> None:
    """Counting: a clip path whose id another figure has clips what it should not."""
    page = Read(chart("one", lines()) + chart("two", lines()))
    assert len(page.ids) == len(set(page.ids))
    assert page.links <= set(page.ids)
    assert page.links, "lines are clipped to their axes"


def test_pictures_of_other_kinds_have_no_data() -> None:
    """Heights are drawn by matplotlib alone: the script has nothing to replace."""
    at = np.linspace(-1, 1, 5)
    heights = Heights(at, at, np.add.outer(at**2, at**2), "loss", marks=(Mark("origin", 0, 0),))
    markup = chart("plane", Figure("t", "c", (Panel("p", "x", "y", heights=heights),)))
    assert "<script" not in markup
    assert "origin" in markup
    assert markup.count("<svg") == 2, "the levels and their legend"


def test_a_walk_has_all_its_steps() -> None:
    """The figure's own arrays."""
    sizes = np.tile([0.5, 1.0, 2.0], (7, 1))
    walk = Walk(np.arange(7), sizes, sizes**2)
    (panel,) = read_data(chart("w", Figure("t", "c", (Panel("p", "size", "loss", walk=walk),))))["panels"]
    assert panel["walk"]["steps"] == list(range(7))  # type: ignore[index]
    assert panel["walk"]["losses"][6] == [0.25, 1, 4]  # type: ignore[index]


@pytest.mark.parametrize("log", [False, True])
def test_thinning_keeps_what_stands_out(log: bool) -> None:
    """A spike, an infinite value and both ends of 10 000 points are there, at the places where they were."""
    x = np.arange(10_000)
    y = 2.0 + np.sin(x / 500)
    y[[1234, 8000]] = [50.0, np.inf]
    panel = Panel("p", "x", "y", (Series("a", 0, x, y),), yscale="log" if log else "linear")
    (thin,) = thinned(Figure("t", "c", (panel,))).panels[0].series
    assert thin.y is not None
    assert len(thin.x) <= 242
    assert {0, 1234, 8000, 9999} <= set(thin.x.tolist())
    assert np.array_equal(thin.y, y[thin.x])
