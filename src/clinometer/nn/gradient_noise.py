"""The noise of workers' gradients about their mean, and isotropic noise of the same length to compare it with."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from clinometer.nn.workers import Gradients


def noise_about_mean(gradients: Sequence[Gradients], mean: Gradients) -> list[Gradients]:
    """n_i = g_i − ḡ for each worker, so that Σ n_i = 0; a parameter that a worker's loss does not reach has g_i = 0.

    Example:
        >>> w = torch.zeros(1)
        >>> [noise[w].item() for noise in noise_about_mean([{w: torch.ones(1)}, {}], {w: torch.tensor([0.5])})]
        [0.5, -0.5]
    """
    return [{p: each[p] - m if p in each else -m for p, m in mean.items()} for each in gradients]


def isotropic_noise(like: Gradients, groups: Iterable[Iterable[Tensor]], seed: int) -> Gradients:
    """Gaussian noise that has, in each group of parameters, the length of other noise.

    Args:
        like: The other noise.
        groups: Of parameters.
        seed: Of the draw, which is made on the CPU: alike on every device.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    found: Gradients = {}
    for group in groups:
        ours = [p for p in group if p in like]
        drawn = [torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p.device) for p in ours]
        if ours:
            ratio = _length([like[p] for p in ours]) / _length(drawn)
            found |= {p: draw * ratio.to(p.device) for p, draw in zip(ours, drawn, strict=True)}
    return found


def _length(tensors: Sequence[Tensor]) -> Tensor:
    lengths = [torch.linalg.vector_norm(tensor).to(tensors[0].device) for tensor in tensors]
    return torch.linalg.vector_norm(torch.stack(lengths))
