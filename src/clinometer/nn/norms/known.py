"""What a model's norms normalize: their features, where these stand, and how many dimensions are space."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from clinometer.nn.norms.batch_renorm import BatchRenorm
from clinometer.nn.norms.dynamic_tanh import DynamicTanh
from clinometer.nn.norms.filter_response import FilterResponseNorm
from clinometer.nn.norms.ghost_batch import GhostBatchNorm
from clinometer.nn.norms.graph import GraphNorm, PairNorm
from clinometer.nn.norms.lp import LpNorm, SampleLpNorm
from clinometer.nn.norms.on_weights import OnWeights
from clinometer.nn.norms.per_position import PerPosition
from clinometer.nn.norms.rms import RMSNorm


@dataclass(frozen=True)
class Known:
    """What is known of a norm."""

    norm: nn.Module
    features: int
    spatial_dims: int | None  # None where it does not say
    per_position: bool = False  # features come last, and each position is a sample


def known(module: nn.Module) -> Known | str | None:
    """What a module normalizes; a text that says why that is not known; None if it is no norm.

    A module counts by its own class: a subclass may take its input in another layout, and is a norm that is not known,
    as are those of other classes with "norm" in their name and no module inside.

    Example:
        >>> known(nn.LayerNorm(8)).per_position, known(nn.BatchNorm2d(8)).spatial_dims, known(nn.ReLU())
        (True, 2, None)
        >>> known(nn.LayerNorm((8, 4)))
        'it normalizes 2 dimensions at once, and does not say which holds the features'
    """
    if type(module) in _READERS:
        return _READERS[type(module)](module)
    if isinstance(module, OnWeights):
        return "it changes the weight of the layer before it"
    is_named_so = "norm" in type(module).__name__.lower() and not any(True for _ in module.children())
    return "what it normalizes is not known" if isinstance(module, tuple(_READERS)) or is_named_so else None


def _of_features(spatial_dims: int | None) -> Callable[[nn.Module], Known | str]:
    return lambda module: Known(module, int(module.num_features), spatial_dims)  # pyright: ignore[reportArgumentType]


def _of_group(module: nn.Module) -> Known | str:
    assert isinstance(module, nn.GroupNorm)
    return Known(module, module.num_channels, None)


def _of_last(module: nn.Module) -> Known | str:
    """LayerNorm and torch's RMSNorm, which normalize the last dimensions."""
    assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
    shape = list(module.normalized_shape)
    if len(shape) > 1:
        return f"it normalizes {len(shape)} dimensions at once, and does not say which holds the features"
    return Known(module, shape[0], 0, per_position=True)


def _of_ours(module: nn.Module) -> Known | str:
    return Known(module, len(module.weight), None)  # pyright: ignore[reportArgumentType]


def _of_per_position(module: nn.Module) -> Known | str:
    assert isinstance(module, PerPosition)
    inner = known(module.norm)
    return Known(module.norm, inner.features, 0, per_position=True) if isinstance(inner, Known) else str(inner)


_READERS: Mapping[type[nn.Module], Callable[[nn.Module], Known | str]] = {
    nn.BatchNorm1d: _of_features(0),  # it takes one of space too, and does not say
    nn.BatchNorm2d: _of_features(2),
    nn.BatchNorm3d: _of_features(3),
    nn.SyncBatchNorm: _of_features(None),
    nn.InstanceNorm1d: _of_features(1),
    nn.InstanceNorm2d: _of_features(2),
    nn.InstanceNorm3d: _of_features(3),
    nn.GroupNorm: _of_group,
    nn.LayerNorm: _of_last,
    nn.RMSNorm: _of_last,
    PerPosition: _of_per_position,
    PairNorm: _of_features(None),
    **dict.fromkeys(
        (LpNorm, SampleLpNorm, RMSNorm, FilterResponseNorm, GhostBatchNorm, BatchRenorm, DynamicTanh, GraphNorm),
        _of_ours,
    ),
}
