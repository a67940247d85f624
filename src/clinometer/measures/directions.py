"""Random directions for a plane, and what makes two directions orthogonal."""

from typing import Literal

import torch
from torch import Tensor

from clinometer.measures.filter_norm import Norms, normalised
from clinometer.objective.dtensor import from_local, shard_index, to_local
from clinometer.objective.params import Point, dot


def random_directions(
    at: Point, seed: int = 0, by: Norms | Literal["none"] = "filter", *, move_1d: bool = False
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Two Gaussian directions, filter-normalised: each filter of a direction is as long as that of the weights.

    So a size of 1 moves each filter by its own length, whatever the network's scale. They are drawn by generators of
    their own: equal seeds give equal directions, and the program's random stream stays where it is. In n dimensions
    their cosine is about 1/√n; `orthogonal` makes it 0.

    Cost: no pass. Memory: the two directions.

    Args:
        at: The weights, such as `objective.here()`.
        seed: Another seed, other directions.
        by: What is as long as the weights there: each `filter`, each `layer`'s tensor, or nothing (`none`).
        move_1d: Whether biases and BatchNorm's γ and β move; see `filter_norm.normalised`.

    Source: Li, Xu, Taylor, Studer, Goldstein (2018), arXiv:1712.09913, section 4.

    Example:
        >>> at = {"weight": torch.tensor([[3.0, 4.0], [0.0, 1.0]]), "bias": torch.ones(2)}
        >>> one, two = random_directions(at)
        >>> one["weight"].norm(dim=1), one["bias"]
        (tensor([5., 1.]), tensor([0., 0.]))
    """
    drawn = gaussian(at, 2 * seed), gaussian(at, 2 * seed + 1)
    if by == "none":
        return drawn
    one, two = (normalised(each, at, by, move_1d=move_1d) for each in drawn)
    return one, two


def gaussian(like: Point, seed: int) -> dict[str, Tensor]:
    """A standard Gaussian direction, by a generator of its own on the CPU: the same on every device.

    Processes that repeat a parameter draw the same for it, and those that share it each their piece.
    """
    generators: dict[int, torch.Generator] = {}
    drawn: dict[str, Tensor] = {}
    for name, value in like.items():
        piece = shard_index(value)
        generator = generators.setdefault(piece, torch.Generator().manual_seed((seed + 7_368_787 * piece) % 2**63))
        part = torch.randn(to_local(value).shape, generator=generator, dtype=value.dtype).to(value.device)
        drawn[name] = from_local(value, part)
    return drawn


def orthogonal(direction: Point, to: Point) -> dict[str, Tensor]:
    """The part of a direction that is orthogonal to another: d − ⟨d, e⟩/⟨e, e⟩ e.

    It is shorter by the sine of their angle, and no longer exactly filter-normalised.

    Args:
        direction: The direction d.
        to: The other direction e, of the same names; not zero.

    Raises:
        ValueError: if `to` is zero.

    Example:
        >>> orthogonal({"w": torch.tensor([3.0, 4.0])}, to={"w": torch.tensor([2.0, 0.0])})
        {'w': tensor([0., 4.])}
    """
    squared = dot(to, to)
    if not float(squared) > 0:
        raise ValueError("expected a direction `to` that is not zero; found one of length 0.")
    share = float(dot(direction, to) / squared)
    return {name: torch.add(value, to[name], alpha=-share) for name, value in direction.items()}
