"""What a loss function uses besides its arguments."""

import types
from typing import Any

import torch
from torch import nn

from clinometer.objective.discover import reached_by


class Criterion:
    scale = torch.ones((), requires_grad=True)

    def __init__(self) -> None:
        self.noise = torch.Generator()
        self.nets = {"teacher": nn.Linear(2, 2)}

    def __call__(self, model: nn.Module, batch: Any) -> Any:
        return self.scaled(model(batch))

    def scaled(self, x: Any) -> Any:
        return self.scale * x


def test_objects_lead_to_modules_generators_and_tensors() -> None:
    """Identity of the very objects is the evidence: a copy would not be the one that the loss uses."""
    criterion = Criterion()
    reached = reached_by(criterion)
    assert [id(m) for m in reached.modules] == [id(criterion.nets["teacher"])]
    assert reached.generators == (criterion.noise,)
    assert [id(t) for t in reached.tensors] == [id(Criterion.scale)]


def test_the_nearest_way_to_an_object_counts() -> None:
    """A long way comes first here; were an object's depth that of the first way found, what it holds would be lost."""
    inner = types.SimpleNamespace(one=types.SimpleNamespace(two=[torch.Generator()]))
    long = [[[inner]]]
    reached = reached_by(lambda: (long, inner))
    assert reached.generators == tuple(inner.one.two)


def test_parameters_of_modules_are_not_bare() -> None:
    """A module's parameters come with the module; a tensor with a graph is a result, and no parameter."""
    layer, weight = nn.Linear(2, 2), nn.Parameter(torch.ones(2), requires_grad=False)
    result = layer.weight.sum()
    reached = reached_by(lambda: (layer, result, weight, layer.weight.detach()))
    assert [id(t) for t in reached.tensors] == [id(weight)]


def test_attributes_that_run_code_are_not_asked() -> None:
    """A proxy that raises for any attribute stands for those that connect to a server when they are touched."""

    class Proxy:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(f"asked for {name}")

    proxy = Proxy()
    assert reached_by(lambda: proxy).modules == ()


def test_methods_that_call_each_other_end_the_search() -> None:
    """Ends or does not: every look at a bound method is another object, so the search must know it by what it binds."""

    class Mutual:
        def one(self) -> Any:
            return self.two()

        def two(self) -> Any:
            return self.one(), self.noise

        def __init__(self) -> None:
            self.noise = torch.Generator()

    mutual = Mutual()
    assert reached_by(mutual.one, lambda: mutual.two()).generators == (mutual.noise,)
