"""What a page gets of a figure: pictures that stand alone, numbers that are the figure's, names that do nothing."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clinometer.pages.html.chart import chart
from clinometer.pages.html.thinning import kept_places
from clinometer.readable.text import plain
from clinometer.studies.figure import Figure, HeatMap, Heights, Mark, Panel, Series, Vertical, Walk

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
    data = Read(markup).data
    return json.loads(data if data.startswith("{") else gzip.decompress(base64.b64decode(data)))


def points(xs: list[float], strides: list[int] | None, values: list[object]) -> dict[float, object]:
    """The points of a line of a data block, by its rule: strides lead from each place in `xs` to the next."""
    return dict(zip(xs if strides is None else [xs[at] for at in np.cumsum(strides)], values, strict=True))


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


def test_what_the_script_does_not_draw_has_its_numbers() -> None:
    """The figure's own heights: the script has nothing to draw, and writes them as CSV."""
    at = np.linspace(-1, 1, 5)
    heights = Heights(at, at, np.add.outer(at**2, 3 * at**2), "loss", marks=(Mark("origin", 0, 0),))
    markup = chart("plane", Figure("t", "c", (Panel("p", "x", "y", heights=heights),)))
    assert "by-script" not in markup
    assert markup.count("<svg") == 2, "the levels and their legend"
    parts = read_data(markup)["panels"][0]["parts"]
    assert parts[:2] == [  # type: ignore[index]
        ["heights", "loss", "height", 5, -1, {"from": -1, "to": 1}, [4, 1.75, 1, 1.75, 4]],
        ["heights", "loss", "height", 5, -0.5, {"from": -1, "to": 1}, [3.25, 1, 0.25, 1, 3.25]],
    ]
    assert parts[-1] == ["mark", "origin", "place", 1, 0, 0, ""]  # type: ignore[index]


def test_a_heat_map_has_its_cells_and_the_colours_of_its_drawing() -> None:
    """The figure's own numbers; and the middle colour, where a scale parts at its limit, is white."""
    heat = HeatMap(("a", "b"), np.arange(3), np.array([[0.1, 1.0, 10.0], [np.nan, np.inf, 0.5]]), "share", 1.0, "log")
    found: dict[str, Any] = read_data(chart("h", Figure("t", "c", (Panel("p", "step", "", heat_map=heat),))))["panels"][
        0
    ]
    assert found["heat"]["values"] == [[0.1, 1, 10], [None, "+", 0.5]]
    assert (found["heat"]["low"], found["heat"]["high"], found["heat"]["log"]) == (0.1, 10, True)
    colours = found["heat"]["colours"].split()
    middle = colours[len(colours) // 2]
    assert min(int(middle[at : at + 2], 16) for at in (0, 2, 4)) > 230


def test_a_walk_has_all_its_steps() -> None:
    """The figure's own arrays."""
    sizes = np.tile([0.5, 1.0, 2.0], (7, 1))
    walk = Walk(np.arange(7), sizes, sizes**2)
    (panel,) = read_data(chart("w", Figure("t", "c", (Panel("p", "size", "loss", walk=walk),))))["panels"]
    assert panel["walk"]["steps"] == list(range(7))  # type: ignore[index]
    assert panel["walk"]["losses"][6] == [0.25, 1, 4]  # type: ignore[index]


def test_no_spike_of_any_seed_is_lost() -> None:
    """Sixty lines of 4 000 points of noise, each with one spike and one dip where we put them: all of them are there,
    at their steps, and so is every infinite value; and the block is small."""
    generator = np.random.default_rng(0)
    x = np.arange(0, 40_000, 10)
    series: list[Series] = []
    placed: list[tuple[int, int]] = []
    for arm in range(6):
        each = generator.normal(size=(10, len(x)))
        for line in each:
            up, down = generator.choice(len(x), 2, replace=False)
            line[up], line[down] = 50.0, -50.0
            placed.append((x[up], x[down]))
        each[3, 777] = np.inf
        mean, low, high = each.mean(0), np.quantile(each, 0.2, axis=0), np.quantile(each, 0.8, axis=0)
        series.append(Series(f"arm {arm}", arm, x, mean, low, high, each=each, seeds=tuple(range(10))))
    markup = chart("f", Figure("t", "c", (Panel("p", "step", "loss", tuple(series)),)))
    assert len(markup) < 200_000
    (panel,) = read_data(markup)["panels"]
    spikes = iter(placed)
    for arm in panel["series"]:  # type: ignore[attr-defined]
        xs = panel["xs"][arm["x"]]  # type: ignore[index]
        for seed, (values, strides) in enumerate(zip(arm["each"], arm["each_at"], strict=True)):
            line = points(xs, strides, values)
            up, down = next(spikes)
            assert (line[up], line[down]) == (50, -50)
            assert len(line) <= 70
            assert (line.get(7770) == "+") == (seed == 3)


@given(lines=arrays(float, (2, 400), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
def test_each_stretch_keeps_its_extremes(lines: Any) -> None:
    """NumPy's own minimum and maximum of each line, in each half as well; both ends are kept, and a gap stays one."""
    kept = kept_places(list(lines), 60)
    assert {0, 399} <= set(kept)
    for line in lines:
        known = np.isfinite(line)
        for half in (slice(0, 200), slice(200, 400)):  # twenty stretches, ten of them in each
            of, there = line[half], kept[(kept >= half.start) & (kept < half.stop)]
            if known[half].any():
                assert (np.nanmin(line[there]), np.nanmax(line[there])) == (np.nanmin(of), np.nanmax(of))
        assert np.isnan(line[kept]).any() == (not known.all())


def test_of_few_points_all_are_kept() -> None:
    """Counting."""
    assert kept_places([np.zeros(30)], 30).tolist() == list(range(30))
