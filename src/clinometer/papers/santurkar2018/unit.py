"""The setting of the theorems: one unit of a linear layer with BatchNorm, and the loss that follows it.

    y = Xw,  ŷ = (y − μ)/s,  z = γŷ + β,  L̂(y) = L(z),  g = ∂L/∂z

with s² = V + ε and V = ‖y − μ‖²/n. The paper has ε = 0 and the biased variance, n = m; here ε ≥ 0, and n = m − 1 with
the unbiased variance. Differentiating s gives ∂s/∂y = ŷ/n, hence ∂ŷ/∂y = P/s with

    P = I − 11ᵀ/m − ŷŷᵀ/n.

Since ‖ŷ‖² = nr with r = V/s², Pŷ = (1 − r)ŷ and P² = I − 11ᵀ/m − (2 − r)ŷŷᵀ/n. At ε = 0, and only there, r = 1 and P
is a projection, with either variance. That is all that ε and the variance change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

LARGEST = 12  # samples of a random case


@dataclass(frozen=True)
class Unit:
    """A unit, its batch, and the loss of its activations z."""

    x: Tensor  # (m, d) the layer's input
    w: Tensor  # (d,) the unit's weights
    gamma: float
    beta: float
    loss: Callable[[Tensor], Tensor]  # (m,) -> ()
    eps: float = 0.0
    unbiased: bool = False

    @cached_property
    def y(self) -> Tensor:
        """The layer's output, (m,)."""
        return self.x @ self.w

    @property
    def n(self) -> int:
        """What the variance divides by."""
        return len(self.x) - self.unbiased

    @cached_property
    def s(self) -> Tensor:
        """√(V + ε)."""
        return ((self.y - self.y.mean()).square().sum() / self.n + self.eps).sqrt()

    @cached_property
    def normalized(self) -> Tensor:
        """ŷ, (m,)."""
        return (self.y - self.y.mean()) / self.s

    @cached_property
    def r(self) -> Tensor:
        """V/(V + ε)."""
        return self.normalized.square().sum() / self.n

    @cached_property
    def z(self) -> Tensor:
        """The activations, (m,)."""
        return self.batch_norm(self.y)

    @cached_property
    def g(self) -> Tensor:
        """∂L/∂z, (m,)."""
        return gradient(self.loss, self.z)

    @cached_property
    def h(self) -> Tensor:
        """∂²L/∂z², (m, m)."""
        return hessian(self.loss, self.z)

    @cached_property
    def v(self) -> Tensor:
        """∂L̂/∂y, (m,), by differentiating through BatchNorm."""
        return gradient(self.loss_at, self.y)

    def batch_norm(self, y: Tensor) -> Tensor:
        """γŷ + β. PyTorch's own where it has one: it refuses ε = 0, and normalizes by the biased variance."""
        if self.eps and not self.unbiased:
            gamma, beta = (torch.tensor([value], dtype=y.dtype) for value in (self.gamma, self.beta))
            return F.batch_norm(y[:, None], None, None, gamma, beta, training=True, eps=self.eps)[:, 0]
        return self.gamma * (y - y.mean()) / (y.var(correction=self.unbiased) + self.eps).sqrt() + self.beta

    def loss_at(self, y: Tensor) -> Tensor:
        """L̂(y)."""
        return self.loss(self.batch_norm(y))

    def loss_of(self, w: Tensor) -> Tensor:
        """L̂ as a function of the weights."""
        return self.loss_at(self.x @ w)

    def size(self) -> Tensor:
        """(γ²/s²)‖g‖², at least ‖∂L̂/∂y‖²: what an error of it is measured by."""
        return (self.gamma / self.s) ** 2 * self.g.square().sum()

    def hessian_size(self) -> Tensor:
        """The size of the terms of vᵀ(∂²L̂/∂y²)v, before they cancel."""
        bent = abs(self.gamma) * self.g.norm() / (self.n**0.5 * self.s**2)
        return self.size() * ((self.gamma / self.s) ** 2 * torch.linalg.matrix_norm(self.h, 2) + bent)


def gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """∂f/∂x at a point, by reverse mode."""
    x = at.detach().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


def curvature(function: Callable[[Tensor], Tensor], at: Tensor, along: Tensor) -> Tensor:
    """dᵀ(∂²f/∂x²)d at a point, by reverse mode twice: forward mode is wrong through BatchNorm."""
    x = at.detach().requires_grad_()
    (first,) = torch.autograd.grad(function(x), x, create_graph=True)
    return torch.autograd.grad(first @ along, x)[0] @ along


def hessian(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """∂²f/∂x² at a point, (m, m), by reverse mode twice."""
    x = at.detach().requires_grad_()
    (first,) = torch.autograd.grad(function(x), x, create_graph=True)
    rows = torch.eye(len(first), dtype=x.dtype)
    return torch.autograd.grad(first, x, rows, is_grads_batched=True)[0]


def random_unit(
    generator: Generator,
    *,
    m: int | None = None,
    d: int | None = None,
    gamma: float | None = None,
    eps: float | None = None,
    unbiased: bool | None = None,
) -> Unit:
    """A unit in float64 with a smooth loss that is neither convex nor separable; arguments that are None are random.

    m lies between 3 and 12 (with two samples P = 0), d between 2 and 6, |γ| between 0.1 and 10 with either sign. ε is 0
    in half of the cases and between 1e-5 and 1 in the others; the variance is the biased or the unbiased one.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def integer(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def log_uniform(low: float, high: float) -> float:
        return low * (high / low) ** float(torch.rand((), generator=generator))

    m = m or integer(3, LARGEST)
    d = d or integer(2, 6)
    gamma = gamma or (2 * integer(0, 1) - 1) * log_uniform(0.1, 10)
    eps = integer(0, 1) * log_uniform(1e-5, 1) if eps is None else eps
    unbiased = bool(integer(0, 1)) if unbiased is None else unbiased
    mix, bend, shift = normal(m, m), normal(m, m) / m**0.5, normal(m)

    def loss(z: Tensor) -> Tensor:
        return F.softplus(mix @ z).sum() + z @ bend @ z + shift @ z

    scale = log_uniform(0.1, 10)
    return Unit(normal(m, d) + normal(1), scale * normal(d), gamma, float(normal(1)), loss, eps, unbiased)
