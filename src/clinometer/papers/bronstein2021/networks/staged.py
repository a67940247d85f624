"""What all networks here are: a sequence of stages, then a mean over the domain, then a linear map."""

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor, nn

from clinometer.nn.norms.on_weights import OnWeights
from clinometer.nn.norms.rows import norm_factory
from clinometer.papers.bronstein2021.actions import Kind, Signal, signal_of

Layer = TypeVar("Layer", nn.Conv1d, nn.Conv2d)


class Staged(nn.Module):
    """A network whose stages can be run one by one, and whose signals have a kind.

    Source: Bronstein et al. (2021), section 3.5: equivariant layers, nonlinearities, and an invariant global pooling.

    Args:
        stages: Each takes what the one before returned; the first takes the image.
        kind: Of the signals that the stages return.
        features: Of the last stage.
        classes: Of the logits.
    """

    def __init__(self, stages: Sequence[nn.Module], kind: Kind, features: int, classes: int = 10) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.kind: Kind = kind
        self.head = nn.Linear(features, classes)

    def features(self, x: Tensor) -> Tensor:
        """The mean of the last stage's signal over the domain, (N, C): what no symmetry should change."""
        state: Signal = x
        for stage in self.stages:
            state = stage(state)
        return pooled(state)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def pooled(x: Signal) -> Tensor:
    """The mean of a signal over its domain, (N, C)."""
    return signal_of(x).flatten(2).mean(2)


def activated(layer: nn.Module, norm: str, features: int, spatial_dims: int) -> nn.Sequential:
    """A layer, its norm, and a ReLU."""
    return nn.Sequential(layer, norm_of(layer, norm, features, spatial_dims), nn.ReLU())


def norm_of(layer: nn.Module, norm: str, features: int, spatial_dims: int) -> nn.Module:
    """The norm to put after a layer of any kind with a `weight`, which a norm on weights then reparametrises.

    Raises:
        ValueError: if there is no such row of `NORMS`.
    """
    made = norm_factory(norm)(features, spatial_dims)
    if isinstance(made, OnWeights):
        made.reparametrise(layer)
    return made


def for_relu(layer: Layer) -> Layer:
    """The layer with weights as torch's `kaiming_normal_` draws them for a ReLU, and no bias at first."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def check_depth(depth: int, width: int) -> None:
    """ValueError unless a network has a stage and a unit at least."""
    if depth < 1 or width < 1:
        raise ValueError(f"expected at least one stage and one channel; found depth {depth} and width {width}.")
