"""Put a norm after a layer, whether it acts on what the layer returns or on the layer's weight."""

from collections import OrderedDict
from typing import Any, cast

from torch import nn

from clinometer.nn.norms.on_weights import OnWeights
from clinometer.nn.norms.rows import norm_factory

_SPATIAL_DIMS: dict[type[nn.Module], int] = {nn.Linear: 0, nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}


def apply_norm(layer: nn.Module, name: str, **options: Any) -> nn.Sequential:
    """A layer and its norm, as one module with the parts `layer` and `norm`.

    Args:
        layer: A linear layer or a convolution. A norm on weights reparametrises it in place.
        name: A row of `NORMS`.
        options: Of the row.

    Raises:
        TypeError: for another layer, or an option that the row does not have.
        ValueError: if there is no such row, or the row does not fit the layer.

    Example:
        >>> import torch
        >>> apply_norm(nn.Conv2d(3, 16, 3), "group", groups=8)(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 16, 6, 6])
        >>> type(apply_norm(nn.Linear(3, 2), "batch").norm).__name__
        'BatchNorm1d'
    """
    return nn.Sequential(OrderedDict(layer=layer, norm=norm_after(layer, name, **options)))


def norm_after(layer: nn.Module, name: str, **options: Any) -> nn.Module:
    """The norm to put right after a layer, which a norm on weights has then reparametrised in place.

    Args and errors are those of `apply_norm`, which puts both into one module.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> nn.Sequential(layer, norm_after(layer, "dynamic_tanh"))[1]
        DynamicTanh(2)
    """
    factory = norm_factory(name)
    dims = next((dims for kind, dims in _SPATIAL_DIMS.items() if isinstance(layer, kind)), None)
    if dims is None:
        raise TypeError(
            f"the layer before a norm must be a Linear, Conv1d, Conv2d or Conv3d; found {type(layer).__name__}. "
            "After any other, put NORMS[name](num_features, spatial_dims) yourself."
        )
    features = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    norm = factory(cast("int", features), dims, **options)
    if isinstance(norm, OnWeights):
        norm.reparametrise(layer)
    return norm
