"""Random generators of the user's own, wherever loss_fn or the model reaches them."""

import dataclasses
import functools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from loops import FORMS, STEPS, Run, assert_measured
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from clinometer import Objective

Draw = Callable[[Tensor], Tensor]
LossFn = Callable[[nn.Module, Any], Tensor]


def of_torch() -> tuple[Any, Draw]:
    generator = torch.Generator().manual_seed(3)
    return generator, lambda x: torch.randn(x.shape, generator=generator)


def of_numpy() -> tuple[Any, Draw]:
    generator = np.random.default_rng(3)
    return generator, lambda x: torch.from_numpy(generator.standard_normal(x.shape)).float()


def of_numpy_legacy() -> tuple[Any, Draw]:
    generator = np.random.RandomState(3)
    return generator, lambda x: torch.from_numpy(generator.standard_normal(x.shape)).float()


def of_numpy_by_its_method() -> tuple[Any, Draw]:
    draw = np.random.default_rng(3).standard_normal
    return draw.__self__, lambda x: torch.from_numpy(draw(x.shape)).float()


def of_python() -> tuple[Any, Draw]:
    generator = random.Random(3)
    return generator, lambda x: torch.tensor([[generator.gauss() for _ in row] for row in x])


KINDS = {f.__name__: f for f in (of_torch, of_numpy, of_numpy_legacy, of_numpy_by_its_method, of_python)}


def noisy(model: nn.Module, data: Any, draw: Draw) -> Tensor:
    return cross_entropy(model, (data[0] + draw(data[0]), data[1]))


