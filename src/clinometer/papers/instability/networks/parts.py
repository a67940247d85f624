"""What the networks of the corpus share: the last layer and the first weights."""

from functools import partial

import torch
from torch import Tensor, nn

from clinometer.nn.norms.on_weights import fill_weight_


class Head(nn.Linear):
    """A linear layer to logits, which are multiplied by a constant: a badly scaled head has another than 1.

    Its weights start at a tenth of torch's, and its biases at 0, so that the first loss is about that of a guess.

    Example:
        >>> head, x = Head(4, 2, scale=8.0), torch.randn(3, 4)
        >>> bool((head(x) == 8 * nn.functional.linear(x, head.weight, head.bias)).all())
        True
    """

    def __init__(self, in_features: int, classes: int, scale: float = 1.0) -> None:
        super().__init__(in_features, classes)
        self.scale = scale
        with torch.no_grad():
            self.weight.mul_(0.1)
            self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.scale * super().forward(x)


def he_(model: nn.Module) -> nn.Module:
    """He-normal weights and zero biases for every convolution and linear layer but the head, in place.

    With torch's own, which are smaller, a plain network of a few layers hardly learns for its first hundred steps.

    Source: He et al. (2015), arXiv:1502.01852.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not isinstance(module, Head):
            fill_weight_(module, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
