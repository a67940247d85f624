"""Objectives over a mapping of tensors: every measure works on them as on the parameters of a module."""

from collections import namedtuple
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev

from clinometer import Objective, covariate_shift, layers_of, walk
from clinometer.measures.noise_floor import noise_floor

Pair = namedtuple("Pair", "weight bias")


def test_gradient_and_hessian_product_are_those_of_torch_func() -> None:
    """The oracle is `torch.func`: its gradient, and its whole Hessian times the vector, in float64."""
    torch.manual_seed(0)
    params = {"w": torch.randn(4, 3, dtype=torch.float64), "b": torch.randn(4, dtype=torch.float64)}
    x = torch.randn(5, 3, dtype=torch.float64)

    def loss_fn(params: Any, batch: Tensor) -> Tensor:
        return torch.tanh(batch @ params["w"].T + params["b"]).square().sum()

    objective = Objective(params=params, loss_fn=loss_fn, batch=x)
    at = objective.here()
    loss, slopes = objective.loss_and_grad(at)
    expected = grad(loss_fn)(params, x)
    torch.testing.assert_close(loss, loss_fn(params, x), rtol=0, atol=0)
    v = {name: torch.randn_like(p) for name, p in params.items()}
    products: Any = jacrev(grad(loss_fn))(params, x)
    for name in params:
        torch.testing.assert_close(slopes[name], expected[name])
        applied = sum(torch.tensordot(products[name][other], v[other], v[other].ndim) for other in params)
        torch.testing.assert_close(objective.hvp(at, v)[name], applied)


def test_measures_are_those_of_the_module_itself() -> None:
    """The oracle is the objective of the module whose parameters the mapping holds: the same operations."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))
    params = {name: p.detach().clone() for name, p in model.named_parameters()}
    x = torch.randn(7, 6)
    by_module = Objective(model, lambda m, x: m(x).square().mean(), x)
    by_params = Objective(params=params, loss_fn=lambda p, x: functional_call(model, p, (x,)).square().mean(), batch=x)
    layers = layers_of(model)
    assert layers_of(by_params.model) == layers
    found: list[Any] = []
    for objective in (by_module, by_params):
        at = objective.here()
        direction = {name: -slope for name, slope in objective.loss_and_grad(at)[1].items()}
        after = {name: p + 0.1 * direction[name] for name, p in at.items()}
        found += [(walk(objective, at, direction, [0.0, 0.5]), covariate_shift(objective, at, after, layers))]
    for one, other in zip(*found, strict=True):
        for name, value in vars(one).items():
            torch.testing.assert_close(vars(other)[name], value, rtol=0, atol=0) if isinstance(value, Tensor) else None
    assert float(noise_floor(by_params, by_params.here()).loss) >= 0


def test_nested_mappings_and_lists_arrive_as_they_were() -> None:
    """The truth is the user's own tree, as JAX has them: the loss function finds each leaf where it was."""
    tree: Any = {
        "layers": [Pair(torch.tensor([2.0]), torch.tensor([1.0])), {"scale": torch.tensor([3.0])}],
        "steps": torch.tensor([5]),
        "name": "net",
        1: (torch.tensor([7.0]), None),
    }

    def loss_fn(tree: Any, batch: Tensor) -> Tensor:
        first = tree["layers"][0]
        assert [tree["name"], tree[1][1], tree["steps"].tolist()] == ["net", None, [5]]
        return (first.weight * batch + first.bias).sum() * tree["layers"][1]["scale"].sum() + tree[1][0].sum()

    objective = Objective(params=tree, loss_fn=loss_fn, batch=torch.tensor([4.0]))
    assert objective.names == ("layers.0.weight", "layers.0.bias", "layers.1.scale", "1.0")
    loss, slopes = objective.loss_and_grad(objective.here())
    assert loss.item() == 34.0  # (2 · 4 + 1) 3 + 7
    assert [slope.item() for slope in slopes.values()] == [12.0, 3.0, 9.0, 1.0]


def test_complex_tensors_are_moved() -> None:
    """The truth is algebra: L = |z|² has the gradient 2z, as torch has gradients of complex numbers."""
    z = torch.tensor([3.0 + 4.0j])
    objective = Objective(params={"z": z}, loss_fn=lambda p, _: (p["z"] * p["z"].conj()).real.sum())
    loss, slopes = objective.loss_and_grad(objective.here())
    assert (loss.item(), slopes["z"].item()) == (25.0, 6.0 + 8.0j)


def test_tensors_without_gradient_among_others_stay_where_they_are() -> None:
    """The truth is the definition of a point: where some tensors require gradients, those alone are trained."""
    w, frozen = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0)
    objective = Objective(params={"w": w, "frozen": frozen}, loss_fn=lambda p, _: p["w"] * p["frozen"])
    frozen.fill_(100.0)  # after the objective was made
    assert objective.names == ("w",)
    assert objective.loss({"w": torch.tensor(5.0)}).item() == 15.0


def test_a_function_gives_the_present_tensors_and_the_objective_stays() -> None:
    """The truth is the definition: `here` is where training is now, and the loss is the one of the frozen moment."""
    params = {"w": torch.tensor(2.0), "count": torch.tensor(1)}
    objective = Objective(params=lambda: params, loss_fn=lambda p, x: p["w"] * x * p["count"], batch=torch.tensor(3.0))
    params = {"w": torch.tensor(7.0), "count": torch.tensor(9)}
    assert objective.here() == {"w": torch.tensor(7.0)}
    assert objective.loss(objective.here()).item() == 21.0  # the integer is that of the start


@pytest.mark.parametrize(
    ("params", "error", "said"),
    [
        (nn.Linear(1, 1), TypeError, "the module Linear"),
        ([torch.zeros(1)], TypeError, "found list"),
        (lambda: None, TypeError, "found NoneType"),
        ({"n": torch.tensor(1)}, ValueError, "nothing to train"),
        ({"a.b": torch.zeros(1), "a": {"b": torch.zeros(1)}}, ValueError, "'a.b'"),
    ],
)
def test_what_cannot_be_trained_is_refused(params: Any, error: type[Exception], said: str) -> None:
    """The truth is the contract: a mapping of tensors by name, of which at least one can be trained."""
    with pytest.raises(error, match=said):
        Objective(params=params, loss_fn=lambda p, _: p["w"])
