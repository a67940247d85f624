"""Continuous symmetries of a loss as generators: the directions in which parameters may move and change nothing.

A symmetry φ_s with L(φ_s(w)) = L(w) has the generator t(w) = d φ_s(w) / ds at s = 0. Differentiating once and twice,

    ⟨g, t⟩ = 0      and      H t = −(Dt)ᵀ g            at every w,

with the gradient g, the Hessian H and the Jacobian Dt of t. So t is a flat direction, H t = 0, where the gradient
vanishes, and elsewhere it is not: the radial direction t = w of a scale-invariant w has H w = −g. An eigenvalue that
is 0 is therefore counted at a critical point, and the identity tested anywhere.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clinometer.objective.params import Point

Generator = Callable[[Point], dict[str, Tensor]]  # w to t(w); parameters that stay are left out


def scaling(name: str, unit: int) -> Generator:
    """The weights into one unit times c: nothing changes before a norm without an ε."""
    return lambda at: {name: _row(at[name], unit)}


def shift(name: str, unit: int) -> Generator:
    """The bias of one unit plus c: nothing changes before a norm that takes the mean off."""
    return lambda at: {name: _row(torch.ones_like(at[name]), unit)}


def rescaling(into: Sequence[str], out_of: str, unit: int) -> Generator:
    """What leads into one unit times c, and the weights out of it over c: nothing changes with a ReLU between."""

    def tangent(at: Point) -> dict[str, Tensor]:
        return {name: _row(at[name], unit) for name in into} | {out_of: -_row(at[out_of].mT, unit).mT}

    return tangent


def mixing(into: Sequence[str], out_of: str, to: int, source: int) -> Generator:
    """One hidden unit plus c times another, taken back by the weights out of them: a linear hidden layer allows it.

    With `to` = `source` it is the rescaling of one unit.
    """

    def tangent(at: Point) -> dict[str, Tensor]:
        moved = {name: _placed(at[name][source], at[name], to) for name in into}
        return moved | {out_of: -_placed(at[out_of][:, to], at[out_of].mT, source).mT}

    return tangent


def translation(bias: str, out_of: str, last: str, unit: int) -> Generator:
    """The bias of one unit plus c, taken back by the bias of the next layer: a linear hidden layer allows it."""
    return lambda at: {bias: _row(torch.ones_like(at[bias]), unit), last: -at[out_of][:, unit]}


def tangent_of(generator: Generator, at: Point) -> dict[str, Tensor]:
    """t(w) with a value for every parameter."""
    moved = generator(at)
    return {name: moved.get(name, torch.zeros_like(value)) for name, value in at.items()}


def product_expected(generator: Generator, at: Point, gradient: Point) -> dict[str, Tensor]:
    """−(Dt)ᵀ g: what the Hessian makes of the generator's tangent, whatever the loss is.

    Example:
        >>> at, gradient = {"w": torch.tensor([[1.0, 2.0]])}, {"w": torch.tensor([[2.0, -1.0]])}
        >>> product_expected(scaling("w", 0), at, gradient)                    # H w = −g
        {'w': tensor([[-2.,  1.]])}
    """
    moved = {name: value.detach().requires_grad_() for name, value in at.items()}
    tangent = generator(moved)
    along = sum((tangent[name] * gradient[name]).sum() for name in tangent)  # ⟨t(w), g⟩, of which g stands still
    if not isinstance(along, Tensor) or not along.requires_grad:
        return {name: torch.zeros_like(value) for name, value in at.items()}  # a translation: Dt = 0
    found = torch.autograd.grad(along, list(moved.values()), materialize_grads=True)
    return {name: -value for name, value in zip(moved, found, strict=True)}


def _row(values: Tensor, unit: int) -> Tensor:
    """The row of a unit, and zeros elsewhere."""
    return _placed(values[unit], values, unit)


def _placed(row: Tensor, like: Tensor, unit: int) -> Tensor:
    """Zeros but for this row at one place."""
    chosen = torch.arange(len(like), device=like.device) == unit
    return torch.where(chosen.view(-1, *(1,) * (like.ndim - 1)), row.unsqueeze(0), torch.zeros((), dtype=like.dtype))
