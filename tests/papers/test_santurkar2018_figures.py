"""Figures as data: what a panel shows is what was stored."""

from pathlib import Path

import numpy as np
import pytest
from stored import BASES, STUDY, table

from clinometer.plots.matplotlib import draw, save
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import RunConfig

BASE = BASES["vgg"]
NAMES = list(STUDY.figures)


@pytest.fixture(scope="module")
def runs() -> RunTable:
    arms = [arm for spec in STUDY.figures.values() for arm in spec.arms(BASES)]
    return table(
        arms,
        beta=lambda c, s: s + c.seed + (100 if c["norm"] == "none" else 0),
        variation=lambda c, _s: 1.0 + c.seed,
        l2=lambda c, s: 2.0 + s + c["lr"],
        mean=lambda _c, s: float(s),
    )


def figure(name: str, runs: RunTable) -> Figure:
    with np.errstate(divide="ignore", invalid="ignore"):  # as a report does
        return STUDY.figures[name].draw(runs, BASES)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_from_its_description(name: str, runs: RunTable) -> None:
    """Matplotlib's own axes hold a line for each of the description's, with the values of the description.

    Around them are only what their bands are drawn with: outlines, caps, and lines of single seeds.
    """
    described = figure(name, runs)
    canvas = draw(described)
    for axes, panel in zip(canvas.axes, described.panels, strict=False):
        assert axes.get_title().replace("\n", " ") == panel.title
        drawn = [line.get_ydata() for line in axes.lines]
        for series in [s for s in panel.series if s.y is not None]:
            expected = series.y[sorted({*range(0, len(series.y), -(-len(series.y) // 400)), len(series.y) - 1})]
            assert any(np.array_equal(values, expected, equal_nan=True) for values in drawn)


@pytest.mark.parametrize("name", ["figure_05", "figure_04", "figure_06", "figure_07"])
def test_the_same_figure_is_the_same_files(name: str, runs: RunTable, tmp_path: Path) -> None:
    """Byte for byte, of lines, bands, ridges and a diagram: a report under version control must not change by itself.

    The first bytes are those that the two formats begin with.
    """
    for attempt in ("a", "b"):
        save(figure(name, runs), tmp_path / "figures" / attempt)
    for suffix, head in ((".svg", b"<?xml"), (".png", b"\x89PNG")):
        one, two = ((tmp_path / "figures" / attempt).with_suffix(suffix).read_bytes() for attempt in ("a", "b"))
        assert one.startswith(head)
        assert one == two


def test_figure_4_shows_the_stored_landscape(runs: RunTable) -> None:
    """By hand: β = step + seed over seeds 0 to 2 has mean step + 1 and range [step, step + 2]; loss from 1 to 3."""
    a, _, c = figure("figure_04", runs).panels
    none, batch, edge = c.series
    steps = np.arange(0, BASE.steps, BASE.measure_every)
    np.testing.assert_allclose(batch.y, steps + 1)
    np.testing.assert_allclose(batch.low, steps)
    np.testing.assert_allclose(batch.high, steps + 2)
    np.testing.assert_allclose(none.y, steps + 101)
    assert set(edge.y) == {2 / BASE["lr"]}
    np.testing.assert_allclose(a.series[0].low, 1.0)
    np.testing.assert_allclose(a.series[0].high, 3.0)  # the median seed


def test_figure_3_shows_the_layers_of_its_learning_rate(runs: RunTable) -> None:
    """By hand: ‖G − G′‖ = 2 + step + lr, so the two rows differ by 0.09 everywhere."""
    panels = {panel.title: panel for panel in figure("figure_03", runs).panels if panel.ylabel == "‖G − G′‖"}
    high, low = panels["layer 3, lr 0.1"].series[0].y, panels["layer 3, lr 0.01"].series[0].y
    np.testing.assert_allclose(high - low, 0.09)


def test_figure_1_shows_histograms_of_the_layers_it_names(runs: RunTable) -> None:
    """The stored edges move with the step, from −1 to 1 at step 0."""
    ridges = [panel for panel in figure("figure_01", runs).panels if panel.ridges]
    assert [panel.title.rsplit(", ")[1] for panel in ridges] == ["layer 2"] * 2 + ["layer 5"] * 2
    np.testing.assert_allclose(ridges[0].ridges.edges[1], np.linspace(-1, 1, 9) + 1)  # measured at steps 0, 1, 10, 11
    np.testing.assert_allclose(ridges[0].ridges.edges[2], np.linspace(-1, 1, 9) + BASE.measure_every)
    np.testing.assert_allclose(ridges[0].ridges.counts[0], np.arange(8))


def test_figure_2_shows_the_drift_over_the_deviation(runs: RunTable) -> None:
    """The stored means move by 1 from a step to the next, at deviation 1."""
    (drift,) = [panel for panel in figure("figure_02", runs).panels if panel.title == "drift of the means"]
    np.testing.assert_allclose(drift.series[0].y, 1.0)
    np.testing.assert_array_equal(drift.series[0].x, np.arange(0, BASE.steps, BASE.measure_every))


def test_figure_8_shows_both_drifts_of_each_layer(runs: RunTable) -> None:
    """The stored means are the step's index, so they move by 1 in a step and by the index from step 0."""
    panels = {panel.title: panel for panel in figure("figure_08", runs).panels}
    assert len(panels) == 12
    np.testing.assert_allclose(panels["layer 3: mean step to step"].series[1].y, 1.0)
    steps = np.arange(0, BASE.steps, BASE.measure_every)
    np.testing.assert_allclose(panels["layer 5: mean from step 0"].series[2].y, steps[1:])
    np.testing.assert_allclose(panels["layer 5: var from step 0"].series[2].y, 0.0)


def test_figure_11_draws_the_gap_over_the_sizes_of_the_walk(runs: RunTable) -> None:
    """The stored change of the gradient is the multiple of the learning rate: 0.5 to 4, over 0.05 to 0.4."""
    panels = figure("figure_11", runs).panels
    assert [panel.title[:8] for panel in panels] == ["(a) VGG:"] * 4 + ["(b) DLN:"] * 4
    np.testing.assert_allclose(panels[2].series[0].x, [0.15, 0.3, 0.6, 1.2])  # stored: a gradient of length 3
    for line in panels[0].series:
        np.testing.assert_allclose(line.x, [0.05, 0.1, 0.2, 0.4])
        np.testing.assert_allclose(line.y, [0.5, 1.0, 2.0, 4.0])
    shades = [line.shade for line in panels[0].series]
    assert (shades[0], shades[-1]) == (0.0, 1.0)
    assert shades == sorted(shades)
    ends = {line.label for panel in panels for line in panel.series if line.label}
    assert len(ends) == 3, "the first step, which is the same, and the last of each kind of network"
    assert {name[-6:] for name in ends} == {"step 0", " (VGG)", " (DLN)"}


def test_the_living_theorem_shows_what_each_term_takes(runs: RunTable) -> None:
    """Stored: ‖g‖² = 10, of which the mean takes 2 and the correlation 3; 20 pass, four times the 5 that are left."""
    panels = figure("theorem_4_1_in_training", runs).panels
    for panel, expected in zip(panels, (4.0, 0.2, 0.3, 2.0), strict=True):
        assert len(panel.series) == 5
        for line in panel.series:
            np.testing.assert_allclose(line.y, expected)


def test_figure_7_needs_no_run() -> None:
    """A diagram of boxes: the second has BatchNorm where the first has none."""
    first, second = STUDY.figures["figure_07"].draw(RunTable({}), BASES).panels
    assert [len(panel.diagram.boxes) for panel in (first, second)] == [3, 4]


@pytest.mark.parametrize("seeds", [{0, 1, 2}, {0}], ids=["all seeds", "one seed"])
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_described_where_a_network_diverged(name: str, seeds: set[int]) -> None:
    """Warnings are errors here, so a mean over nothing would show; the other network's curves are whole."""
    arms = STUDY.figures[name].arms(BASES)
    described = figure(name, table(arms, ends=lambda c: c["norm"] == "none" and c.seed in seeds))
    lines = [s for panel in described.panels for s in panel.series if s.colour == "batch" and s.y is not None]
    assert all(np.isfinite(line.y).all() for line in lines) or name == "matched_loss"  # it has no common levels


def test_matched_loss_shows_the_seeds_that_can_be_matched() -> None:
    """One standard VGG of twelve never begins to learn, and has no loss in common; the other eleven are drawn."""
    arms = STUDY.figures["matched_loss"].arms(BASES)
    alive = table(arms, 12, accuracy=lambda c, _s: 0.1 if (c["norm"], c.seed) == ("none", 3) else 0.9)
    described = figure("matched_loss", alive)
    assert all(np.isfinite(line.y).all() for panel in described.panels for line in panel.series if line.y is not None)
    assert "11 of 12 (VGG), 12 of 12 (DLN)" in described.caption


@pytest.mark.parametrize("name", ["figure_01", "figure_04", "figure_11", "matched_loss"])
def test_a_figure_is_drawn_where_a_network_diverged(name: str) -> None:
    """Warnings are errors here: matplotlib takes lines, bands and ridges with gaps, and panels of NaN alone."""
    arms = STUDY.figures[name].arms(BASES)
    drawn = draw(figure(name, table(arms, ends=lambda c: c["norm"] == "none")))
    drawn.draw_without_rendering()


def test_a_diverged_run_is_drawn_as_far_as_it_came() -> None:
    """NaN values leave gaps; nothing raises, nothing is invented."""
    arms = STUDY.figures["figure_04"].arms(BASES)

    def beta(config: RunConfig, step: int) -> float:
        return float("nan") if config["norm"] == "none" and step > 50 else 1.0

    described = STUDY.figures["figure_04"].draw(table(arms, beta=beta), BASES)
    line = described.panels[2].series[0].y
    assert np.isnan(line[-1])
    assert line[0] == 1.0
    draw(described)
