"""The latent variables: a Gaussian for each image and drawing step, and its divergence from the standard one."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Latents:
    """The Gaussians of one drawing step, and what was drawn of them."""

    mean: Tensor  # (n, size)
    log_sigma: Tensor  # (n, size)
    drawn: Tensor  # (n, size)


class Latent(nn.Module):
    """z = μ + σ e, with μ and log σ linear in the encoder's output.

    The noise e is the caller's: one draw serves all drawing steps of a pass.
    """

    def __init__(self, hidden: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.mean, self.log_sigma = small_linear(hidden, size), small_linear(hidden, size)

    def forward(self, hidden: Tensor, noise: Tensor) -> Latents:
        mean, log_sigma = self.mean(hidden), self.log_sigma(hidden)
        return Latents(mean, log_sigma, mean + log_sigma.exp() * noise)


def divergence(mean: Tensor, log_sigma: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − 1 − 2 log σ), summed over the last axis.

    Example:
        >>> import torch
        >>> divergence(torch.tensor([1.0, 0.0]), torch.zeros(2))
        tensor(0.5000)
    """
    return (mean.square() + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1) / 2


def small_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear map that starts near 0: weights of standard deviation 0.02, biases of 0, as in the author's code."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer
