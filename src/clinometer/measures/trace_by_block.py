"""The trace of every block of the Hessian from the same products: which layers hold the curvature."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.measures.hessian_block import HessianBlock, hessian_block
from clinometer.measures.sketch import sketch_of
from clinometer.measures.trace import EXACT, Estimate, check_arguments, mean_of
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point


def trace_by_block(
    objective: Objective,
    at: Point,
    blocks: Mapping[str, Sequence[str]],
    *,
    products: int = 32,
    seed: int = 0,
    basis_device: torch.device | str | None = None,
) -> dict[str, Estimate]:
    """The trace of each block H_bb on the Hessian's diagonal, all from m products with the whole Hessian.

        tr(H_bb) = Σ_{i ∈ b} H_ii,   H = PH + (H − PH)P + (I − P)H(I − P),   P = QQᵀ,   Q = orth(HΩ)

    As `hutch++` of `trace`: the diagonals of the first two parts are exact for the Q that was drawn, and that of the
    third is the mean of x ∘ (I − P)H(I − P)x over vectors x of random signs. The error is that mean's; blocks off the
    diagonal add to it, which `trace(only=...)` avoids at the price of m products for each block. If each parameter is
    in one of the blocks, their values add up to that of `trace(method="hutch++")` with the same seed.

    Cost: at most m Hessian-vector products; n where n ≤ m, and the traces are then exact. Memory: m/3 vectors of n
    numbers, about 8 beside, and the activations of a gradient's graph.

    Args:
        objective: The frozen loss.
        at: Where.
        blocks: A block's name to the names of its parameters, as from `layers_of`; blocks may overlap.
        products: How many Hessian-vector products to spend, m; at least 6.
        seed: Of the random vectors.
        basis_device: Where the m/3 vectors lie, such as "cpu"; by default with the parameters.

    Raises:
        ValueError: for fewer than 6 products, an unknown parameter, or with `fully_shard`.
    Source: Meyer, Musco, Musco and Woodruff (2021), arXiv:2010.09649, for its diagonal; traces of layers, by
        Hutchinson's method: Dong et al. (2020), arXiv:1911.03852.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
        >>> objective = Objective(model, lambda m, _: sum(p.square().sum() for p in m.parameters()))     # H = 2 I
        >>> found = trace_by_block(objective, objective.here(), {"all": ["0.weight", "1.weight"], "last": ["1.weight"]})
        >>> found["all"].value, found["last"].value
        (12.0, 4.0)
    """
    check_arguments(products, "hutch++")
    unknown = [name for names in blocks.values() for name in names if name not in at]
    if unknown:
        raise ValueError(f"no parameter of the point is called {unknown[0]!r}; it has {', '.join(list(at)[:6])}.")
    with hessian_block(objective, at, None, basis_device) as hessian:
        measured = _dense if hessian.n <= products else _sketched
        try:
            found = measured(hessian, products, seed)
        except FloatingPointError as reason:
            nothing = torch.full((1, len(at)), torch.nan, dtype=torch.float64)
            found = _Diagonal(nothing[0], nothing, 0.0, str(reason))
    places = {name: place for place, name in enumerate(at)}
    chosen = {block: [places[name] for name in dict.fromkeys(names)] for block, names in blocks.items()}
    return {block: found.estimate(members, hessian) for block, members in chosen.items()}


@dataclass(frozen=True)
class _Diagonal:
    """The sums of the Hessian's diagonal over each parameter: a part that is known, and samples of the rest."""

    known: Tensor  # (parameters,)
    samples: Tensor  # (samples, parameters)
    hidden: float = 0.0  # without samples: the Frobenius norm of what rounding may hide
    notes: str = ""

    def estimate(self, members: list[int], hessian: HessianBlock) -> Estimate:
        n = sum(hessian.sizes[place] for place in members)
        value, error = float(self.known[members].sum()), math.sqrt(n) * self.hidden
        if len(self.samples):
            rest, error, _ = mean_of(self.samples[:, members].sum(1).tolist())
            value += rest
        return Estimate(value, error, hessian.products, "hutch++", n, hessian.notes(self.notes))


def _dense(hessian: HessianBlock, _products: int, _seed: int) -> _Diagonal:
    diagonal = hessian.diagonal()
    return _Diagonal(hessian.dots(diagonal, torch.ones_like(diagonal)), torch.empty(0, len(hessian.sizes)), notes=EXACT)


def _sketched(hessian: HessianBlock, products: int, seed: int) -> _Diagonal:
    generator = torch.Generator().manual_seed(seed)
    sketch = sketch_of(hessian, products // 3, generator)
    known = torch.zeros(len(hessian.sizes), dtype=torch.float64)
    for vector in sketch.basis:
        image = hessian.product(vector)
        known += hessian.dots(vector, image) + hessian.dots(sketch.residual(image), vector)
    samples: list[Tensor] = []
    if sketch.hidden is None:
        for _ in range(products - hessian.products):
            signs = hessian.signs(generator)
            samples.append(hessian.dots(signs, sketch.residual(hessian.product(sketch.residual(signs)))))
    empty = torch.empty(0, len(hessian.sizes))
    return _Diagonal(known, torch.stack(samples) if samples else empty, sketch.hidden or 0.0)
