"""Normalizations of a layer's weight rather than of what it returns."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class OnWeights(nn.Module):
    """A norm that reparametrises the layer before it, and stands after that layer as other norms do.

    Args:
        reparametrise: What to do to the layer, once, before training.
        after: A module for what the layer returns; nothing by default.

    Example:
        >>> from clinometer.nn.norms import norm_after
        >>> layer = nn.Linear(3, 2)
        >>> norm = norm_after(layer, "weight")
        >>> parametrize.is_parametrized(layer, "weight"), isinstance(norm, OnWeights)
        (True, True)
    """

    def __init__(self, reparametrise: Callable[[nn.Module], object], after: nn.Module | None = None) -> None:
        super().__init__()
        self._reparametrise = reparametrise
        self._reparametrised = False
        self.after = nn.Identity() if after is None else after

    def reparametrise(self, layer: nn.Module) -> None:
        """Change the layer, in place."""
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError("the layer's weight is reparametrised already; give a norm on weights a plain layer.")
        self._reparametrise(layer)
        self._reparametrised = True

    def forward(self, y: Tensor) -> Tensor:
        if not self._reparametrised:
            raise RuntimeError(
                "a norm on weights reparametrises the layer before it: make it by apply_norm(layer, name) or "
                "norm_after(layer, name), not by NORMS[name] alone."
            )
        return self.after(y)


def fill_weight_(layer: nn.Module, fill: Callable[[Tensor], object]) -> None:
    """Fill a layer's weight in place by an initialisation, through its reparametrisation if it has one.

    An initialisation of `layer.weight` itself would then fill a tensor that was computed, and change nothing.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
        >>> fill_weight_(layer, nn.init.ones_)
        >>> layer.weight.detach().round()
        tensor([[1., 1.],
                [1., 1.]])
    """
    weight = cast("Tensor", layer.weight)
    if not parametrize.is_parametrized(layer, "weight"):
        fill(weight)
        return
    filled = torch.empty_like(weight)
    fill(filled)
    layer.weight = filled
    for _ in range(15):  # reading it in train mode is one power iteration of a spectral norm, which torch starts by 15
        _ = layer.weight
