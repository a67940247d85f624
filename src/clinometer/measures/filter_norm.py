"""Filter normalisation: directions whose parts are as long as the weights that they move.

A network can have its weights scaled in ways that do not change its function, and steps of one length then mean
different things in different scales. Steps in multiples of the weights' own norms mean the same.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from clinometer.objective.params import Point, check_direction

Norms = Literal["filter", "layer"]


def normalised(direction: Point, at: Point, by: Norms = "filter", *, move_1d: bool = False) -> dict[str, Tensor]:
    """A direction with each filter, or each layer's tensor, as long as the weights there.

        d_f ← d_f ‖w_f‖ / ‖d_f‖

    with f one index of the first dimension, which is an output of linear layers and convolutions, a token of an
    embedding, and an input of transposed convolutions; or, by `layer`, the whole tensor. Where w_f or d_f is zero, so
    is the result. A parameter of fewer than two dimensions, such as a bias or BatchNorm's γ and β, is set to zero, as
    in the code of Li et al.; with `move_1d` it is normalised as a whole. The paper itself does not say which.

    Cost: no pass; two passes over the parameters. Norms are taken in float32 or wider.

    Args:
        direction: The direction d; names that it lacks are not in the result.
        at: The weights w.
        by: What is normalised: each filter, or each tensor as a whole.
        move_1d: Whether parameters of fewer than two dimensions move.

    Returns:
        The direction, with names, shapes and types of `direction`.

    Raises:
        ValueError: if `direction` does not fit `at`, or `by` is neither.
    Source: Li, Xu, Taylor, Studer, Goldstein (2018), arXiv:1712.09913, section 4.

    Example:
        >>> w = {"weight": torch.tensor([[3.0, 4.0], [0.0, 1.0]]), "bias": torch.ones(2)}
        >>> d = {"weight": torch.tensor([[0.0, 1.0], [2.0, 0.0]]), "bias": torch.ones(2)}
        >>> normalised(d, w)
        {'weight': tensor([[0., 5.],
                [1., 0.]]), 'bias': tensor([0., 0.])}
    """
    if by not in get_args(Norms):
        raise ValueError(f"`by` must be one of {', '.join(get_args(Norms))}; found {by!r}.")
    check_direction(at, direction)
    return {name: _normalised(value, at[name], by, move_1d) for name, value in direction.items()}


def filter_norms(at: Point, by: Norms = "filter", *, move_1d: bool = False) -> dict[str, Tensor]:
    """The lengths ‖w_f‖ that `normalised` gives to a direction, in shapes that multiply the weights.

    Parameters that do not move are left out. In float32 or wider.

    Args:
        at: The weights w.
        by: As for `normalised`.
        move_1d: As for `normalised`.

    Example:
        >>> filter_norms({"weight": torch.tensor([[3.0, 4.0], [0.0, 1.0]]), "bias": torch.ones(2)})
        {'weight': tensor([[5.],
                [1.]])}
    """
    return {name: _norm(value, _dims(value, by)) for name, value in at.items() if value.ndim >= 2 or move_1d}


def _normalised(d: Tensor, w: Tensor, by: Norms, move_1d: bool) -> Tensor:
    """`d` times ‖w‖ / ‖d‖ of each filter, or of all."""
    if d.ndim < 2 and not move_1d:
        return torch.zeros_like(d)
    lengths, wanted = (_norm(x, _dims(x, by)) for x in (d, w))
    return (d * torch.where(lengths > 0, wanted / lengths, 0.0)).to(d.dtype)


def _dims(x: Tensor, by: Norms) -> tuple[int, ...]:
    """The dimensions that a norm is taken over: of a vector all, as it has no filters."""
    return tuple(range(1 if by == "filter" and x.ndim >= 2 else 0, x.ndim))


def _norm(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    wide = torch.promote_types(x.dtype, torch.float32)
    return torch.linalg.vector_norm(x, dim=dims, keepdim=True, dtype=wide)
