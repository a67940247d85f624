"""Small classifiers of 8×8 digits by width, depth and norm: a step of each takes milliseconds on one core.

Each takes images of shape (n, 1, 8, 8) and returns logits of shape (n, 10).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.nn.norms import apply_norm
from clinometer.nn.resnet import resnet as resnet  # a config names it here

_CLASSES = 10


def mlp(width: int = 64, depth: int = 2, norm: str = "none") -> nn.Module:
    """`depth` hidden layers of `width` units, with ReLU after the norm."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in [64] + [width] * (depth - 1):
        layers += [*apply_norm(nn.Linear(inputs, width), norm), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, _CLASSES))


def cnn(width: int = 16, depth: int = 2, norm: str = "none") -> nn.Module:
    """`depth` convolutions of `width` channels, the first followed by a pooling of 2×2, then the mean over places."""
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [*apply_norm(nn.Conv2d(width if index else 1, width, 3, padding=1), norm), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if index == 0 else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, _CLASSES))


class GPT(nn.Module):
    """A decoder over the 8 rows of a digit; the last row's state tells the class.

    Args:
        width: Of the states; 2 heads share it.
        depth: Blocks of causal attention and an MLP, each behind a layer norm.
    """

    def __init__(self, width: int = 32, depth: int = 2) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Linear(8, width), nn.Embedding(8, width)
        self.blocks = nn.Sequential(*(GPTBlock(width) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, _CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        states = self.embedding(images.squeeze(1)) + self.positions.weight
        return self.head(self.norm(self.blocks(states))[:, -1])


class GPTBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.before_attention(x))
        return x + self.mlp(self.before_mlp(x))

    def attention(self, x: Tensor) -> Tensor:
        """Causal attention of two heads."""
        n, length, width = x.shape
        parts = self.qkv(x).view(n, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(n, length, width))


class Recurrent(nn.Module):
    """`depth` recurrent layers with tanh that read a digit row by row; the last state tells the class."""

    def __init__(self, width: int = 32, depth: int = 1) -> None:
        super().__init__()
        self.layers = nn.RNN(8, width, depth, batch_first=True)
        self.head = nn.Linear(width, _CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        states, _ = self.layers(images.squeeze(1))
        return self.head(states[:, -1])
