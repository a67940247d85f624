"""What one layer can carry of Fixup, which trains without norms: small first weights, a scalar factor and bias."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class ScalarAffine(nn.Module):
    """y ← m · y + b with one m, 1 at the start, and one b, 0 at the start, for all units.

    Example:
        >>> ScalarAffine()(torch.tensor([[1.0, 2.0]]))
        tensor([[1., 2.]], grad_fn=<AddBackward0>)
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, y: Tensor) -> Tensor:
        return y * self.weight + self.bias


class _FirstScale(nn.Module):
    """The weight itself; whatever is put in its place is multiplied by a constant once, at that time."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, weight: Tensor) -> Tensor:
        return weight.view_as(weight)  # a tensor of its own, as torch asks of a parametrization

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight * self.scale


def fixup_start(layer: nn.Module, *, branches: int = 1, depth: int = 2, last: bool = False) -> None:
    """Multiply a layer's first weights by L^(−1/(2m − 2)), or by 0 if the layer ends its residual branch.

    So are those of any later initialisation, `layer.weight = W`; a loaded state is kept as it is. The weights are then
    trained as they are: unlike the norms on weights, this one changes where training starts and not what is trained.

    A layer carries this factor, and after it y ← m · y + b by `ScalarAffine`. Fixup asks more of a network, which a
    layer cannot know: one m in each branch rather than after each layer, a b also before each layer, zero weights in
    the classifier, and a standard initialisation of the rest.

    Args:
        layer: A linear layer or a convolution, changed in place.
        branches: L, how many residual branches the network has. 1, as in a network without, leaves the weights.
        depth: m, how many layers are in a branch; at least 2.
        last: Whether this layer is the last in its branch.
    Source: Zhang, Dauphin and Ma (2019), arXiv:1901.09321.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> fixup_start(layer, branches=16)
        >>> layer.weight = torch.ones(1, 1)
        >>> layer.weight
        tensor([[0.2500]], grad_fn=<ViewBackward0>)
    """
    if branches < 1 or depth < 2:
        raise ValueError(f"Fixup needs at least 1 branch of at least 2 layers; found {branches} and {depth}.")
    scale = 0.0 if last else branches ** (-1 / (2 * depth - 2))
    parametrize.register_parametrization(layer, "weight", _FirstScale(scale))
