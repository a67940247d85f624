"""A picture of the Hessian's eigenvalue density, of one network or of several with one width of smoothing."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from clinometer.measures.spectral_density import Density, common_sigma, decades, density_on
from clinometer.studies.figure import Figure, Panel, Series

_POINTS = 400
_TOP = 10


def density_figure(
    densities: Mapping[str, Density], *, sigma: float | None = None, linear_within: float | None = 0.01
) -> Figure:
    """Densities on a logarithmic ordinate, with the largest nodes of each marked by a line.

    A mark is as high as a single eigenvalue would peak, 1/(n σ √2π), and a band is the standard error over the random
    vectors. A curve ends where its nodes do: what Gaussians would add beyond is no eigenvalue.

    Args:
        densities: What they are called, and what `spectral_density` returned.
        sigma: The width of the Gaussians; by default `common_sigma` of all.
        linear_within: The axis is linear from −x to x and counts decades beyond; None for a linear axis.

    Raises:
        ValueError: if there is no density, or one without numbers.

    Example:
        >>> from clinometer.plots.matplotlib import draw
        >>> nodes = torch.tensor([[0.0, 1.0, 30.0]], dtype=torch.float64)
        >>> one = Density(nodes, torch.full_like(nodes, 1 / 3), torch.zeros_like(nodes), n=3, products=3, exact=True)
        >>> canvas = draw(density_figure({"mine": one}))
        >>> [line.get_label() for line in canvas.axes[0].lines]
        ['mine', 'mine: 3 largest']
    """
    if not densities:
        raise ValueError("`densities` is empty; expected a name and a density for each network.")
    unknown = {name: each.notes for name, each in densities.items() if not bool(each.nodes.isfinite().all())}
    if unknown:
        raise ValueError("; ".join(f"the density of {name!r} has no numbers: {why}" for name, why in unknown.items()))
    width = common_sigma(densities.values(), linear_within=linear_within) if sigma is None else sigma
    curves = [_curve(name, each, colour, width, linear_within) for colour, (name, each) in enumerate(densities.items())]
    lowest = min(_single(each, width) for each in densities.values()) / 10
    marks = [_marks(name, each, colour, width, lowest) for colour, (name, each) in enumerate(densities.items())]
    highest = max(float(np.nanmax(curve.y)) for curve in curves if curve.y is not None)
    unit = "per decade" if linear_within else "per unit of λ"
    panel = Panel(
        f"smoothed by σ = {width:.2g}{' decades' if linear_within else ''}",
        "λ (loss / parameter²)",
        f"density, {unit}",
        (*curves, *marks),
        xscale="asinh" if linear_within else "linear",
        yscale="log",
        ylim=(lowest, 3 * highest),
        xticks=_ticks(densities, linear_within) if linear_within else (),
        linear_within=2 * linear_within if linear_within else 1.0,
    )
    caption = "Vertical: the largest nodes, as high as a single eigenvalue. Bands: standard errors over random vectors."
    return Figure("Eigenvalues of the Hessian", caption, (panel,), columns=1)


def stored_density(rows: Mapping[str, Any], index: int = -1) -> Density:
    """The density that the probe `density` has stored at a step, without the standard errors of its curve.

    Args:
        rows: As `Recorder.read("density")` or `Store.read` gives them.
        index: Which row; by default the last.

    Raises:
        ValueError: if the rows are those of blocks.
    """
    nodes, weights = (torch.as_tensor(np.asarray(rows[name][index], dtype=float)) for name in ("nodes", "weights"))
    if nodes.ndim != 1:
        raise ValueError(f"expected the nodes of a whole network, (nodes,); found {tuple(nodes.shape)}, of blocks.")
    there = ~(nodes.isnan() & weights.isnan())
    order = nodes[there].argsort()
    nodes, weights = nodes[there][order][None], weights[there][order][None]
    n, products = int(rows["n"][index]), int(rows["products"][index])
    return Density(nodes, weights, torch.full_like(nodes, torch.nan), n, products, exact=products == n)


def _ticks(densities: Mapping[str, Density], linear_within: float) -> tuple[float, ...]:
    """Zero, and every decade on either side that the nodes reach."""
    low, high = (max(float(max((sign * d.nodes).max() for d in densities.values())), 0.0) for sign in (-1, 1))
    first = math.ceil(math.log10(2 * linear_within))
    powers = [10.0**power for power in range(first, first + 12)]
    return (*(-p for p in reversed(powers) if p < 1.1 * low), 0.0, *(p for p in powers if p < 1.1 * high))


def _curve(name: str, density: Density, colour: int, sigma: float, linear_within: float | None) -> Series:
    low, high = (float(decades(edge, linear_within)) for edge in (density.nodes.min(), density.nodes.max()))
    axis = torch.linspace(low - sigma, high + sigma, _POINTS, dtype=torch.float64)
    grid = axis if linear_within is None else 2 * linear_within * torch.sinh(axis * math.log(10))
    smooth = density_on(density, grid, sigma, linear_within)
    y, errors = smooth.values.numpy(), smooth.errors.numpy()
    if density.exact or np.isnan(errors).all():
        return Series(name, colour, grid.numpy(), y)
    return Series(name, colour, grid.numpy(), y, np.maximum(y - errors, 0), y + errors)


def _marks(name: str, density: Density, colour: int, sigma: float, lowest: float) -> Series:
    """One line with a gap between two marks."""
    count = min(_TOP, density.nodes.shape[1])
    values = density.top(count)[0].numpy()
    gap = np.full(count, np.nan)
    x = np.stack([values, values, gap], axis=1).flatten()
    y = np.tile([lowest, _single(density, sigma), np.nan], count)
    return Series(f"{name}: {count} largest", colour, x[:-1], y[:-1], shade=0.5)


def _single(density: Density, sigma: float) -> float:
    """The height of a single eigenvalue."""
    return 1 / (density.n * sigma * math.sqrt(2 * math.pi))
