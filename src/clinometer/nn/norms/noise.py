"""Noise instead of, or after, a normalization."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Noise(nn.Module):
    """Algorithm 1: random shift and scale of every unit, drawn anew at each step; off at evaluation.

        per unit: μ ~ U(−n_μ, n_μ), σ ~ U(1, n_σ);  per element: m ~ U(μ − r_μ, μ + r_μ), s ~ N(σ, r_σ)
        a ← s · a + m,   n_μ = 0.5, n_σ = 1.25, r_μ = r_σ = 0.1 (a standard deviation)

    Source: Santurkar et al. (2018), Algorithm 1 (§2.1 and Appendix A).

    Example:
        >>> noise = Noise()
        >>> bool((noise(torch.ones(4, 2)) == 1).all()), bool((noise.eval()(torch.ones(4, 2)) == 1).all())
        (False, True)
    """

    def __init__(self, n_mu: float = 0.5, n_sigma: float = 1.25, r_mu: float = 0.1, r_sigma: float = 0.1) -> None:
        super().__init__()
        self.n_mu, self.n_sigma, self.r_mu, self.r_sigma = n_mu, n_sigma, r_mu, r_sigma

    def forward(self, a: Tensor) -> Tensor:
        if not self.training:
            return a
        per_unit = a.new_empty((1, a.shape[1]) + (1,) * (a.ndim - 2))
        mu = per_unit.uniform_(-self.n_mu, self.n_mu)
        sigma = torch.empty_like(per_unit).uniform_(1.0, self.n_sigma)
        # in place, for what is drawn here has no gradient, and the draws alone cost more than a BatchNorm
        shift = _flat_like(a, lambda flat: flat.uniform_(-self.r_mu, self.r_mu)).add_(mu)
        factor = _flat_like(a, lambda flat: flat.normal_(0.0, self.r_sigma)).add_(sigma)
        return (factor * a).add_(shift)


def _flat_like(a: Tensor, fill: Callable[[Tensor], Tensor]) -> Tensor:
    """A tensor laid out like `a`, filled as a flat one: five times as fast where `a` is channels-last on a CPU."""
    return fill(a.new_empty(a.numel())).as_strided(a.shape, torch.empty_like(a).stride())
