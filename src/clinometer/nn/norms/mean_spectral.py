"""Mean Spectral Normalization: a weight of spectral norm 1, and the mean of what it returns taken off."""

import functools
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from clinometer.nn.norms.on_weights import OnWeights
from clinometer.nn.norms.per_unit import affine, check_batch, check_features


class MeanOnlyBatchNorm(nn.Module):
    """Subtract the batch's mean per unit, over batch and space, and divide by nothing.

        z = γ · (y − mean(y)) + β

    Evaluation uses a running mean. The mean of z is β in train mode, whatever y is. Sees neither y + d per unit nor the
    layer's bias; c · y comes out c times as far from β.

    Args:
        num_features: C.
        momentum: The share of the batch's mean in the running one.
        scale: Whether there is a γ. Salimans and Kingma have β alone, as weight normalization has a scale of its own;
            the code of Mean Spectral Normalization has both.
    Source: Salimans and Kingma (2016), arXiv:1602.07868, section 3 (mean-only batch normalization).

    Raises:
        ValueError: for an input without num_features units, or in train mode with one value per unit.

    Example:
        >>> MeanOnlyBatchNorm(1)(torch.tensor([[1.0], [5.0]])).flatten().tolist()
        [-2.0, 2.0]
    """

    running_mean: Tensor

    def __init__(self, num_features: int, *, momentum: float = 0.1, scale: bool = True) -> None:
        super().__init__()
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum must lie in (0, 1]; found {momentum}.")
        self.num_features, self.momentum = num_features, momentum
        self.weight = nn.Parameter(torch.ones(num_features)) if scale else None
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, y: Tensor) -> Tensor:
        check_features(y, self.num_features)
        mean = self._batch_mean(y) if self.training else self.running_mean
        weight = torch.ones_like(self.bias) if self.weight is None else self.weight
        # γ · y + (β − γ · mean) passes once over y. Its rounding is that of y, which whatever made y has as well.
        return affine(y, weight, self.bias - weight * mean)

    def _batch_mean(self, y: Tensor) -> Tensor:
        check_batch(y)
        count = y.numel() // self.num_features
        mean = y.sum([0, *range(2, y.ndim)], dtype=self.running_mean.dtype) / count  # faster than torch's mean
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
        return mean

    def extra_repr(self) -> str:
        return f"{self.num_features}, momentum={self.momentum}, scale={self.weight is not None}"


def mean_spectral(
    num_features: int,
    *,
    n_power_iterations: int = 1,
    projection: bool = False,
    momentum: float = 0.1,
    scale: bool = True,
) -> OnWeights:
    """Divide the layer's weight by its largest singular value, and take the batch's mean off what the layer returns.

        y = (W / σ(W)) * x + b,   z = γ · (y − mean(y)) + β

    with σ the largest singular value of W as a matrix, (outputs, the rest), by power iteration. For a convolution it
    bounds the operator's norm only up to √(kernel height · width): ‖W/σ * x‖ ≤ √(k k') ‖x‖. Sees neither c · W, c > 0,
    nor y + d per unit. Cost beside the layer: two products of W with a vector for each iteration.

    Args:
        num_features: C.
        n_power_iterations: Of power iteration, at each forward pass in train mode; the vectors are kept.
        projection: The way of the author's code: at each forward pass, also in evaluation, `weight` is overwritten by
            `renorm` · W/σ, and no gradient runs through σ; `renorm` is a parameter of one number that stays 1, as no
            gradient reaches it. That code takes 100 iterations. Without it, torch's reparametrisation, whose gradient
            runs through σ, and whose evaluation takes no iteration.
        momentum: Of the running mean.
        scale: Whether there is a γ.
    Source: Subramanian and Chong (2019), arXiv:1907.04003, of which the abstract was read, and the author's code,
        AntixK/mean-spectral-norm; Miyato et al. (2018), arXiv:1802.05957, for σ.

    Raises:
        ValueError: if there is less than one iteration.

    Example:
        >>> from clinometer.nn.norms import norm_after
        >>> layer = nn.Linear(4, 3)
        >>> norm = norm_after(layer, "mean_spectral", n_power_iterations=100)
        >>> round(torch.linalg.matrix_norm(layer.weight, 2).item(), 4)
        1.0
        >>> [tuple(parameter.shape) for parameter in norm.parameters()]  # as many as BatchNorm1d has
        [(3,), (3,)]
    """
    if n_power_iterations < 1:
        raise ValueError(f"n_power_iterations must be at least 1; found {n_power_iterations}.")
    make = (
        functools.partial(project, n_power_iterations=n_power_iterations)
        if projection
        else functools.partial(parametrizations.spectral_norm, n_power_iterations=n_power_iterations)
    )
    return OnWeights(make, MeanOnlyBatchNorm(num_features, momentum=momentum, scale=scale))


def project(layer: nn.Module, n_power_iterations: int = 100) -> nn.Module:
    """Overwrite the layer's weight by `renorm` · W/σ(W) before each of its forward passes, in evaluation as well.

    The layer gets a parameter `renorm`, which is 1 and which no gradient reaches, and a buffer `spectral_u`. A weight
    of zeros stays so.

    Args:
        layer: A linear layer or a convolution that is not transposed.
        n_power_iterations: Of power iteration, from where the last pass left it.
    Source: the author's code of Subramanian and Chong (2019), `SNlayers.py`.

    Raises:
        TypeError: for another layer.
        ValueError: if the layer is projected already, or there is less than one iteration.

    Example:
        >>> layer = project(nn.Linear(4, 3))
        >>> _ = layer(torch.zeros(1, 4))
        >>> round(torch.linalg.matrix_norm(layer.weight, 2).item(), 4)
        1.0
    """
    if n_power_iterations < 1:
        raise ValueError(f"n_power_iterations must be at least 1; found {n_power_iterations}.")
    if not isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        raise TypeError(f"expected a Linear, Conv1d, Conv2d or Conv3d; found {type(layer).__name__}.")
    if hasattr(layer, "spectral_u"):
        raise ValueError("the layer's weight is projected already; project a plain layer.")
    weight = layer.weight
    layer.register_parameter("renorm", nn.Parameter(weight.new_ones(())))
    layer.register_buffer("spectral_u", F.normalize(torch.randn_like(weight.flatten(1)[:, 0]), dim=0))
    layer.register_forward_pre_hook(functools.partial(_overwrite, n_power_iterations))
    return layer


@torch.no_grad()
def _overwrite(n_power_iterations: int, layer: nn.Module, _inputs: object) -> None:
    weight, u, renorm = (cast("Tensor", each) for each in (layer.weight, layer.spectral_u, layer.renorm))
    matrix = weight.flatten(1)
    product = u
    for _ in range(n_power_iterations):
        product = matrix @ F.normalize(matrix.mT @ F.normalize(product, dim=0), dim=0)
    sigma = torch.linalg.vector_norm(product)
    u.copy_(F.normalize(product, dim=0))
    # A new tensor, as the author's code has it: what shares the memory of the old one, such as a copy, keeps its values
    weight.data = renorm * weight / sigma.clamp_min(torch.finfo(sigma.dtype).tiny)
