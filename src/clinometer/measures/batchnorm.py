"""How BatchNorm changes the gradient that passes through it: Theorem 4.1 of Santurkar et al. (2018), term by term.

The gradient at BatchNorm's input is the gradient at its output, less its mean and less its component along the
normalized input, then scaled. `Objective.signals` supplies the inputs and gradients of a network's BatchNorm layers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clinometer.measures.activations import units
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class GradientTerms:
    """The terms of ‖∇_y L‖² = scale · (gradient − mean − correlation), each of shape (units,)."""

    scale: Tensor  # γ² / σ²
    gradient: Tensor  # ‖g‖², g = ∂L/∂z at the output
    mean: Tensor  # ⟨1, g⟩² / m
    correlation: Tensor  # (2 − r) ⟨g, ŷ⟩² / m

    @property
    def passed(self) -> Tensor:
        """‖∇_y L‖², the squared gradient at the input, by the theorem."""
        return self.scale * (self.gradient - self.mean - self.correlation)


def gradient_terms(y: Tensor, g: Tensor, gamma: Tensor | None = None, eps: float = 1e-5) -> GradientTerms:
    """Theorem 4.1's terms for z = γ ŷ + β, ŷ = (y − mean(y)) / σ, σ² = var(y) + ε with the biased variance.

        ‖∇_y L‖² = (γ²/σ²) (‖g‖² − ⟨1, g⟩²/m − (2 − r) ⟨g, ŷ⟩²/m),   r = var(y) / (var(y) + ε)

    per unit, with m samples over batch and space. It is an equality; the paper prints the case ε = 0, where r = 1. Sums
    run in float64.

    Args:
        y: BatchNorm's input, shape (N, C, ...).
        g: The gradient of the loss at its output, same shape.
        gamma: Its weight, shape (C,); ones by default.
        eps: Its ε.

    Returns:
        `GradientTerms`, in squared units of the loss per activation, except `scale`.

    Raises:
        ValueError: if `y` and `g` differ in shape.
    Source: Santurkar et al. (2018), Theorem 4.1.

    Example:
        >>> y, g = torch.tensor([[-1.0], [1.0]]), torch.tensor([[1.0], [3.0]])   # g = 2 + ŷ
        >>> terms = gradient_terms(y, g, eps=0.0)
        >>> [float(x) for x in (terms.gradient, terms.mean, terms.correlation, terms.passed)]
        [10.0, 8.0, 2.0, 0.0]
    """
    if y.shape != g.shape:
        raise ValueError(f"`g` must have the shape of `y`, {tuple(y.shape)}; found {tuple(g.shape)}.")
    samples, gradients = units(y).double(), units(g).double()
    m = samples.shape[1]
    variance = samples.var(1, correction=0)
    square = variance + eps
    normalized = (samples - samples.mean(1, keepdim=True)) / square.sqrt()[:, None]
    weight = torch.ones_like(square) if gamma is None else gamma.detach().double()
    return GradientTerms(
        scale=weight.square() / square,
        gradient=gradients.square().sum(1),
        mean=gradients.sum(1).square() / m,
        correlation=(2 - variance / square) * (gradients * normalized).sum(1).square() / m,
    )


def batchnorms_of(model: nn.Module) -> tuple[str, ...]:
    """The names of the BatchNorm layers that currently normalize by the statistics of the batch.

    Example:
        >>> batchnorms_of(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.BatchNorm1d(2).eval()))
        ('1',)
    """
    return tuple(
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]  (no public base)
        and (module.training or module.running_mean is None)
    )
