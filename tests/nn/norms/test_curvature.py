"""What the instrument measures of a network with each row: its Hessian products."""

import pytest
import torch
from torch import nn

from clinometer import NORMS, Objective
from clinometer.nn.norms import apply_norm

FROZEN = ("spectral", "mean_spectral")  # torch takes the singular vectors for constants: see docs/norms.md


@pytest.mark.parametrize("name", [name for name in NORMS if name not in FROZEN])
def test_hessian_products_are_differences_of_gradients(name: str) -> None:
    """Central differences of the gradient, in float64 and train mode: off by about 1e-10 · ‖H‴‖ + 1e-16/1e-5.

    Rows with a small scale of their own, as the literal p-norms, have the largest third derivatives.
    """
    torch.manual_seed(1)
    model = nn.Sequential(apply_norm(nn.Conv2d(3, 8, 3), name), nn.Tanh(), nn.Flatten(), nn.Linear(72, 2)).double()
    batch = torch.randn(8, 3, 5, 5, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    for _ in range(3):
        model(batch[0])
    objective = Objective(model, lambda model, batch: (model(batch[0]) - batch[1]).square().mean(), batch)
    here = objective.here()
    direction = {key: torch.randn_like(value) for key, value in here.items()}

    def gradient(size: float) -> torch.Tensor:
        at = {key: value + size * direction[key] for key, value in here.items()}
        return torch.cat([each.flatten() for each in objective.loss_and_grad(at)[1].values()])

    product = torch.cat([each.flatten() for each in objective.hvp(here, direction).values()])
    difference = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    assert float((difference - product).norm() / product.norm()) < 1e-4
