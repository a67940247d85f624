"""Products from one retained graph: the same as products one by one, and as the dense Hessian."""

from typing import Any

import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn
from torch.func import functional_call

from clinometer import Objective
from clinometer.objective import hessian_product
from clinometer.objective.gradient_graph import GradientGraph
from clinometer.objective.params import flattened, unflattened


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4)).double()


def data(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(16, 6, generator=generator).double(), torch.randint(4, (16,), generator=generator)


def dense_hessian(model: nn.Module, batch: Any) -> Tensor:
    """By torch.autograd.functional, of a loss that is made here."""
    names = [name for name, _ in model.named_parameters()]
    sizes = [p.numel() for p in model.parameters()]
    shapes = [p.shape for p in model.parameters()]
    buffers = {name: value.clone() for name, value in model.named_buffers()}

    def loss(flat: Tensor) -> Tensor:
        parts = [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
        state = dict(zip(names, parts, strict=True)) | {name: value.clone() for name, value in buffers.items()}
        return nn.functional.cross_entropy(functional_call(model, state, (batch[0],)), batch[1])

    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    return torch.autograd.functional.hessian(loss, flat)


def columns(objective: Objective) -> Tensor:
    """All products with unit vectors, from one graph."""
    here = objective.here()
    unit = torch.eye(sum(value.numel() for value in here.values()), dtype=torch.float64)
    with objective.linearized(here) as product:
        assert product.retained
        return torch.stack([flattened(product(unflattened(row, here))) for row in unit])


def test_products_are_the_columns_of_the_dense_hessian_through_train_mode_batchnorm() -> None:
    """The truth is torch's own dense Hessian in float64."""
    model, pair = network(), data()
    found = columns(Objective(model, cross_entropy, pair))
    torch.testing.assert_close(found, dense_hessian(model, pair), rtol=1e-10, atol=1e-12)


def test_several_batches_are_one_objective() -> None:
    """The Hessian of a mean is the mean of Hessians; each batch is normalised by its own statistics."""
    model = network()
    objective = Objective(model, cross_entropy, data(0)).with_batch(data(1)).weighted([1.0, 0.5])
    truth = dense_hessian(model, data(0)) + 0.5 * dense_hessian(model, data(1))
    torch.testing.assert_close(columns(objective), truth, rtol=1e-10, atol=1e-12)


def test_the_loss_and_gradient_come_along() -> None:
    """The truth is the objective's own forward-backward pass, bit for bit."""
    objective = Objective(everything(), cross_entropy, batch())
    loss, gradient = objective.loss_and_grad(objective.here())
    with objective.linearized(objective.here()) as product:
        assert torch.equal(product.loss, loss)
        assert all(torch.equal(product.gradient[name], value) for name, value in gradient.items())


def test_names_that_a_direction_lacks_count_as_zero() -> None:
    """The truth is the product with explicit zeros: the rows of a block."""
    objective = Objective(network(), cross_entropy, data())
    here = objective.here()
    part = {"0.weight": torch.ones_like(here["0.weight"])}
    padded = {name: part.get(name, torch.zeros_like(value)) for name, value in here.items()}
    with objective.linearized(here) as product:
        found, truth = product(part), product(padded)
    assert found.keys() == here.keys()
    torch.testing.assert_close(found, truth, rtol=1e-12, atol=1e-14)


def test_products_repeat_bit_for_bit_and_evaluations_in_between_disturb_nothing() -> None:
    """A graph that a product or an evaluation changed would show in the next product."""
    objective = Objective(everything(), cross_entropy, batch())
    here = objective.here()
    with objective.linearized(here) as product:
        first = product(here)
        objective.loss_and_grad({name: 2 * value for name, value in here.items()})
        again = product(here)
    one = objective.hvp(here, here)
    assert all(torch.equal(first[name], again[name]) and torch.equal(first[name], one[name]) for name in here)


def test_a_product_outside_the_block_is_refused() -> None:
    """The graph is gone by then."""
    objective = Objective(network(), cross_entropy, data())
    with objective.linearized(objective.here()) as product:
        pass
    with pytest.raises(ValueError, match="has ended; multiply inside it"):
        product(objective.here())


@pytest.mark.parametrize("when", ["building", "multiplying", "looking"])
def test_without_memory_for_all_graphs_each_product_builds_them_again(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The truth is the same product where memory was enough, bit for bit."""
    objective = Objective(network(), cross_entropy, data(0)).with_batch(data(1)).with_batch(data(2))
    here = objective.here()
    with objective.linearized(here) as product:
        truth, gradient = product(here), product.gradient
    calls: list[str] = []

    def short_of_memory(self: GradientGraph, *args: Any, **kwargs: Any) -> Any:
        calls.append(when)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("out of memory")
        return method(self, *args, **kwargs)

    method = {"building": GradientGraph.__init__, "multiplying": GradientGraph.times}.get(when)
    if method:
        monkeypatch.setattr(GradientGraph, method.__name__, short_of_memory)
    monkeypatch.setattr(hessian_product, "has_room_for", lambda _copies: when != "looking")
    with objective.linearized(here) as product:
        assert product.retained == (when == "multiplying")
        found = product(here)
        assert not product.retained
        assert all(torch.equal(found[name], truth[name]) for name in here)
        assert all(torch.equal(product.gradient[name], gradient[name]) for name in here)


def test_a_loss_that_is_not_finite_has_nan_products() -> None:
    """An infinite loss has no curvature; autograd alone would find zero for one that loss_fn refuses to give."""

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        if float(model.weight.detach().sum()) > 100:  # pyright: ignore
            raise ArithmeticError("too large")
        return model(x).square().sum()

    objective = Objective(nn.Linear(2, 1, bias=False), loss, torch.ones(1, 2))
    here = objective.here()
    objective.loss_and_grad(here)
    for size in (1e3, float("inf"), float("nan")):
        at = {"weight": torch.full((1, 2), size)}
        with objective.linearized(at) as product:
            assert product(here)["weight"].isnan().all()
        assert objective.hvp(at, here)["weight"].isnan().all()
