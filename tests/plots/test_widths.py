"""Every figure on a screen and in print: nothing is cut, no labels meet, and letters can be read."""

import numpy as np
import pytest
import torch
from measured import complaints, drawn, smallest_letters
from stored import BASES, STUDY, table

from clinometer.measures.plane import Plane
from clinometer.plots.layout import Width
from clinometer.plots.plane import plane_figure
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Estimate, Figure, HeatMap, Panel, Point, Ridges, Series, Vertical, Walk

WIDTHS: dict[Width, float | None] = {"screen": None, "one": 3.35, "two": 6.9}
X = np.arange(0, 20_000, 50)
LONG = "a name of an arm that is as long as whoever wrote the study liked it to be, and longer"


@pytest.fixture(scope="module")
def runs() -> RunTable:
    arms = [arm for spec in STUDY.figures.values() for arm in spec.arms(BASES)]
    return table(
        arms,
        beta=lambda c, s: 1e-7 * 10 ** (s + c.seed) + (100 if c["norm"] == "none" else 0),
        variation=lambda c, _s: 1.0 + c.seed,
        l2=lambda c, s: 2.0 + s + c["lr"],
        mean=lambda _c, s: float(s),
    )


def hard(spread: float, centre: float = 1.0, scale: str = "log") -> Figure:
    """Six arms with long names, values that are infinite or end early, and axes of any span."""
    rng = np.random.default_rng(0)
    each = centre + spread * np.exp(rng.normal(size=(6, 3, len(X))) * 2)
    each[0, :, 300:] = np.nan
    each[1, 0, 100] = np.inf
    lines = [
        Series(f"{LONG} {n}" if n % 2 else f"arm {n}", n, X, v.mean(0), v.min(0), v.max(0), each=v, seeds=(0, 1, 2))
        for n, v in enumerate(each)
    ]
    panels = [
        Panel(f"{LONG} ({count})", "step", LONG, tuple(lines[:count]), yscale=scale, verticals=(Vertical("alarm", 9),))
        for count in (1, 2, 3, 6)
    ]
    return Figure(LONG, "", tuple(panels), columns=4)


def kinds() -> dict[str, Figure]:
    """A figure of each kind of panel, and lines over axes of any span and at any distance from zero."""
    sizes = torch.linspace(-1, 1, 9)
    losses = 1e4 * sizes[:, None] ** 2 + sizes**2
    plane = plane_figure(Plane(sizes, sizes, losses, losses >= 0, torch.ones(2), torch.zeros(())))
    rng = np.random.default_rng(0)
    edges = np.linspace(-1e-6, 1e-6, 9) * np.ones((5, 1))
    ridges = Panel("ridges", "activation", "step", ridges=Ridges(0, X[:5], edges, rng.random((5, 8))))
    bounds = (1.0, np.inf)
    estimates = [
        Estimate(f"C{n} {LONG}", 2.0**n, 1.0, np.inf, bounds, "holds", f"a factor {2**n} [1, inf], n = 6, 2nd look")
        for n in range(5)
    ]
    points = [Point(f"norm_{n}", 10.0**-n, n, (10.0 ** -(n + 1), np.inf), (n - 1.0, n + 1.0)) for n in range(6)]
    walk = Walk(X[:3], np.tile([0.5, 1.0, 2.0, 4.0], (3, 1)) * 1e-7, rng.random((3, 4)))
    heat = HeatMap((LONG, "b", "c"), X[:9], rng.random((3, 9)), LONG, 0.5)
    spans = {f"spread {spread:g} at {centre:g}": (spread, centre) for spread in (1e-9, 1, 1e30) for centre in (1, 1e7)}
    return {
        "plane": plane,
        "ridges": Figure("", "", (ridges, ridges, ridges)),
        "estimates": Figure("", "", (Panel("", "factor", "", estimates=tuple(estimates), xscale="log"),), columns=1),
        "points": Figure("", "", (Panel("", "x", "y", points=tuple(points), xscale="log"),) * 4, columns=2),
        "heat map": Figure("", "", (Panel("map", "step", "", heat_map=heat),) * 2, columns=2),
        "walk": Figure("", "", (Panel("walk", "size", "loss", walk=walk),)),
        **{f"{scale}, {name}": hard(*span, scale) for name, span in spans.items() for scale in ("log", "linear")},
    }


def check(figure: Figure) -> None:
    for width, inches in WIDTHS.items():
        canvas = drawn(figure, width)
        assert complaints(canvas) == [], width
        assert smallest_letters(canvas) >= 7.0
        if inches is not None:
            assert canvas.get_figwidth() == inches
            assert all(7.0 <= text.get_size() <= 9.0 for axes in canvas.axes for text in axes.texts)


@pytest.mark.parametrize("name", STUDY.figures)
def test_every_figure_of_the_paper_can_be_read_at_every_width(name: str, runs: RunTable) -> None:
    """By matplotlib's own bounding boxes of what it drew, on a screen and at the widths of journals' columns."""
    with np.errstate(divide="ignore", invalid="ignore"):
        check(STUDY.figures[name].draw(runs, BASES))


@pytest.mark.parametrize("name", kinds())
def test_every_kind_of_panel_can_be_read_at_every_width(name: str) -> None:
    """By the same boxes, with names of 80 letters and numbers from 1e-9 to 1e30."""
    check(kinds()[name])
