"""A small causal transformer that reads a digit's pixels as tokens and predicts each next one."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.papers.instability.networks.parts import Head

TOKENS = 31  # of a digit, but for its last; see `data.pixels`
BRIGHTNESSES = 17  # values of a token


class Attention(nn.Module):
    """softmax(s · q kᵀ / √d) v in several heads, over a token and all earlier ones.

    q, k, v and the output have a linear layer each.

    Args:
        width: Of a token's vector.
        heads: How many; d = width / heads.
        logit_scale: s.
    """

    def __init__(self, width: int, heads: int, logit_scale: float) -> None:
        super().__init__()
        self.heads, self.logit_scale = heads, logit_scale
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        scale = self.logit_scale / math.sqrt(q.shape[-1])
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (n, heads, tokens, d)


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): LayerNorm comes first.

    Source: Xiong et al. (2020), Figure 1(b).
    """

    def __init__(self, width: int, heads: int, logit_scale: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, logit_scale)
        self.norm2 = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(F.relu(self.widen(self.norm2(x))))


class GPT(nn.Module):
    """Tokens (n, t) to the logits of each next token (n, values, t)."""

    def __init__(self, width: int, depth: int, heads: int, logit_scale: float, head_scale: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads; found width {width} and {heads} heads.")
        self.embedding = nn.Embedding(BRIGHTNESSES, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, TOKENS, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, logit_scale) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = Head(width, BRIGHTNESSES, head_scale)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.position[:, : tokens.shape[1]]
        return self.head(self.norm(self.blocks(x))).transpose(1, 2)


def gpt(
    width: int = 32, depth: int = 2, heads: int = 2, logit_scale: float = 1.0, head_scale: float = 1.0
) -> nn.Module:
    """A causal transformer: the value of each next token of a digit from those of all earlier ones.

    Args:
        width: Of a token's vector.
        depth: How many blocks of attention and a multilayer perceptron.
        heads: Of attention.
        logit_scale: Factor on what the softmax of attention takes.
        head_scale: Factor on the logits.

    Example:
        >>> gpt()(torch.zeros(2, 31, dtype=torch.long)).shape
        torch.Size([2, 17, 31])
    """
    return GPT(width, depth, heads, logit_scale, head_scale)
