"""Matrices with planted eigenvalues, as objectives: a quadratic whose products are plain multiplications."""

import contextlib
from typing import Any

import torch
from models import batch, cross_entropy
from torch import Tensor, nn

from clinometer import Objective
from clinometer.objective.distributed import Ranks
from clinometer.objective.params import flattened, step, unflattened


class Planted:
    """Takes an objective's place where thousands of products are needed: L(w) = ½ wᵀHw without autograd."""

    ranks = Ranks()
    isolated = contextlib.nullcontext

    def __init__(self, hessian: Tensor) -> None:
        self.hessian = hessian
        self.asked = 0

    def here(self) -> dict[str, Tensor]:
        return {"w": torch.zeros(len(self.hessian), dtype=self.hessian.dtype)}

    def hvp(self, _at: Any, v: Any) -> dict[str, Tensor]:
        self.asked += 1
        return {"w": self.hessian @ v["w"]}

    notes = ()

    def __call__(self, v: Any) -> dict[str, Tensor]:
        return self.hvp(None, v)

    @contextlib.contextmanager
    def linearized(self, _at: Any) -> Any:
        yield self


def planted(eigenvalues: Tensor, seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """An objective whose Hessian has these eigenvalues, in random directions."""
    generator = torch.Generator().manual_seed(seed)
    n = len(eigenvalues)
    rotation = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
    hessian = (rotation * eigenvalues.double()) @ rotation.T
    return Planted(((hessian + hessian.T) / 2).to(dtype))


def spectra(n: int) -> dict[str, Tensor]:
    """Kinds of spectra: all alike, decaying, and a network's few outliers over a bulk around zero."""
    bulk = 0.1 * torch.randn(n - 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return {
        "flat": torch.linspace(1.0, 2.0, n, dtype=torch.float64),
        "decaying": 0.8 ** torch.arange(n, dtype=torch.float64),
        "outliers": torch.cat([torch.linspace(20.0, 100.0, 5, dtype=torch.float64), bulk]),
    }


class Small(nn.Module):
    """BatchNorm in train mode and dropout over smooth layers, in float64: 128 parameters, each in use."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.second = nn.Linear(8, 4)
        self.head = nn.Linear(4, 4)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.second(self.drop(torch.tanh(self.norm(self.first(x)))))))


def small(*, train: bool = True) -> Objective:
    """The cross-entropy of `Small` on 16 examples."""
    torch.manual_seed(0)
    x, y = batch()
    return Objective(Small().train(train), cross_entropy, (x.double(), y))


def dense_hessian(objective: Objective) -> Tensor:
    """The whole Hessian (n, n) by central differences of the gradient: it needs no second derivative."""
    here = objective.here()
    columns = []
    for unit in torch.eye(len(flattened(here)), dtype=torch.float64):
        along = unflattened(unit, here)
        ahead, behind = (flattened(objective.loss_and_grad(step(here, along, size))[1]) for size in (1e-5, -1e-5))
        columns.append((ahead - behind) / 2e-5)
    matrix = torch.stack(columns)
    return (matrix + matrix.T) / 2
