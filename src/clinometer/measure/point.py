"""Arithmetic on points: places and directions in parameter space.

A `Point` maps a parameter's name to a tensor. Nothing here knows about models. Sums run in at least
float32, so half-precision parameters do not lose the small differences that smoothness is made of.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

Point = Mapping[str, Tensor]


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
    return _total((_wide(a[name]) * _wide(b[name]).conj()).real.sum() for name in a)


def norm(point: Point) -> Tensor:
    """The Euclidean norm ‖point‖₂ over all parameters, a tensor of shape ().

    Example:
        >>> norm({"w": torch.tensor([3.0]), "b": torch.tensor([4.0])})
        tensor(5.)
    """
    return _length(torch.linalg.vector_norm(_wide(value)) for value in point.values())


def distance(a: Point, b: Point) -> Tensor:
    """‖a − b‖₂, one parameter at a time: it never holds a whole difference in memory.

    Example:
        >>> distance({"w": torch.tensor([3.0, 5.0])}, {"w": torch.tensor([0.0, 1.0])})
        tensor(5.)
    """
    return _length(torch.linalg.vector_norm(_wide(a[name]) - _wide(b[name])) for name in a)


def cosine(a: Point, b: Point) -> Tensor:
    """⟨a, b⟩ / (‖a‖ ‖b‖), a tensor of shape (); NaN where either has no length.

    Example:
        >>> cosine({"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 2.0])})
        tensor(0.)
    """
    # Divided one after the other: the product of two small norms underflows where the cosine is harmless.
    return (dot(a, b) / norm(a) / norm(b)).clamp(-1.0, 1.0)


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


def _wide(value: Tensor) -> Tensor:
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _total(parts: Iterable[Tensor]) -> Tensor:
    # Parameters may lie on several devices; their scalars meet on the first one's.
    scalars = list(parts)
    if not scalars:
        return torch.zeros(())
    return torch.stack([s.to(scalars[0]) for s in scalars]).sum()


def _length(parts: Iterable[Tensor]) -> Tensor:
    scalars = list(parts)
    if not scalars:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack([s.to(scalars[0]) for s in scalars]))
