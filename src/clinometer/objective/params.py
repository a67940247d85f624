"""Arithmetic on points: places and directions in parameter space.

A `Point` maps a parameter's name to a tensor. Nothing here knows about models. Sums run in at least
float32, so half-precision parameters do not lose the small differences that smoothness is made of. Where parameters
are sharded, each process holds its shards of a point; a sum is over all shards, and all processes must call it.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from clinometer.objective.dtensor import Groups, all_gather, from_local, shard_groups, to_local

Point = Mapping[str, Tensor]

_SMALL = 2**18  # parameters are joined up to so many elements: a MB more at a time


def step(origin: Point, direction: Point, size: float) -> dict[str, Tensor]:
    """The point `origin + size · direction`; names that `direction` lacks stay where they are.

    At size 0 it is `origin` itself, bit for bit, even where the direction is infinite.

    Args:
        origin: Where to start.
        direction: Where to go; each name must be one of `origin`'s, with the same shape.
        size: How far, in multiples of `direction`.

    Raises:
        ValueError: if `direction` names a parameter that `origin` lacks, or has another shape.

    Example:
        >>> step({"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([1.0, 0.0])}, 0.5)
        {'w': tensor([1.5000, 2.0000])}
    """
    check_direction(origin, direction)
    if size == 0:
        return dict(origin)
    return {
        name: torch.add(value, direction[name], alpha=size) if name in direction else value
        for name, value in origin.items()
    }


def sub(a: Point, b: Point) -> dict[str, Tensor]:
    """The direction `a − b` from `b` to `a`.

    Example:
        >>> sub({"w": torch.tensor([3.0])}, {"w": torch.tensor([1.0])})
        {'w': tensor([2.])}
    """
    return {name: a[name] - b[name] for name in a}


def scale(point: Point, factor: float | Tensor) -> dict[str, Tensor]:
    """The point `factor · point`.

    Example:
        >>> scale({"w": torch.tensor([3.0])}, -2.0)
        {'w': tensor([-6.])}
    """
    return {name: value * factor for name, value in point.items()}


def dot(a: Point, b: Point) -> Tensor:
    """The inner product ⟨a, b⟩ over all parameters, a tensor of shape ().

    Example:
        >>> dot({"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([1.0, 1.0])})
        tensor(7.)
    """
    return _gather((on, _inner(x, y)) for on, (x, y) in _blocks(a, b)).sum()


def norm(point: Point) -> Tensor:
    """The Euclidean norm ‖point‖₂ over all parameters, a tensor of shape ().

    Example:
        >>> norm({"w": torch.tensor([3.0]), "b": torch.tensor([4.0])})
        tensor(5.)
    """
    return torch.linalg.vector_norm(_gather((on, torch.linalg.vector_norm(x)) for on, (x,) in _blocks(point)))


def distance(a: Point, b: Point) -> Tensor:
    """‖a − b‖₂ over all parameters of `a`, a tensor of shape (), without ever holding a whole difference.

    Example:
        >>> distance({"w": torch.tensor([3.0, 0.0])}, {"w": torch.tensor([0.0, 4.0])})
        tensor(5.)
    """
    return torch.linalg.vector_norm(_gather((on, torch.linalg.vector_norm(x - y)) for on, (x, y) in _blocks(a, b)))


def gap_and_cosine(a: Point, b: Point) -> tuple[Tensor, Tensor]:
    """‖a − b‖₂ and ⟨a, b⟩ / (‖a‖ ‖b‖), each of shape (), in one pass that never holds a whole difference.

    The cosine is NaN where either has no length.

    Example:
        >>> gap_and_cosine({"w": torch.tensor([3.0, 0.0])}, {"w": torch.tensor([0.0, 4.0])})
        (tensor(5.), tensor(0.))
    """
    gap, product, first, second = _gather((on, _products(x, y)) for on, (x, y) in _blocks(a, b)).sum(0)
    # Rooted before they are multiplied: the product of two small squares underflows where the cosine is harmless.
    return gap.sqrt(), (product / (first.sqrt() * second.sqrt())).clamp(-1.0, 1.0)


def flattened(point: Point, device: torch.device | str | None = None) -> Tensor:
    """All values of a point as one vector (n,), in float32 or wider.

    Args:
        point: The point.
        device: Where the vector lies; by default where the point's first tensor does.

    Example:
        >>> flattened({"w": torch.ones(2, 2), "b": torch.tensor([5.0])})
        tensor([1., 1., 1., 1., 5.])
    """
    values = [to_local(value).detach().reshape(-1) for value in point.values()]
    dtype = functools.reduce(torch.promote_types, (value.dtype for value in values), torch.float32)
    return torch.cat([value.to(device or values[0].device, dtype) for value in values])


def unflattened(vector: Tensor, like: Point) -> dict[str, Tensor]:
    """The point whose values `flattened` joined, with the names, shapes, dtypes and devices of another point.

    Example:
        >>> unflattened(torch.tensor([1.0, 2.0, 3.0]), {"w": torch.zeros(1, 2), "b": torch.zeros(1)})
        {'w': tensor([[1., 2.]]), 'b': tensor([3.])}
    """
    parts = vector.split([to_local(value).numel() for value in like.values()])
    return {
        name: from_local(value, part.view(to_local(value).shape).to(value.device, value.dtype))
        for (name, value), part in zip(like.items(), parts, strict=True)
    }


def check_direction(origin: Point, direction: Point) -> None:
    """Raise ValueError unless `direction` is made of `origin`'s names and shapes."""
    unknown = sorted(set(direction) - set(origin))
    if unknown:
        raise ValueError(
            f"the direction moves {unknown[0]!r}, which is not a parameter of the origin; "
            f"the origin has {', '.join(map(repr, list(origin)[:6]))}. Build it from `objective.here()`."
        )
    for name, value in direction.items():
        if value.shape != origin[name].shape:
            raise ValueError(
                f"the direction has shape {tuple(value.shape)} for {name!r}; expected "
                f"{tuple(origin[name].shape)}, the shape of that parameter."
            )


def joined(point: Point) -> Iterator[list[str]]:
    """The names in groups whose tensors may be concatenated: small parameters together, large ones alone.

    A network has many small parameters, and an operation on each would cost more than the arithmetic.
    """
    names: list[str] = []
    size = 0
    kind = None
    for name, value in point.items():
        before, kind = kind, (value.device, value.dtype, shard_groups(value))
        if names and (size + value.numel() > _SMALL or kind != before):
            yield names
            names, size = [], 0
        names.append(name)
        size += value.numel()
    if names:
        yield names


def _blocks(*points: Point) -> Iterator[tuple[Groups, tuple[Tensor, ...]]]:
    """The points' values as flat tensors, by the first one's names, with the groups that hold the other shards."""
    for names in joined(points[0]):
        parts = ([to_local(point[name]).reshape(-1) for name in names] for point in points)
        flat = (torch.cat(values) if len(values) > 1 else values[0] for values in parts)
        yield shard_groups(points[0][names[0]]), tuple(x.to(torch.promote_types(x.dtype, torch.float32)) for x in flat)


def _products(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([_inner(x - y, x - y), _inner(x, y), _inner(x, x), _inner(y, y)])


def _inner(x: Tensor, y: Tensor) -> Tensor:
    return (x * y.conj()).real.sum()


def _gather(sums: Iterable[tuple[Groups, Tensor]]) -> Tensor:
    """The sums over blocks, of all processes, along the first dimension."""
    found: dict[Groups, list[Tensor]] = {}
    for on, each in sums:
        found.setdefault(on, []).append(each)
    # Parameters may lie on several devices; what is summed over them meets on the first one's.
    device = next(iter(found.values()))[0].device
    return torch.cat([all_gather(torch.stack([x.to(device) for x in each]), on) for on, each in found.items()])
