"""A multilayer perceptron on the 64 pixels of a digit."""

from collections import OrderedDict

from torch import nn

from clinometer.nn.norms import norm_after
from clinometer.papers.instability.networks.parts import Head, he_


def mlp(
    norm: str = "none", width: int = 64, depth: int = 3, activation: str = "relu", head_scale: float = 1.0
) -> nn.Module:
    """Hidden layers `layer1`, `layer2`, ... of linear, norm and activation, then `head`.

    Args:
        norm: A row of `NORMS`.
        width: Units of each hidden layer.
        depth: How many hidden layers.
        activation: `relu` or `tanh`.
        head_scale: Factor on the logits.

    Example:
        >>> import torch
        >>> mlp()(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    wide = [64] + [width] * depth
    hidden = ((f"layer{n}", _layer(wide[n - 1], width, norm, activation)) for n in range(1, depth + 1))
    return he_(nn.Sequential(OrderedDict([("flat", nn.Flatten()), *hidden, ("head", Head(width, 10, head_scale))])))


def _layer(inputs: int, width: int, norm: str, activation: str) -> nn.Sequential:
    chosen = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    linear = nn.Linear(inputs, width)
    return nn.Sequential(OrderedDict(linear=linear, norm=norm_after(linear, norm), act=chosen()))
