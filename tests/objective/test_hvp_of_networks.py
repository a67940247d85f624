"""Products with the Hessians of networks as people train them, each against differences of gradients in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from clinometer import Objective
from clinometer.objective.params import norm, scale, step, sub

Made = tuple[nn.Module, Callable[[Any, Any], Tensor], Any]


def fourth(model: nn.Module, x: Tensor) -> Tensor:
    """A loss with curvature everywhere."""
    return model(x).pow(4).mean()


def inputs(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def classified(model: nn.Module) -> Made:
    x, y = batch()
    return model.double(), cross_entropy, (x.double(), y)


def dropped() -> nn.Module:
    """BatchNorm in train mode, and dropout that draws the same at each evaluation."""
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 4))


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.rest = nn.Linear(6, 8), nn.Sequential(dropped()[1:], nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.rest, self.first(x), use_reentrant=False)


class Tied(nn.Module):
    """One weight embeds and reads out, as in language models."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 5, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.embed(x).mean(1).tanh())


def convolutional() -> Made:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.AvgPool2d(2), nn.GroupNorm(2, 4), nn.Flatten(),
        nn.Linear(36, 3),
    )  # fmt: skip
    return model.double(), fourth, inputs(5, 1, 8, 8)


def recurrent() -> Made:
    return nn.LSTM(4, 3, batch_first=True).double(), lambda m, x: m(x)[0].pow(2).mean(), inputs(2, 5, 4)


def sparse() -> Made:
    model = nn.Sequential(nn.Embedding(5, 3, sparse=True), nn.Tanh(), nn.Flatten(), nn.Linear(9, 2))
    return model.double(), fourth, torch.tensor([[0, 1, 1], [4, 0, 0]])


def complex_parameters() -> Made:
    model = nn.ParameterDict({"w": nn.Parameter(torch.randn(3, 2, dtype=torch.complex128))})
    return model, lambda m, x: (x.to(torch.complex128) @ m["w"]).abs().pow(4).mean(), inputs(4, 3)


def tied() -> Made:
    return Tied().double(), lambda m, x: F.cross_entropy(m(x), x[:, 0]), torch.tensor([[0, 1], [3, 4]])


def hardsigmoid() -> Made:
    return nn.Sequential(nn.Linear(4, 5), nn.Hardsigmoid(), nn.Linear(5, 2)).double(), fourth, inputs(6, 4)


def unused_parameters() -> Made:
    model = nn.ModuleDict({"used": nn.Linear(3, 2), "unused": nn.Linear(2, 2), "frozen": nn.Linear(2, 2)}).double()
    model["frozen"].requires_grad_(False)
    return model, lambda m, x: m["frozen"](m["used"](x).tanh()).pow(2).mean(), inputs(4, 3)


def normed(add: Callable[[nn.Module], nn.Module]) -> Callable[[], Made]:
    def make() -> Made:
        return nn.Sequential(add(nn.Linear(4, 4)), nn.Tanh(), nn.Linear(4, 2)).double(), fourth, inputs(6, 4)

    return make


NETWORKS: dict[str, Callable[[], Made]] = {
    "BatchNorm and dropout": lambda: classified(dropped()),
    "checkpointed": lambda: classified(Checkpointed()),
    "tied weights": tied,
    "convolutional": convolutional,
    "recurrent": recurrent,
    "weight norm": normed(parametrizations.weight_norm),
    "weight norm of old": normed(nn.utils.weight_norm),
    "orthogonal": normed(parametrizations.orthogonal),
    "hardsigmoid": hardsigmoid,
    "sparse gradients": sparse,
    "complex parameters": complex_parameters,
    "parameters that take no part": unused_parameters,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_products_agree_with_differences_of_gradients(name: str) -> None:
    """The truth is a central difference in float64, good to about 1e-9, of gradients that need no second derivative."""
    torch.manual_seed(0)
    objective = Objective(*NETWORKS[name]())
    here = objective.here()
    v = {key: torch.randn_like(value) for key, value in here.items()}
    ahead, behind = (objective.loss_and_grad(step(here, v, size))[1] for size in (1e-5, -1e-5))
    truth = scale(sub(ahead, behind), 1 / 2e-5)
    with objective.linearized(here) as product:
        assert float(norm(sub(product(v), truth)) / norm(truth)) < 1e-7
        assert float(norm(sub(product(v), truth)) / norm(truth)) < 1e-7  # the graph is still there
        assert product.retained
    assert float(norm(sub(objective.hvp(here, v), truth)) / norm(truth)) < 1e-7


@pytest.mark.parametrize("loss", [lambda w: w.sum(), lambda w: 0 * w.sum(), lambda w: w[0] - w[1]])
def test_a_loss_without_curvature_has_products_zero(loss: Callable[[Tensor], Tensor]) -> None:
    """Linear and constant functions have the Hessian zero, and a gradient without a graph."""
    objective = Objective(params={"w": torch.ones(3)}, loss_fn=lambda params, _: loss(params["w"]))
    with objective.linearized(objective.here()) as product:
        assert product(objective.here())["w"].tolist() == [0.0, 0.0, 0.0]


def small(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 4)).to(torch.bfloat16).to(dtype)


def of_dtype(model: Any, pair: tuple[Tensor, Tensor]) -> Tensor:
    dtype = next(model.parameters()).dtype
    return F.cross_entropy(model(pair[0].bfloat16().to(dtype)).float(), pair[1])


def in_autocast(model: Any, pair: tuple[Tensor, Tensor]) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return F.cross_entropy(model(pair[0].bfloat16().float()).float(), pair[1])


@pytest.mark.parametrize(
    ("dtype", "loss", "precision", "expected"),
    [
        (torch.float32, of_dtype, "float32", 1e-5),
        (torch.bfloat16, of_dtype, "float32", 3e-2),
        (torch.float32, in_autocast, "training", 3e-2),
        (torch.float32, in_autocast, "float32", 1e-5),
    ],
)
def test_in_half_precision_products_are_as_good_as_that(
    dtype: torch.dtype, loss: Any, precision: Any, expected: float
) -> None:
    """The truth is the same network in float64; bfloat16 rounds to 2⁻⁹ = 0.002 at each of about ten operations."""
    exact = Objective(small(torch.float64), of_dtype, batch())
    objective = Objective(small(dtype), loss, batch(), precision=precision)
    here = objective.here()
    v = {name: torch.randn_like(value) for name, value in here.items()}
    truth = exact.hvp(exact.here(), {name: value.double() for name, value in v.items()})
    with objective.linearized(here) as product:
        found = product(v)
    assert {value.dtype for value in found.values()} == {dtype}
    gap = float(norm({name: found[name].double() - truth[name] for name in truth}) / norm(truth))
    assert gap < expected
    assert gap > 1e-4 or expected < 1e-4  # in half precision it was computed
