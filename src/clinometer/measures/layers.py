"""Blocks of a network's parameters, one per layer or chosen by name, over which a quantity can be split."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from torch import nn

from clinometer.measures.covariate_shift import layers_of
from clinometer.objective.params import Point

Blocks = Literal["layers"] | Sequence[str] | Mapping[str, Sequence[str]]


def blocks_of(model: nn.Module, blocks: Blocks, among: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Map block names to parameter names.

    Args:
        model: The model.
        blocks: `layers` for one block per layer, as `layers_of` returns them; patterns of parameter names, such as
            `["encoder.*", "head.*"]`, each a block; or a mapping from block name to patterns.
        among: The parameters that are moved; blocks without any of them are left out.

    Raises:
        ValueError: if a pattern matches no trainable parameter, or no block is left.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> blocks_of(model, ["0.*", "*.bias"], dict(model.named_parameters()))
        {'0.*': ('0.weight', '0.bias'), '*.bias': ('0.bias', '2.bias')}
    """
    names = tuple(among)
    members_of: dict[str, tuple[str, ...]] = {}
    if isinstance(blocks, str):
        if blocks != "layers":
            raise ValueError(f"blocks must be 'layers', patterns of names or a mapping; found {blocks!r}.")
        members_of = {block: tuple(n for n in members if n in names) for block, members in layers_of(model).items()}
    else:
        chosen = blocks if isinstance(blocks, Mapping) else {pattern: (pattern,) for pattern in blocks}
        for block, patterns in chosen.items():
            for pattern in patterns:
                _check_pattern(pattern, model)
            members_of[block] = tuple(n for n in names if any(fnmatchcase(n, pattern) for pattern in patterns))
    members_of = {block: members for block, members in members_of.items() if members}
    if not members_of:
        raise ValueError(f"no block has a parameter that is trained; there are {', '.join(names[:8])}, ...")
    return members_of


def within(point: Point, names: Iterable[str]) -> Point:
    """The entries of a point, or of a direction, for these parameters."""
    return {name: point[name] for name in names}


def _check_pattern(pattern: str, model: nn.Module) -> None:
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    if not any(fnmatchcase(name, pattern) for name in names):
        raise ValueError(
            f"no trainable parameter is called {pattern!r}; there are {', '.join(names[:8])}"
            f"{', ...' if len(names) > 8 else ''}. Patterns are as for files: 'encoder.*', '*.bias'."
        )
