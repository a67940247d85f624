"""What is asked of each parameter at every step: its norm, and whether it has moved. Few operations, few copies."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.dtensor import Groups, all_gather, shard_groups, to_local
from clinometer.objective.params import Point

_foreach: Any = torch  # its operations on lists, which torch's optimizers use, have no public names


def lengths(point: Point, minus: Point | None = None) -> dict[str, float]:
    """The Euclidean norm of each parameter's tensor, or of its difference from another's, in float32 or wider.

    On a GPU a few operations for all of them; with `minus`, and a copy of the point for as long as they take. Squares
    are summed, so float32 values below about 1e-19 count as zero.

    Example:
        >>> lengths({"w": torch.tensor([3.0, 4.0]), "b": torch.tensor([1.0])})
        {'w': 5.0, 'b': 1.0}
        >>> lengths({"w": torch.tensor([3.0, 4.0])}, minus={"w": torch.tensor([3.0, 3.0])})
        {'w': 1.0}
    """
    kinds: dict[tuple[torch.device, torch.dtype, Groups], list[str]] = {}
    for name, value in point.items():
        kinds.setdefault((value.device, value.dtype, shard_groups(value)), []).append(name)
    found = dict.fromkeys(point, 0.0)
    for (device, _, on), names in kinds.items():
        norms = _norms(device, _wide(point, names), None if minus is None else _wide(minus, names))
        of_shards = all_gather(torch.stack(norms).unsqueeze(0), on)
        found |= zip(names, torch.linalg.vector_norm(of_shards, dim=0).tolist(), strict=True)
    return found


def are_equal(values: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Whether each tensor holds the same values as the other of its place, where NaN equals NaN.

    On a GPU a few operations and one wait for it where they do, which is the rule, and a copy of them meanwhile.

    Example:
        >>> are_equal([torch.tensor([1.0, torch.nan])], [torch.tensor([1.0, torch.nan])])
        True
    """
    by_kind: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, value in enumerate(values):
        by_kind.setdefault((value.device, value.dtype), []).append(place)
    return all(
        _are_equal(device, [values[i] for i in places], [others[i] for i in places])
        for (device, _), places in by_kind.items()
    )


def _wide(point: Point, names: Iterable[str]) -> list[Tensor]:
    """What this process holds of some parameters, in float32 or wider."""
    values = [to_local(point[name]).detach() for name in names]
    return [x.to(torch.promote_types(x.dtype, torch.float32)) for x in values]


def _are_equal(device: torch.device, values: list[Tensor], others: list[Tensor]) -> bool:
    if device.type == "cpu" or values[0].is_complex():
        return all(map(_same, values, others))
    gaps = torch.stack(_foreach._foreach_norm(_foreach._foreach_sub(values, others), torch.inf))
    return not gaps.any() or all(map(_same, values, others))  # which may hold an infinity or NaN


def _same(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first, second) or torch.allclose(first, second, rtol=0.0, atol=0.0, equal_nan=True)


def _norms(device: torch.device, values: list[Tensor], others: list[Tensor] | None) -> list[Tensor]:
    """The norm of each tensor, or of its difference from another.

    On the CPU one by one: the room for all differences at once, fresh from the system, costs several times as much.
    """
    if others is None:
        return _foreach._foreach_norm(values)
    if device.type == "cpu":
        return [torch.linalg.vector_norm(x - y) for x, y in zip(values, others, strict=True)]
    return _foreach._foreach_norm(_foreach._foreach_sub(values, others))
