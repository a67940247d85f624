"""The picture of a spectral density: its numbers are read from the figure, not from its pixels."""

from typing import Any

import numpy as np
import pytest
import torch
from spectra import planted, spectra
from torch import nn

from clinometer import Recorder, density, every
from clinometer.measures.spectral_density import Density, common_sigma, density_on, spectral_density
from clinometer.plots.density import density_figure, stored_density
from clinometer.plots.matplotlib import draw
from clinometer.plots.run_figures import figures_of


def densities() -> dict[str, Density]:
    """One with large outliers, and one with eigenvalues of 1 to 2."""
    found = {name: planted(spectra(200)[name]) for name in ("outliers", "flat")}
    return {name: spectral_density(each, each.here()) for name, each in found.items()}


@pytest.mark.parametrize("linear_within", [None, 0.01])
def test_curves_have_one_width_and_end_with_their_nodes(linear_within: float | None) -> None:
    """The truth is `density_on` with the width that all nodes together give; beyond the nodes there is no curve."""
    arms = densities()
    (panel,) = density_figure(arms, linear_within=linear_within).panels
    sigma = common_sigma(arms.values(), linear_within=linear_within)
    assert f"σ = {sigma:.2g}" in panel.title
    for (name, arm), series in zip(arms.items(), panel.series, strict=False):
        smooth = density_on(arm, torch.tensor(series.x), sigma, linear_within)
        assert series.label == name
        assert series.y is not None
        assert series.low is not None
        np.testing.assert_allclose(series.y, smooth.values)
        np.testing.assert_allclose(series.y - series.low, smooth.errors.clamp(max=smooth.values))
    reach = panel.series[1].x.max() - float(arms["flat"].nodes.max())
    assert 0 < reach < (1.0 if linear_within else 1.1 * sigma)


def test_the_largest_nodes_are_marked_as_high_as_one_eigenvalue() -> None:
    """Read from the series: x is the nodes themselves, and the height is that of a single eigenvalue of 200."""
    arms = densities()
    (panel,) = density_figure(arms, sigma=0.1).panels
    marks = panel.series[2].x[::3]
    np.testing.assert_allclose(marks, arms["outliers"].top(10)[0])
    assert panel.series[2].y is not None
    assert panel.series[2].y[1] == pytest.approx(1 / (200 * 0.1 * np.sqrt(2 * np.pi)))


def test_both_axes_are_drawn_as_the_figure_says() -> None:
    """By matplotlib's own axes: densities over decades on either side of zero, on a logarithmic ordinate."""
    axes = draw(density_figure(densities())).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("asinh", "log")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["−0.1", "0", "0.1", "1", "10", "100"]


def test_a_density_without_numbers_is_refused() -> None:
    """With the reason that the measurement gave."""
    nothing = torch.full((1, 3), torch.nan)
    with pytest.raises(ValueError, match="the density of 'mine' has no numbers: it overflows"):
        density_figure({"mine": Density(nothing, nothing, nothing, 9, 1, notes="it overflows")})
    with pytest.raises(ValueError, match="`densities` is empty"):
        density_figure({})


def stored(steps: int) -> Any:
    """What the probe writes of ½ wᵀ diag(1, ..., 50) w at one step."""
    scales = torch.arange(1.0, 51.0)
    model = nn.Linear(50, 1, bias=False)
    probe = density(steps=steps)
    recorder = Recorder(model, lambda m, _: (scales * m.weight.square()).sum() / 2, [probe], every(1))
    with recorder.step(None):
        pass
    return recorder.read("density"), probe


def test_a_stored_density_is_drawn_like_a_measured_one() -> None:
    """The truth is the matrix: with 60 products for 50 eigenvalues each is a node, with 16 their mean is the row's."""
    every_one, (few, _) = stored_density(stored(30)[0]), stored(8)
    torch.testing.assert_close(every_one.nodes[0], torch.arange(1.0, 51.0).double(), rtol=1e-5, atol=0)
    assert (every_one.n, every_one.exact) == (50, True)
    assert float(every_one.weights.sum()) == pytest.approx(1)
    sketched = stored_density(few, 0)
    assert (sketched.nodes.shape, sketched.exact) == ((1, 16), False)
    assert sketched.moment(1).value == pytest.approx(few["mean"][0])
    panel = density_figure({"all": every_one, "few": sketched}).panels[0]
    assert panel.series[1].low is None, "what is stored has no standard errors"
    with pytest.raises(ValueError, match=r"expected the nodes of a whole network, \(nodes,\); found \(3, 16\)"):
        stored_density({"nodes": np.ones((1, 3, 16)), "weights": np.ones((1, 3, 16))})


def test_a_page_draws_the_density_of_the_whole_network() -> None:
    """From the probe's declaration alone: ridges over the steps, though there is no axis of layers."""
    rows, probe = stored(30)
    (panel,) = figures_of({"density": rows}, {"density": probe.fields})["distributions"].panels
    assert panel.title == "density: counts"
    assert panel.ridges is not None
    assert panel.ridges.edges.shape == (1, 61)
    np.testing.assert_allclose((10**panel.ridges.counts - 1).sum(), 50, rtol=0.01)
