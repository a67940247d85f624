"""Lanczos's recurrence: a basis in which a large symmetric matrix becomes a small one, by one product at a time.

It works on vectors and knows nothing of networks. Eigenvalues and spectral densities are read from the small matrix.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 2**16  # elements of each row that are mixed at a time: a basis is replaced without a second one in memory
_BREAKDOWN = 10.0  # roundings of the largest product: what is left of a product below that is rounding


@dataclass(frozen=True)
class Ritz:
    """Approximate eigenpairs of a matrix H in a basis of j vectors, in ascending order; all in float64, on the CPU."""

    values: Tensor  # (j,) θ
    coordinates: Tensor  # (j, j) in column i those of the vector y_i in the basis
    residuals: Tensor  # (j,) ‖H y_i − θ_i y_i‖; some eigenvalue lies that near to θ_i

    @property
    def weights(self) -> Tensor:
        """(j,) ⟨y_i, start⟩², which sum to 1: the start vector's share of each."""
        return self.coordinates[0].square()

    @property
    def gaps(self) -> Tensor:
        """(j,) how far each value lies from the nearest other one; infinite where there is none."""
        between = torch.cat([torch.tensor([math.inf]).double(), self.values.diff(), torch.tensor([math.inf]).double()])
        return torch.minimum(between[:-1], between[1:])

    @property
    def errors(self) -> Tensor:
        """(j,) min(r, r²/gap): how far θ lies from an eigenvalue, as long as no other eigenvalue lies in the gap."""
        bounds = self.residuals.square() / self.gaps
        known = self.gaps.isfinite() & (self.gaps > 0)
        return torch.where(known, torch.minimum(self.residuals, bounds), self.residuals)


class Lanczos:
    """An orthonormal basis of a Krylov space of H, and H in that basis; each `extend` takes one product.

    Each new vector is orthogonalised twice against all others: without that, copies of converged eigenvalues appear.
    Where the space is invariant, and no product leads out of it, a random vector orthogonal to it goes on. A product
    that is not finite makes all Ritz values NaN.

    Memory: one vector of n elements for each product, one more for the next, and the product itself.

    Args:
        operator: v ↦ Hv for a symmetric H, as a new tensor (n,), which is changed in place.
        start: The first vector (n,), of any length above 0; a random one where it is zero.
        seed: Of the random vectors.

    Source: Parlett (1998), The Symmetric Eigenvalue Problem, chapter 13; thick restart: Wu and Simon (2000).

    Example:
        >>> eigenvalues = torch.tensor([1.0, 2.0, 10.0])
        >>> basis = Lanczos(lambda v: eigenvalues * v, torch.ones(3))
        >>> while not basis.complete:
        ...     basis.extend()
        >>> [round(value, 4) for value in basis.ritz().values.tolist()]
        [1.0, 2.0, 10.0]
    """

    def __init__(self, operator: Callable[[Tensor], Tensor], start: Tensor, *, seed: int = 0) -> None:
        self.products = 0
        self.rows: list[Tensor] = []  # (n,) each, orthonormal, each multiplied once
        self.projected = torch.zeros(0, 0, dtype=torch.float64)  # (j, j) H in the basis
        self.largest = 0.0  # ‖Hq‖ of the rows so far, at most ‖H‖
        self._operator = operator
        self._couplings = torch.zeros(0, dtype=torch.float64)  # (j,) ⟨next, H row⟩
        self._generator = torch.Generator().manual_seed(seed)
        length = torch.linalg.vector_norm(start)
        self._next: Tensor | None = start / length if bool(length != 0) else self._random(start)

    @property
    def complete(self) -> bool:
        """Whether the basis spans the whole space, so that its Ritz values are the eigenvalues."""
        return self._next is None

    @property
    def finite(self) -> bool:
        """Whether all products were finite."""
        return bool(self.projected.isfinite().all())

    def extend(self) -> None:
        """One more vector, by one product; nothing if the basis is complete."""
        if self._next is None:
            return
        self.rows.append(self._next)
        image = self._operator(self._next)
        self.products += 1
        self.largest = max(self.largest, float(torch.linalg.vector_norm(image)), key=_nan_last)
        column = self._orthogonalise(image)
        self._grow(column)
        left = float(torch.linalg.vector_norm(image))
        self._couplings = torch.zeros(len(self.rows), dtype=torch.float64)
        self._couplings[-1] = left
        if len(self.rows) == len(image):
            self._next = None
            self._couplings[-1] = 0.0
        elif left <= _BREAKDOWN * torch.finfo(image.dtype).eps * self.largest:
            self._next = self._random(image)
        else:
            self._next = image.div_(left)

    def ritz(self) -> Ritz:
        """What the basis knows of H's eigenpairs."""
        size = len(self.rows)
        if not self.finite:
            unknown = torch.full((size,), torch.nan, dtype=torch.float64)
            return Ritz(unknown, torch.full((size, size), torch.nan, dtype=torch.float64), unknown)
        values, coordinates = torch.linalg.eigh(self.projected)
        return Ritz(values, coordinates, (self._couplings @ coordinates).abs())

    def restart(self, keep: Sequence[int]) -> None:
        """Keep these Ritz vectors as the rows, and the next vector; the others' memory is free. Takes no product."""
        ritz = self.ritz()
        chosen = ritz.coordinates[:, list(keep)]
        _mix(self.rows, chosen)
        self.projected = torch.diag(ritz.values[list(keep)])
        self._couplings = self._couplings @ chosen

    def _orthogonalise(self, vector: Tensor) -> Tensor:
        """Take from a vector, in place, all that lies in the basis, and return that (j,)."""
        total = torch.zeros(len(self.rows), dtype=torch.float64)
        for _ in range(2):
            found = torch.stack([torch.dot(row, vector) for row in self.rows]).cpu().double()
            for row, coordinate in zip(self.rows, found.tolist(), strict=True):
                vector.sub_(row, alpha=coordinate)
            total += found
        return total

    def _grow(self, column: Tensor) -> None:
        size = len(column)
        grown = torch.zeros(size, size, dtype=torch.float64)
        grown[:-1, :-1] = self.projected
        grown[-1] = grown[:, -1] = column
        self.projected = grown

    def _random(self, like: Tensor) -> Tensor:
        """A random vector of length 1, orthogonal to the basis."""
        drawn = torch.randn(len(like), generator=self._generator, dtype=like.dtype).to(like.device)
        drawn.div_(torch.linalg.vector_norm(drawn))
        if self.rows:
            self._orthogonalise(drawn)
        return drawn.div_(torch.linalg.vector_norm(drawn))


def _mix(rows: list[Tensor], coordinates: Tensor) -> None:
    """Replace the rows, in place, by those linear combinations of them that the columns of a matrix (j, k) give."""
    mixed = [column.to(rows[0].device, rows[0].dtype) for column in coordinates.T]
    for begin in range(0, len(rows[0]), _CHUNK):
        piece = torch.stack([row[begin : begin + _CHUNK] for row in rows], dim=1)
        for row, column in zip(rows, mixed, strict=False):
            row[begin : begin + _CHUNK] = torch.mv(piece, column)
    del rows[len(mixed) :]


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value
