"""Pictures of planes: what a figure holds is what was measured, and what is drawn is what it holds."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from scipy.interpolate import RegularGridInterpolator

from clinometer.measures.plane import Plane
from clinometer.measures.plane_axes import Axes
from clinometer.plots.heights import _height_at
from clinometer.plots.matplotlib import draw, save
from clinometer.plots.plane import plane_figure
from clinometer.studies.figure import Heights

SIZES = torch.linspace(-1, 1, 9, dtype=torch.float64)
BOWL = 0.1 + SIZES[:, None] ** 2 + 4 * SIZES**2


def made(losses: torch.Tensor = BOWL, **changes: Any) -> Plane:
    known = torch.ones_like(losses, dtype=torch.bool)
    found = Plane(SIZES, SIZES, losses, known, torch.ones(2), torch.zeros(()))
    return dataclasses.replace(found, **changes)


def holes() -> torch.Tensor:
    losses = BOWL.clone()
    losses[:3] = torch.nan
    losses[6:, 6:] = torch.inf
    return losses


def legend(figure: Any) -> list[str]:
    (box,) = draw(figure).legends
    return [text.get_text() for text in box.get_texts()]


def heights_of(figure: Any) -> Heights:
    found = figure.panels[0].heights
    assert found is not None
    return found


def test_the_figure_holds_the_losses_in_rising_order() -> None:
    """Sizes may come in any order; the data of the figure are the plane's own numbers, NaN and infinity as well."""
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    shuffled = made(holes()[order][:, order], sizes_one=SIZES[order], sizes_two=SIZES[order])
    for figure in (plane_figure(shuffled), plane_figure(made(holes()))):
        found = heights_of(figure)
        np.testing.assert_array_equal(found.z, holes().numpy())
        np.testing.assert_array_equal(found.x, SIZES.numpy())
        lowest = next(mark for mark in found.marks if mark.label.startswith("lowest"))
        assert (lowest.x, lowest.y) == (0.0, 0.0)


def test_places_without_a_loss_are_not_coloured() -> None:
    """Read from matplotlib's own polygons: each finite grid point inside lies in one, none that is not finite does."""
    axes = draw(plane_figure(made(holes()), views=["contour"])).axes[0]
    filled = next(each for each in axes.collections if len(each.get_paths()) > 20)
    for i, x in enumerate(SIZES.tolist()):
        for j, y in enumerate(SIZES.tolist()):
            covered = any(path.contains_point((x * 0.99, y * 0.99)) for path in filled.get_paths())
            near = holes()[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            if not torch.isfinite(holes()[i, j]):
                assert not covered
            elif torch.isfinite(near).all():
                assert covered
    (hatched,) = [patch for patch in axes.patches if patch.get_hatch()]
    assert to_hex(hatched.get_facecolor()) == "#ffffff"


def test_the_legend_names_what_is_missing_and_what_was_evaluated() -> None:
    """Only where there is something to name."""
    assert legend(plane_figure(made())) == ["lowest evaluated: 0.1", "origin"]
    assert "no finite value" in legend(plane_figure(made(holes())))
    some = torch.zeros(9, 9, dtype=torch.bool)
    some[::2, ::2] = True
    figure = plane_figure(made(evaluated=some, error=0.03))
    assert "evaluated" in legend(figure)
    assert figure.caption.startswith("25 of 81 losses were evaluated, the others interpolated, with an estimated rel")
    assert "0.03" in figure.caption


def test_the_caption_says_what_the_picture_hides() -> None:
    """Directions that are not orthogonal, losses that are not finite, and a path that lies off the plane."""
    path = torch.tensor([[0.9, 0.5], [0.2, 0.1], [0.0, 0.0]], dtype=torch.float64)
    axes = Axes({}, {}, {}, path, torch.tensor([0.25, 0.1, 0.0]), torch.tensor([0.8, 0.15]))
    figure = plane_figure(made(holes(), cosine=torch.tensor(0.3)), axes)
    assert "36 of them are not finite" in figure.caption
    assert "cosine 0.30" in figure.caption
    assert "up to 0.25 off the plane" in figure.caption
    assert figure.panels[0].xlabel == "principal axis 1 (80%)"
    assert plane_figure(made()).caption == "81 losses, evaluated."


def test_path_and_marks_are_where_they_are() -> None:
    """Read from matplotlib's lines, from above and on the surface, whose height there is that of the bowl."""
    path = torch.tensor([[0.75, 0.5], [0.25, 0.0], [0.0, 0.0]], dtype=torch.float64)
    axes = Axes({}, {}, {}, path, torch.zeros(3), torch.tensor([0.8, 0.15]))
    above, surface = (each for each in draw(plane_figure(made(), axes, scale="linear")).axes if each.lines)
    np.testing.assert_allclose(above.lines[-1].get_xydata(), path)
    x, y, z = surface.lines[0].get_data_3d()
    np.testing.assert_allclose(np.stack([x, y], 1), path)
    np.testing.assert_allclose(z, 0.1 + path[:, 0] ** 2 + 4 * path[:, 1] ** 2)
    named = plane_figure(made(), axes, names=("a", "b", "c"))
    assert [text.get_text().strip() for text in draw(named).axes[0].texts[-3:]] == ["a", "b", "c"]
    assert not named.panels[0].series


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("losses", [torch.full((9, 9), math.nan), torch.zeros(9, 9), torch.ones(9, 9), -BOWL, BOWL])
def test_any_losses_are_drawn(losses: torch.Tensor, scale: Any, tmp_path: Any) -> None:
    """Warnings are errors here: nothing finite, all alike, none positive for a logarithm, and lines at no level."""
    save(plane_figure(made(losses), scale=scale, levels=[5.0, 1.0, -7.0, 1e9]), tmp_path / "plane")
    assert (tmp_path / "plane.png").stat().st_size > 0


def test_a_logarithm_is_chosen_where_it_shows_more() -> None:
    """By the ratio of losses that are all positive."""
    assert heights_of(plane_figure(made())).scale == "log"
    assert heights_of(plane_figure(made(BOWL + 1))).scale == "linear"
    assert heights_of(plane_figure(made(BOWL - 1))).scale == "linear"


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_heights_between_grid_points_are_bilinear(x: float, y: float) -> None:
    """The truth is scipy's interpolation on a grid."""
    z = np.ma.masked_invalid(np.random.default_rng(0).random((9, 9)))
    heights = Heights(SIZES.numpy(), SIZES.numpy(), z, "loss")
    expected = RegularGridInterpolator((SIZES.numpy(), SIZES.numpy()), z.filled())([[x, y]])[0]
    assert _height_at(heights, z, x, y) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(_height_at(heights, z, x + 3, y))


def test_what_is_no_picture_is_refused() -> None:
    """A row, and names for other points."""
    row = Plane(SIZES[:1], SIZES, BOWL[:1], BOWL[:1] > 0, torch.ones(2), torch.zeros(()))
    with pytest.raises(ValueError, match=r"two sizes or more each way; found \(1, 9\)"):
        plane_figure(row)
    with pytest.raises(ValueError, match="a name for each of the 0 points"):
        plane_figure(made(), names=("a",))
