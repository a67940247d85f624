"""Figures as data: what a panel shows is what was stored."""

from pathlib import Path

import numpy as np
import pytest
from stored import study

from clinometer.papers import PAPERS
from clinometer.report.figures import draw, save
from clinometer.study.config import Config
from clinometer.study.figure import Figure
from clinometer.study.table import Runs

STUDY = PAPERS["santurkar2018"]()
BASE = STUDY.scales["smoke"].base
NAMES = list(STUDY.exhibits)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    arms = [arm for exhibit in STUDY.exhibits.values() for arm in exhibit.arms(BASE)]
    return study(
        tmp_path_factory.mktemp("study"),
        arms,
        beta=lambda c, s: s + c.seed + (100 if c.norm == "none" else 0),
        variation=lambda c, _s: 1.0 + c.seed,
        l2=lambda c, s: 2.0 + s + c.lr,
        mean=lambda _c, s: float(s),
    )


def figure(name: str, runs: Runs) -> Figure:
    return STUDY.exhibits[name].draw(runs, BASE)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_from_its_description(name: str, runs: Runs, tmp_path: Path) -> None:
    """Matplotlib's own axes hold as many lines as the description has, and both files are written."""
    described = figure(name, runs)
    canvas = draw(described)
    for axes, panel in zip(canvas.axes, described.panels, strict=False):
        assert axes.get_title() == panel.title
        assert len(axes.lines) == sum(s.y is not None for s in panel.series) or panel.ridges is not None
        for line, series in zip(axes.lines, [s for s in panel.series if s.y is not None], strict=False):
            np.testing.assert_array_equal(line.get_ydata(), series.y)
    save(described, tmp_path / "figures" / name)
    assert (tmp_path / "figures" / f"{name}.svg").read_text().startswith("<?xml")
    assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_figure_is_the_same_file(name: str, runs: Runs, tmp_path: Path) -> None:
    """Byte for byte: a report that is kept under version control must not change by being made again."""
    for attempt in ("a", "b"):
        save(figure(name, runs), tmp_path / attempt)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_figure_4_shows_the_stored_landscape(runs: Runs) -> None:
    """By hand: β = step + seed over seeds 0 to 2 has mean step + 1 and range [step, step + 2]; loss from 1 to 3."""
    a, _, c = figure("figure_04", runs).panels
    none, batch, edge = c.series
    steps = np.arange(0, BASE.steps, BASE.measure_every)
    np.testing.assert_allclose(batch.y, steps + 1)
    np.testing.assert_allclose(batch.low, steps)
    np.testing.assert_allclose(batch.high, steps + 2)
    np.testing.assert_allclose(none.y, steps + 101)
    assert set(edge.y) == {2 / BASE.lr}
    np.testing.assert_allclose(a.series[0].low, 1.0)
    np.testing.assert_allclose(a.series[0].high, 3.0)  # the median seed


def test_figure_3_shows_the_layers_of_its_learning_rate(runs: Runs) -> None:
    """By hand: ‖G − G′‖ = 2 + step + lr, so the two rows differ by 0.09 everywhere."""
    panels = {panel.title: panel for panel in figure("figure_03", runs).panels if panel.ylabel == "‖G − G′‖"}
    high, low = panels["layer 3, lr 0.1"].series[0].y, panels["layer 3, lr 0.01"].series[0].y
    np.testing.assert_allclose(high - low, 0.09)


def test_figure_1_shows_histograms_of_the_layers_it_names(runs: Runs) -> None:
    """The stored edges move with the step, from −1 to 1 at step 0."""
    ridges = [panel for panel in figure("figure_01", runs).panels if panel.ridges]
    assert [panel.title.rsplit(", ")[1] for panel in ridges] == ["layer 2"] * 2 + ["layer 5"] * 2
    np.testing.assert_allclose(ridges[0].ridges.edges[1], np.linspace(-1, 1, 9) + BASE.measure_every)
    np.testing.assert_allclose(ridges[0].ridges.counts[0], np.arange(8))


def test_figure_2_shows_the_drift_over_the_deviation(runs: Runs) -> None:
    """The stored means move by 10 between measured steps, at deviation 1."""
    (drift,) = [panel for panel in figure("figure_02", runs).panels if panel.title == "drift of the means"]
    np.testing.assert_allclose(drift.series[0].y, 10.0)


@pytest.mark.parametrize("seeds", [{0, 1, 2}, {0}], ids=["all seeds", "one seed"])
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_where_a_network_diverged(name: str, seeds: set[int], tmp_path: Path) -> None:
    """Warnings are errors here, so a mean over nothing would show; the other network's curves are whole."""
    arms = STUDY.exhibits[name].arms(BASE)
    diverged = study(tmp_path, arms, ends=lambda c: c.norm == "none" and c.seed in seeds)
    described = STUDY.exhibits[name].draw(diverged, BASE)
    save(described, tmp_path / name)
    lines = [s for panel in described.panels for s in panel.series if s.role == "batch" and s.y is not None]
    assert lines
    assert all(np.isfinite(line.y).all() for line in lines)


def test_a_diverged_run_is_drawn_as_far_as_it_came(tmp_path: Path) -> None:
    """NaN values leave gaps; nothing raises, nothing is invented."""
    arms = STUDY.exhibits["figure_04"].arms(BASE)

    def beta(config: Config, step: int) -> float:
        return float("nan") if config.norm == "none" and step > 50 else 1.0

    described = STUDY.exhibits["figure_04"].draw(study(tmp_path, arms, beta=beta), BASE)
    line = described.panels[2].series[0].y
    assert np.isnan(line[-1])
    assert line[0] == 1.0
    draw(described)
