"""The trace of the Hessian, estimated from Hessian-vector products, always with its standard error."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from clinometer.measures.hessian_block import HessianBlock, hessian_block
from clinometer.measures.sketch import Sketch, sketch_of
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.readable.results import readable

Method = Literal["xtrace", "hutch++", "hutchinson"]
Found = tuple[float, float, str]  # value, error, notes
EXACT = "exact: the sum of the Hessian's diagonal"
_FEWEST = 6  # products from which each method has a standard error


@readable
@dataclass(frozen=True)
class Estimate:
    """A number that was estimated at random, and how far it may be off."""

    value: float
    error: float  # the standard error of the value; NaN where it is unknown
    products: int = 0  # Hessian-vector products spent
    method: str = ""
    n: int = 0  # the number of parameters
    notes: str = ""  # why the value is exact, or why it is NaN; what is other than in training


def trace(
    objective: Objective,
    at: Point,
    *,
    products: int = 32,
    method: Method = "xtrace",
    only: Collection[str] | None = None,
    seed: int = 0,
    basis_device: torch.device | str | None = None,
) -> Estimate:
    """The trace of ∇²L(at), which is the sum of the Hessian's eigenvalues, with its standard error.

        hutchinson   (1/m) Σ xᵢᵀHxᵢ
        hutch++      tr(QᵀHQ) + (1/g) Σ xᵢᵀ(I − QQᵀ)H(I − QQᵀ)xᵢ,   Q = orth(HΩ),   Ω of shape (n, ⌊m/3⌋)
        xtrace       the mean over i of what hutch++ gives with the i-th column of Ω as x and the others for Q

    with m products, xᵢ of random signs and Ω Gaussian. Each is unbiased. Errors: √(variance of the terms / their
    number). The terms of `hutch++` are those of its second sum, as the first is exact for the Q that was drawn. Those
    of `xtrace` are the k = m/2 estimates that leave a column out: √(Σ(tᵢ − t̄)²/(k(k − 1))), which on spectra without a
    tail is up to a fifth too small. With ten terms an error is itself uncertain by a quarter.

    A network's Hessian has a few large eigenvalues and a bulk of small ones. `xtrace` and `hutch++` find the first
    exactly; of the bulk they leave an error of about ‖H_bulk‖_F √(2/m), which more products reduce slowly.

    Cost: at most m Hessian-vector products; n where n ≤ m. Memory: m/2 vectors of n numbers for `xtrace`, m/3 for
    `hutch++`, none for `hutchinson`, about 7 beside, and the activations of a gradient's graph.

    Args:
        objective: The frozen loss.
        at: Where.
        products: How many Hessian-vector products to spend, m; at least 6.
        method: See above.
        only: The parameters of one block, whose part of the trace is wanted; all by default. The traces of blocks
            add up to the whole.
        seed: Of the random vectors. With one seed, two points are compared by the same vectors, and much of the
            error of their difference cancels.
        basis_device: Where the m/2 or m/3 vectors lie, such as "cpu"; by default with the parameters.

    Returns:
        `Estimate`. Where n ≤ m, the trace is summed from the Hessian's diagonal and the error is 0. Where the Hessian's
        rank turns out to be less than the number of columns of Ω, the trace is that on its range, and the error is a
        bound on what rounding may hide. Value and error are NaN where a product is not finite.

    Raises:
        ValueError: for fewer than 6 products, an unknown method or parameter, or with `fully_shard`.
    Source: Hutchinson (1990); Meyer, Musco, Musco and Woodruff (2021), arXiv:2010.09649; Epperly, Tropp and Webber
        (2024), arXiv:2301.07825.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(3, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)         # H = 4 I
        >>> found = trace(objective, objective.here())
        >>> found.value, found.error, found.products
        (12.0, 0.0, 3)
    """
    check_arguments(products, method)
    with hessian_block(objective, at, only, basis_device) as hessian:
        estimate = _dense if hessian.n <= products else _METHODS[method]
        try:
            value, error, notes = estimate(hessian, products, seed)
        except FloatingPointError as reason:
            value, error, notes = math.nan, math.nan, str(reason)
    return Estimate(value, error, hessian.products, method, hessian.n, hessian.notes(notes))


def check_arguments(products: int, method: str) -> None:
    """ValueError unless there is such a method, and enough products for its standard error."""
    if method not in get_args(Method):
        raise ValueError(f"`method` must be one of {', '.join(get_args(Method))}; found {method!r}.")
    if products < _FEWEST:
        raise ValueError(f"`products` must be at least {_FEWEST}, for a standard error; found {products}.")


def _dense(hessian: HessianBlock, _products: int, _seed: int) -> Found:
    return float(hessian.diagonal().double().sum()), 0.0, EXACT


def _hutchinson(hessian: HessianBlock, products: int, seed: int) -> Found:
    generator = torch.Generator().manual_seed(seed)
    return mean_of([_form(hessian, hessian.signs(generator)) for _ in range(products)])


def _hutch_plus_plus(hessian: HessianBlock, products: int, seed: int) -> Found:
    generator = torch.Generator().manual_seed(seed)
    sketch = sketch_of(hessian, products // 3, generator)
    on_range = float(_compressed(hessian, sketch).trace())
    if sketch.hidden is not None:
        return _low_rank(hessian, sketch, on_range)
    left = products - hessian.products
    rest, error, _ = mean_of([_form(hessian, sketch.residual(hessian.signs(generator))) for _ in range(left)])
    return on_range + rest, error, ""


def _xtrace(hessian: HessianBlock, products: int, seed: int) -> Found:
    sketch = sketch_of(hessian, products // 2, torch.Generator().manual_seed(seed))
    compressed = _compressed(hessian, sketch)
    if sketch.hidden is not None:
        return _low_rank(hessian, sketch, float(compressed.trace()))
    # The same draws once more: to keep them would double the memory.
    return mean_of(_leave_one_out(hessian, sketch, compressed, torch.Generator().manual_seed(seed)))


def _leave_one_out(
    hessian: HessianBlock, sketch: Sketch, compressed: Tensor, generator: torch.Generator
) -> list[float]:
    """The estimates tᵢ = tr(QᵢᵀHQᵢ) + ρᵢᵀHρᵢ, where Qᵢ spans HΩ without its i-th column.

    QᵢQᵢᵀ = Q(I − sᵢsᵢᵀ)Qᵀ, with sᵢ the i-th column of R⁻ᵀ, normalised. ρᵢ is (I − QᵢQᵢᵀ)ωᵢ with its length set to that
    of a random vector there. All follows from T = QᵀHQ, R and Qᵀωᵢ, as HΩ = QR and H is symmetric.
    """
    columns = len(compressed)
    found: list[float] = []
    for missing, form, column in zip(_missing(sketch.triangle), sketch.forms, sketch.triangle.T, strict=True):
        draw = hessian.gaussian(generator)
        kept = sketch.coordinates(draw)  # Qᵀωᵢ
        kept = kept - missing * (missing @ kept)  # its part in Qᵢ
        square = float(draw.dot(draw)) - float(kept @ kept)  # ‖(I − QᵢQᵢᵀ)ωᵢ‖²
        form = form - 2 * float(column @ kept) + float(kept @ compressed @ kept)
        on_range = float(compressed.trace() - missing @ compressed @ missing)
        found.append(on_range + form * (hessian.n - columns + 1) / square)
    return found


def _missing(triangle: Tensor) -> Tensor:
    """The directions sᵢ that leaving column i out takes away, in the coordinates of Q, as rows."""
    directions = torch.linalg.solve_triangular(triangle, torch.eye(len(triangle)).to(triangle), upper=True)  # R⁻¹
    return directions / directions.norm(dim=1, keepdim=True)


def _compressed(hessian: HessianBlock, sketch: Sketch) -> Tensor:
    """T = QᵀHQ, of shape (k, k), in float64."""
    columns = len(sketch.basis)
    found = torch.zeros(columns, columns, dtype=torch.float64)
    for index, vector in enumerate(sketch.basis):
        found[index] = sketch.coordinates(hessian.product(vector))
    return (found + found.T) / 2


def _low_rank(hessian: HessianBlock, sketch: Sketch, on_range: float) -> Found:
    """The trace on the Hessian's range: a tail of Frobenius norm f has a trace of at most √n f."""
    hidden = math.sqrt(hessian.n) * (sketch.hidden or 0.0)
    return on_range, hidden, f"exact to rounding: the Hessian has rank {len(sketch.basis)}"


def _form(hessian: HessianBlock, vector: Tensor) -> float:
    """vᵀHv."""
    return float(vector.dot(hessian.product(vector)))


def mean_of(terms: list[float]) -> Found:
    """The mean of independent terms, and its standard error: NaN for a single term."""
    mean = sum(terms) / len(terms)
    squares = sum((term - mean) ** 2 for term in terms)
    return mean, math.sqrt(squares / (len(terms) - 1) / len(terms)) if len(terms) > 1 else math.nan, ""


_METHODS = {"xtrace": _xtrace, "hutch++": _hutch_plus_plus, "hutchinson": _hutchinson}
