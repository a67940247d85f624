"""An orthonormal basis of what a Hessian does to a few random vectors: where its large eigenvalues are."""

from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.measures.hessian_block import HessianBlock


@dataclass(frozen=True)
class Sketch:
    """HΩ = QR for Gaussian columns ωᵢ of Ω, with the columns of Q as rows."""

    basis: Tensor  # (k, n) the columns of Q; fewer than were asked for where the Hessian's rank is less
    triangle: Tensor  # (k, k) R, in float64
    forms: tuple[float, ...]  # (k,) ωᵢᵀHωᵢ
    hidden: float | None  # the length of the column that lay in the span of the earlier ones; None if none did

    def coordinates(self, vector: Tensor) -> Tensor:
        """Qᵀv, of shape (k,), in float64 on the CPU."""
        return (self.basis @ vector).double().cpu()

    def residual(self, vector: Tensor) -> Tensor:
        """(I − QQᵀ)v, of shape (n,)."""
        return torch.addmv(vector, self.basis.T, self.basis @ vector, alpha=-1)


def sketch_of(hessian: HessianBlock, columns: int, generator: torch.Generator) -> Sketch:
    """Multiply Gaussian vectors by the Hessian and orthonormalise, as Gram and Schmidt do, twice.

    It ends at the first product that lies in the span of the earlier ones to rounding: their span is then the
    Hessian's range. Cost: a Hessian-vector product a column. Memory: a vector a column.
    """
    basis = hessian.zeros(columns, hessian.n)
    triangle = torch.zeros(columns, columns, dtype=torch.float64)
    forms: list[float] = []
    for index in range(columns):
        draw = hessian.gaussian(generator)
        column = hessian.product(draw)
        forms.append(float(torch.dot(draw, column)))
        whole = float(column.norm())
        earlier = basis[:index]
        for _ in range(2):
            inside = earlier @ column
            column.addmv_(earlier.T, inside, alpha=-1)
            triangle[:index, index] += inside.double().cpu()
        rest = float(column.norm())
        if hessian.agreed(rest <= 10 * torch.finfo(column.dtype).eps * whole):
            return Sketch(basis[:index], triangle[:index, :index], tuple(forms[:index]), rest)
        triangle[index, index] = rest
        torch.div(column, rest, out=basis[index])
    return Sketch(basis, triangle, tuple(forms), None)
