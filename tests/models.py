"""Models whose landscape is known, and one that holds everything that could go wrong."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective


class Quadratic(nn.Module):
    """L(w) = ½ wᵀHw: the gradient is Hw, the Hessian H."""

    def __init__(self, hessian: Tensor, start: Tensor) -> None:
        super().__init__()
        self.register_buffer("hessian", hessian)
        self.w = nn.Parameter(start.clone())

    def forward(self) -> Tensor:
        return self.w @ self.hessian @ self.w / 2


def quadratic(eigenvalues: list[float], start: list[float]) -> Objective:
    """½ wᵀHw with H diagonal, in float64."""
    hessian = torch.diag(torch.tensor(eigenvalues, dtype=torch.float64))
    model = Quadratic(hessian, torch.tensor(start, dtype=torch.float64))
    return Objective(model, lambda m, _: m(), None)


class Everything(nn.Module):
    """BatchNorm, dropout, tied, frozen, unused and integer parameters, and a buffer that changes when it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.second = nn.Linear(8, 8)
        self.tied = nn.Linear(8, 8)
        self.tied.weight = self.second.weight
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.table = nn.Parameter(torch.arange(4), requires_grad=False)
        self.head = nn.Linear(8, 4)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("average", torch.zeros(8), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        h = self.drop(F.relu(self.norm(self.first(x))))
        self.average = 0.9 * self.average + 0.1 * h.detach().mean(0)  # replaced, not changed in place
        h = self.frozen(self.tied(torch.tanh(self.second(h)))) + self.average
        return self.head(h) * (self.table + 1) + 0.01 * self.calls * h.mean()


def everything(seed: int = 0) -> Everything:
    torch.manual_seed(seed)
    return Everything()


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(16, 6, generator=generator), torch.randint(4, (16,), generator=generator)


def cross_entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])