def same_run(make: Callable[[nn.Module], LossFn], form: str = "block") -> None:
    """The measured loop ends as the unmeasured one, and its rows hold the loop's own losses."""

    def loop(run: Run) -> None:
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        loss_fn = make(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run.attach(model, loss_fn, optimizer)
        for index in range(STEPS):
            with run.step(batch(index)):
                optimizer.zero_grad()
                loss = loss_fn(model, batch(index))
                loss.backward()
                optimizer.step()
            run.took(loss)

    assert_measured(loop, form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_in_a_closure_continues_as_if_nobody_had_measured(kind: str, form: str) -> None:
    """The truth is the unmeasured run, to the last bit, and the losses that the loop itself computed."""

    def make(_model: nn.Module) -> LossFn:
        _, draw = KINDS[kind]()
        return lambda model, data: noisy(model, data, draw)

    same_run(make, form)


@dataclasses.dataclass(slots=True)
class Slots:
    draw: Draw


class Noise:
    """Draws from a generator of its class, in a method that only `__call__` mentions."""

    generator: torch.Generator

    def __call__(self, x: Tensor) -> Tensor:
        return self.sample(x.shape)

    def sample(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self.generator)


class Augmented(Dataset[Tensor]):
    def __init__(self) -> None:
        self.transforms = [functools.partial(torch.randn, generator=torch.Generator().manual_seed(1))]

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Tensor:
        return self.transforms[0](16, 6)


GLOBAL = SimpleNamespace()


class Noisy(nn.Module):
    """Draws in its forward pass, from a global or from an object of its own."""

    def __init__(self, of: SimpleNamespace | None) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.of = of

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x + self.draw(x))

    def draw(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=GLOBAL.generator if self.of is None else self.of.generator)


def in_slots(_model: nn.Module) -> LossFn:
    holder = [{"noise": Slots(of_torch()[1])}]
    return lambda model, data: noisy(model, data, holder[0]["noise"].draw)


def in_a_class(_model: nn.Module) -> LossFn:
    Noise.generator = torch.Generator().manual_seed(2)
    noise = Noise()
    return lambda model, data: noisy(model, data, noise)


def by_global(model: nn.Module, data: Any) -> Tensor:
    return noisy(model, data, lambda x: torch.randn(x.shape, generator=GLOBAL.generator))


def in_a_global(_model: nn.Module) -> LossFn:
    GLOBAL.generator = torch.Generator().manual_seed(2)
    return by_global


def in_a_data_set(_model: nn.Module) -> LossFn:
    data_set = Subset(Augmented(), [1, 2])
    return lambda model, data: noisy(model, data, lambda _: data_set[0])


def in_a_function_attribute(_model: nn.Module) -> LossFn:
    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return noisy(model, data, lambda x: torch.randn(x.shape, generator=vars(loss_fn)["generator"]))

    vars(loss_fn)["generator"] = torch.Generator().manual_seed(2)
    return loss_fn


def in_a_hook(model: nn.Module) -> LossFn:
    _, draw = of_numpy()
    model.register_forward_pre_hook(lambda _module, inputs: (inputs[0] + draw(inputs[0]),))
    return cross_entropy


def in_a_wrapped_forward(model: nn.Module) -> LossFn:
    _, draw = of_numpy()
    forward = model.forward

    def noisy_forward(x: Tensor) -> Tensor:
        return forward(x + draw(x))

    model.forward = noisy_forward
    return cross_entropy


def in_another_model(of: SimpleNamespace | None) -> Callable[[nn.Module], LossFn]:
    def make(_model: nn.Module) -> LossFn:
        (GLOBAL if of is None else of).generator = torch.Generator().manual_seed(2)
        other = Noisy(of)
        return lambda model, data: cross_entropy(model, data) + 0.1 * other(data[0]).square().mean()

    return make


PLACES: dict[str, Callable[[nn.Module], LossFn]] = {
    "a slot of an object in containers": in_slots,
    "an attribute of a class": in_a_class,
    "a global": in_a_global,
    "a transform of a data set": in_a_data_set,
    "an attribute of the function": in_a_function_attribute,
    "a hook": in_a_hook,
    "a wrapped forward pass": in_a_wrapped_forward,
    "a global that a forward pass uses": in_another_model(None),
    "an object on a module": in_another_model(SimpleNamespace()),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_generator_is_found_wherever_a_loss_reaches_it(place: str) -> None:
    """The truth is the unmeasured run: a generator that were not found would go on from elsewhere."""
    same_run(PLACES[place])


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_in_the_batch_is_put_back(kind: str) -> None:
    """The generator's own next draw tells; evaluations at one point agree bit for bit only if it is continued."""
    generator, draw = KINDS[kind]()
    _, other = KINDS[kind]()
    model = nn.Linear(6, 4)

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return noisy(model, data["samples"], data["draw"])

    objective = Objective(model, loss_fn, {"samples": batch(), "draw": draw, "of": [generator]})
    here = objective.here()
    assert torch.equal(objective.loss(here), objective.loss(here))
    zeros = torch.zeros(3, 2)
    assert torch.equal(draw(zeros), other(zeros))


def test_a_generator_is_put_back_when_an_evaluation_raises() -> None:
    """The next draw is that of a twin which nobody measured."""
    generator, draw = of_torch()
    _, twin = of_torch()

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        draw(data[0])
        raise RuntimeError("no loss")

    objective = Objective(nn.Linear(6, 4), loss_fn, batch())
    with pytest.raises(RuntimeError, match="no loss"):
        objective.loss(objective.here())
    assert generator.initial_seed() == 3
    assert torch.equal(draw(torch.zeros(4)), twin(torch.zeros(4)))


def test_the_global_streams_and_system_randomness_are_no_obstacle() -> None:
    """A seed given to the objective decides, also where loss_fn holds torch's global generator itself."""
    held = torch.default_generator, random.SystemRandom(), np.random.mtrand._rand  # pyright: ignore[reportPrivateUsage]

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return noisy(model, data, lambda x: torch.randn(x.shape, generator=held[0]))

    model = nn.Linear(6, 4)
    first, second = (Objective(model, loss_fn, batch(), seed=5) for _ in range(2))
    torch.rand(3)
    assert torch.equal(first.loss(first.here()), second.loss(second.here()))
