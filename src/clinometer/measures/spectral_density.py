"""The density of the Hessian's eigenvalues, all of them, by stochastic Lanczos quadrature.

A few random vectors are enough: the share that a vector has in the eigenvectors, as a function of the eigenvalue, is
near the density of the eigenvalues, and Lanczos's recurrence gives it in as many points as it takes steps.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.measures.hessian_block import HessianBlock, hessian_block
from clinometer.measures.lanczos import Lanczos
from clinometer.measures.trace import Estimate, mean_of
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class Density:
    """Where the eigenvalues are: each random vector has nodes, and what share of the n eigenvalues each stands for."""

    nodes: Tensor  # (p, m) Ritz values, ascending
    weights: Tensor  # (p, m) their shares; each row sums to 1
    residuals: Tensor  # (p, m) ‖Hy − θy‖: some eigenvalue lies as near as that to the node
    n: int  # how many eigenvalues there are
    products: int  # Hessian-vector products spent
    exact: bool = False  # whether the nodes are all the eigenvalues
    notes: str = ""  # why it is NaN; what is other than in training

    def moment(self, order: int) -> Estimate:
        """The mean of λ to this power: tr(H)/n for 1, tr(H²)/n for 2; its standard error over the vectors."""
        value, error, _ = mean_of((self.weights * self.nodes**order).sum(1).tolist())
        return Estimate(value, 0.0 if self.exact else error, self.products, "slq", self.n, self.notes)

    def share(self, low: float, high: float) -> float:
        """The share of the eigenvalues from `low` to `high`, without the lower end."""
        inside = (self.nodes > low) & (self.nodes <= high)
        return float((self.weights * inside).sum(1).mean())

    def top(self, count: int = 1) -> tuple[Tensor, Tensor]:
        """The largest nodes, descending, (count,), of the vector that found the largest, and their residuals.

        A node whose residual is not small is not yet an eigenvalue. NaN fills up where there are fewer nodes.
        """
        best = int(self.nodes[:, -1].nan_to_num(-math.inf).argmax())
        found = (values[best].flip(0)[:count] for values in (self.nodes, self.residuals))
        first, second = (torch.nn.functional.pad(x, (0, count - len(x)), value=torch.nan) for x in found)
        return first, second


@readable
@dataclass(frozen=True)
class Smoothed:
    """A density on a grid."""

    values: Tensor  # (g,)
    errors: Tensor  # (g,) standard errors over the random vectors; NaN for a single one


def spectral_density(
    objective: Objective,
    at: Point,
    *,
    probes: int = 4,
    steps: int = 32,
    only: Collection[str] | None = None,
    seed: int = 0,
    basis_device: torch.device | str | None = None,
) -> Density:
    """The density of the eigenvalues of ∇²L(at), by stochastic Lanczos quadrature.

        φ(t) = (1/p) Σ_v Σ_k ω_k δ(t − θ_k),   ω_k = ⟨y_k, v⟩²

    with p Gaussian vectors v of length 1, and the Ritz pairs (θ_k, y_k) after m steps of Lanczos's recurrence from v,
    with full orthogonalisation. For each v the weights sum to 1, the mean of the nodes is vᵀHv, whose expectation is
    tr(H)/n, and the mean of their squares is ‖Hv‖², whose expectation is tr(H²)/n. `density_on` smooths it.

    Cost: p · m Hessian-vector products; n where n ≤ p · m, and the density is then exact. Memory: m + 5 vectors of n
    numbers, and the activations of a gradient's graph.

    Args:
        objective: The frozen loss.
        at: Where.
        probes: The number of random vectors, p. Two or more give standard errors.
        steps: The number of nodes for each, m. Details of the bulk finer than about (λ_max − λ_min)/m² are not seen.
        only: The parameters of one block, whose part H_bb of the Hessian is wanted; all by default.
        seed: Of the random vectors. With one seed, two points are compared by the same vectors.
        basis_device: Where the m vectors lie, such as "cpu"; by default with the parameters.

    Returns:
        `Density`; NaN throughout where a product is not finite.

    Raises:
        ValueError: for fewer than 1 vector or 2 steps, an unknown parameter, or with `fully_shard`.
    Source: Golub and Meurant (2010); Ubaru, Chen and Saad (2017); Ghorbani, Krishnan and Xiao (2019), arXiv:1901.10159.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(3, 1, bias=False)
        >>> scales = torch.tensor([1.0, 2.0, 9.0])
        >>> objective = Objective(model, lambda m, _: (scales * m.weight.square()).sum() / 2, None)  # H = diag(scales)
        >>> found = spectral_density(objective, objective.here())
        >>> [round(node, 4) for node in found.nodes[0].tolist()], found.moment(1).value
        ([1.0, 2.0, 9.0], 4.0)
    """
    check_arguments(probes, steps)
    with hessian_block(objective, at, only, basis_device) as hessian:
        exact = hessian.n <= probes * steps
        try:
            nodes, weights, residuals = _dense(hessian) if exact else _quadrature(hessian, probes, steps, seed)
            notes = ""
        except FloatingPointError as reason:
            shape = (1, hessian.n) if exact else (probes, steps)
            nodes = weights = residuals = torch.full(shape, torch.nan, dtype=torch.float64)
            notes = str(reason)
    return Density(nodes, weights, residuals, hessian.n, hessian.products, exact, hessian.notes(notes))


def check_arguments(probes: int, steps: int) -> None:
    """ValueError unless there is a random vector and more than one node."""
    if probes < 1 or steps < 2:
        raise ValueError(f"expected at least 1 of `probes` and 2 `steps`; found {probes} and {steps}.")


def density_on(density: Density, grid: Tensor, sigma: float, linear_within: float | None = None) -> Smoothed:
    """The density on a grid of eigenvalues, each node smoothed to a Gaussian of standard deviation σ.

        φ(t) = (1/p) Σ_v Σ_k ω_k N(t; θ_k, σ²)

    Use one σ for all that is compared: `common_sigma`. A single eigenvalue has the height 1/(n σ √2π), so draw the
    logarithm. What lies below the smallest node or above the largest is the tail of a Gaussian, and no eigenvalue.

    Args:
        density: As `spectral_density` returns it.
        grid: Eigenvalues (g,), in loss / parameter².
        sigma: σ, in the grid's unit; with `linear_within`, in decades.
        linear_within: Take the density per decade, on an axis that is linear from −x to x and logarithmic beyond:
            u = asinh(λ/2x)/ln 10. Outliers and bulk are then seen alike.

    Raises:
        ValueError: if σ is not above 0.

    Example:
        >>> one = torch.ones(1, 1, dtype=torch.float64)
        >>> round(float(density_on(Density(2 * one, one, one, 1, 1), torch.tensor([2.0]), sigma=0.1).values), 4)
        3.9894
    """
    if not sigma > 0:
        raise ValueError(f"`sigma` must be above 0; found {sigma}. Pass e.g. common_sigma([density]).")
    at, nodes = (decades(values.double(), linear_within) for values in (grid, density.nodes))
    gaussians = (-((at[:, None, None] - nodes) ** 2) / (2 * sigma**2)).exp() / (sigma * math.sqrt(2 * math.pi))
    each = (gaussians * density.weights).sum(2)  # (g, p)
    return Smoothed(
        each.mean(1), each.std(1) / math.sqrt(each.shape[1]) if each.shape[1] > 1 else each[:, 0] * math.nan
    )


def eigenvalues_in(density: Density, edges: Tensor, sigma: float, linear_within: float | None = None) -> Tensor:
    """How many eigenvalues lie in each bin (b,), by the smoothed density.

    Args:
        density: As `spectral_density` returns it.
        edges: The bins' edges (b + 1,), ascending; with `linear_within`, in decades.
        sigma: The width of the Gaussians, in the unit of the edges.
        linear_within: As for `density_on`.
    """
    nodes = decades(density.nodes, linear_within)
    below = torch.special.ndtr((edges.double()[:, None, None] - nodes) / sigma)  # (b + 1, p, m)
    return density.n * (below.diff(dim=0) * density.weights).sum(2).mean(1)


def common_sigma(densities: Iterable[Density], share: float = 0.02, linear_within: float | None = None) -> float:
    """One σ for all densities that are compared: a share of the range that their nodes span together.

    Example:
        >>> one = torch.ones(1, 1, dtype=torch.float64)
        >>> common_sigma([Density(x * one, one, one, 1, 1) for x in (-1.0, 9.0)])
        0.2
    """
    nodes = torch.cat([decades(each.nodes, linear_within).flatten() for each in densities])
    nodes = nodes[nodes.isfinite()]
    span = float(nodes.max() - nodes.min()) if len(nodes) else 0.0
    return share * span or share  # where all eigenvalues are one, any width shows it


def decades(eigenvalues: Tensor, linear_within: float | None) -> Tensor:
    """Eigenvalues on an axis that is linear from −x to x and counts decades beyond, or as they are without an x.

    Example:
        >>> decades(torch.tensor([-1.0, 0.0, 100.0]), linear_within=0.01)
        tensor([-2.0000,  0.0000,  4.0000])
    """
    return eigenvalues if linear_within is None else torch.asinh(eigenvalues / (2 * linear_within)) / math.log(10)


def _quadrature(hessian: HessianBlock, probes: int, steps: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(probes):
        basis = Lanczos(hessian.product, hessian.gaussian(generator), seed=seed)
        for _ in range(steps):
            basis.extend()
        ritz = basis.ritz()
        found.append((ritz.values, ritz.weights, ritz.residuals))
    nodes, weights, residuals = (torch.stack(each) for each in zip(*found, strict=True))
    return nodes, weights, residuals


def _dense(hessian: HessianBlock) -> tuple[Tensor, Tensor, Tensor]:
    columns = [hessian.product(unit) for unit in torch.eye(hessian.n).to(hessian.zeros(0))]
    matrix = torch.stack(columns).double().cpu()
    eigenvalues = torch.linalg.eigvalsh((matrix + matrix.T) / 2)[None]
    return eigenvalues, torch.full_like(eigenvalues, 1 / hessian.n), torch.zeros_like(eigenvalues)
