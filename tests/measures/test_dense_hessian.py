"""The dense Hessian against another library's and closed forms."""

from typing import Any

import pytest
import torch
from models import batch, cross_entropy, quadratic
from torch import nn

from clinometer import Objective, top_eigenpairs
from clinometer.measures.dense_hessian import dense_hessian
from clinometer.objective.params import flattened


def test_torchs_own_hessian() -> None:
    """torch.func's Jacobian of a Jacobian, on a network without BatchNorm."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 4)).double()
    data = batch()[0].double(), batch()[1]
    objective = Objective(model, cross_entropy, data)
    at = objective.here()

    def loss(p: Any) -> torch.Tensor:
        return cross_entropy(lambda x: torch.func.functional_call(model, p, x), data)  # pyright: ignore[reportArgumentType]

    blocks = torch.func.jacrev(torch.func.jacrev(loss))(at)
    theirs = torch.cat([torch.cat([blocks[a][b].reshape(at[a].numel(), -1) for b in at], 1) for a in at])
    torch.testing.assert_close(dense_hessian(objective, at), theirs, rtol=1e-10, atol=1e-12)
    found = top_eigenpairs(objective, at, 3, tolerance=1e-8)
    torch.testing.assert_close(found.values, torch.linalg.eigvalsh(theirs).flip(0)[:3], rtol=1e-7, atol=0)
    names = ["2.weight"]
    places = torch.cat([torch.full((value.numel(),), name in names) for name, value in at.items()])
    torch.testing.assert_close(dense_hessian(objective, at, only=names), theirs[places][:, places])


def test_a_quadratic() -> None:
    """Closed form."""
    objective = quadratic([3.0, -1.0, 2.0], [1.0, 1.0, 1.0])
    expected = torch.diag(torch.tensor([3.0, -1.0, 2.0])).double()
    torch.testing.assert_close(dense_hessian(objective, objective.here()), expected)
    assert len(flattened(objective.here())) == 3


def test_a_large_network_is_refused_with_the_alternative() -> None:
    """Before any product."""
    objective = Objective(nn.Linear(100, 50), lambda m, x: m(x).sum(), torch.ones(1, 100))
    with pytest.raises(ValueError, match=r"5,050 parameters .* at most 4,096 parameters\. Use top_eigenpairs"):
        dense_hessian(objective, objective.here())
