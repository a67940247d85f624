"""Points and directions that are computed as they are read, a tensor at a time, and so take no memory.

A walk has a point for each size, and a step its update: as copies of all parameters they would be half of the memory
that measuring takes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

import torch
from torch import Tensor

from clinometer.objective.params import Point


class Computed(Mapping[str, Tensor]):
    """A point whose tensors `compute` gives by their names, anew each time that one is asked for.

    It changes if what it is computed from does: take `dict(point)` to keep it.

    Example:
        >>> w = torch.tensor([1.0, 2.0])
        >>> dict(Computed(["w"], lambda name: 2 * w))
        {'w': tensor([2., 4.])}
    """

    def __init__(self, names: Collection[str], compute: Callable[[str], Tensor]) -> None:
        self._names = dict.fromkeys(names)
        self._compute = compute

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._compute(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Present(Mapping[str, Tensor]):
    """Parameters as they are now, each time as a copy; from `keep` on as they were then.

    While nothing moves them this is the same as copies of all, and takes no memory.

    Args:
        live: Gives the parameters.

    Example:
        >>> w = torch.tensor([1.0])
        >>> here = Present({"w": w})
        >>> here.keep()
        >>> _ = w.fill_(5.0)
        >>> here["w"]
        tensor([1.])
    """

    def __init__(self, live: Point) -> None:
        self._values = live
        self._kept = False

    def keep(self) -> None:
        """Copy the parameters: they are about to move."""
        if not self._kept:
            self._values, self._kept = {name: value.detach().clone() for name, value in self._values.items()}, True

    def __getitem__(self, name: str) -> Tensor:
        value = self._values[name]
        return value if self._kept else value.detach().clone()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def along(origin: Point, direction: Point, size: float) -> Point:
    """The point `step(origin, direction, size)`, computed as it is read.

    At size 0 it is `origin` itself, and names that `direction` lacks stay where they are. The direction must fit the
    origin: `check_direction` says so once, and not at every size.

    Example:
        >>> dict(along({"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([1.0, 0.0])}, 0.5))
        {'w': tensor([1.5000, 2.0000])}
    """
    if size == 0:
        return origin
    return Computed(
        origin,
        lambda name: torch.add(origin[name], direction[name], alpha=size) if name in direction else origin[name],
    )


def difference(a: Point, b: Point) -> Point:
    """The direction `sub(a, b)` from `b` to `a`, computed as it is read.

    Example:
        >>> dict(difference({"w": torch.tensor([3.0])}, {"w": torch.tensor([1.0])}))
        {'w': tensor([2.])}
    """
    return Computed(a, lambda name: a[name] - b[name])
