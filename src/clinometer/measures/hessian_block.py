"""The Hessian of an objective, or one block on its diagonal, as a symmetric matrix that is known by its products."""

from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from clinometer.measures.layers import within
from clinometer.objective.dtensor import is_dtensor
from clinometer.objective.objective import AnyProduct, Objective
from clinometer.objective.params import Point, flattened, unflattened


class HessianBlock:
    """Hessian-vector products on flat vectors (n,), counted. Made by `hessian_block`."""

    def __init__(
        self,
        objective: Objective,
        multiply: AnyProduct,
        at: Point,
        names: Sequence[str],
        device: torch.device | str | None,
    ) -> None:
        self.products = 0
        self._ranks = objective.ranks
        self._multiply = multiply
        self._at = within(at, names)
        self._device = device
        self.sizes = [value.numel() for value in as_real(self._at).values()]  # of each parameter
        self.n = sum(self.sizes)  # how many numbers the block's parameters hold
        none_of_each = {name: value.reshape(-1)[:0] for name, value in as_real(self._at).items()}
        self._like = flattened(none_of_each, device)  # of the dtype and on the device of the vectors

    def notes(self, own: str = "") -> str:
        """What an estimate says of itself, and what is other than in training, such as how attention is computed."""
        return "; ".join(filter(None, (own, *self._multiply.notes)))

    def zeros(self, *shape: int) -> Tensor:
        """Zeros of the kind that the vectors are of."""
        return self._like.new_zeros(*shape)

    def product(self, vector: Tensor) -> Tensor:
        """H_bb v, of shape (n,): the parameters outside the block stand still. Cost: one Hessian-vector product.

        Raises:
            FloatingPointError: if it is not finite.
        """
        self.products += 1
        moved = as_complex(unflattened(vector, as_real(self._at)), self._at)
        found = flattened(as_real(within(self._multiply(moved), self._at)), self._device)
        if not bool(found.isfinite().all()):
            raise FloatingPointError("a second derivative of the loss is not finite here")
        return found

    def diagonal(self) -> Tensor:
        """The diagonal of the block (n,). Cost: n products."""
        found = self.zeros(self.n)
        for index in range(self.n):
            unit = self.zeros(self.n)
            unit[index] = 1
            found[index] = self.product(unit)[index]
        return found

    def dots(self, first: Tensor, second: Tensor) -> Tensor:
        """The inner products of two vectors over each parameter (parameters,), in float64 on the CPU."""
        pairs = zip(first.split(self.sizes), second.split(self.sizes), strict=True)
        return torch.stack([one.dot(other) for one, other in pairs]).double().cpu()

    def agreed(self, decision: bool) -> bool:
        """Rank 0's decision: processes whose dot products round otherwise must still take the same products."""
        return bool(self._ranks.broadcast(int(decision)))

    def gaussian(self, generator: torch.Generator) -> Tensor:
        """A vector (n,) of standard normal numbers."""
        return torch.randn(self.n, generator=generator).to(self._like)

    def signs(self, generator: torch.Generator) -> Tensor:
        """A vector (n,) whose entries are 1 or −1, each with probability ½ (Rademacher)."""
        return torch.randint(2, (self.n,), generator=generator, dtype=torch.int8).mul_(2).sub_(1).to(self._like)


@contextmanager
def hessian_block(
    objective: Objective, at: Point, only: Collection[str] | None = None, device: torch.device | str | None = None
) -> Generator[HessianBlock]:
    """The Hessian at a point, restricted to the parameters in `only`.

    Args:
        objective: The frozen loss.
        at: The point.
        only: The names of the block's parameters; all by default.
        device: Where flat vectors lie, such as "cpu" to spare a GPU's memory; by default with the parameters.

    Raises:
        ValueError: if `only` is empty or names a parameter that the point lacks; or with `fully_shard`.
    """
    refuse_shards(at.values())
    names = tuple(at) if only is None else tuple(dict.fromkeys(only))
    unknown = [name for name in names if name not in at]
    if unknown or not names:
        raise ValueError(
            f"`only` must name parameters of the point, which has {', '.join(map(repr, list(at)[:6]))}; "
            f"found {repr(unknown[0]) if unknown else 'none'}."
        )
    with objective.isolated(), objective.linearized(at) as product:
        yield HessianBlock(objective, product, at, names, device)


def refuse_shards(tensors: Iterable[Tensor]) -> None:
    """ValueError for parameters of `fully_shard`."""
    if any(map(is_dtensor, tensors)):
        raise ValueError(
            "fully_shard leaves each process a part of every parameter, and random vectors must cover them whole; "
            "measure under DDP, or take `landscape` or `headroom`, which need no second derivative."
        )


def as_real(point: Point) -> Point:
    """The point with complex numbers as pairs of real ones: the Hessian is that by real and imaginary parts."""
    return {name: torch.view_as_real(value) if value.is_complex() else value for name, value in point.items()}


def as_complex(point: Point, like: Point) -> Point:
    """The point that `as_real` took apart."""
    return {name: torch.view_as_complex(value) if like[name].is_complex() else value for name, value in point.items()}
