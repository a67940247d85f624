"""Parameters that the optimizer holds and that lie outside the model: a criterion's, a prompt, a temperature."""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective, Recorder, every, headroom, landscape

PROBES: list[Any] = [landscape(), landscape(direction="update"), headroom()]
STEPS = 4


def batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(16, 6, generator=generator), torch.randint(4, (16,), generator=generator)


class Head(nn.Module):
    """A criterion with weights, BatchNorm's buffers and dropout, as metric learning has them."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8, momentum=0.5)
        self.drop = nn.Dropout(0.2)
        self.centers = nn.Parameter(torch.randn(4, 8))

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(self.drop(self.norm(features))) @ F.normalize(self.centers).T


def loss_of(model: nn.Module, head: nn.Module, scale: Tensor, weights: Sequence[Tensor], data: Any) -> Tensor:
    features = model(data[0])
    classified = F.cross_entropy(scale * head(features), data[1])
    return weights[0].square() * classified + weights[1] * features.square().mean()


class Whole(nn.Module):
    """Everything that is trained, in one module."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
        self.head = Head()
        self.scale = nn.Parameter(torch.tensor(3.0))
        self.weights = nn.ParameterList([torch.tensor(1.0), torch.tensor(0.3)])

    def forward(self, data: Any) -> Tensor:
        return loss_of(self.model, self.head, self.scale, list(self.weights), data)


class Trainer:
    """A plain object that holds the parts that are no model."""

    def __init__(self, whole: Whole) -> None:
        self.head, self.temperature = whole.head, whole.scale
        self.parts = {"weights": list(whole.weights)}

    def loss(self, model: nn.Module, data: Any) -> Tensor:
        return loss_of(model, self.head, self.temperature, self.parts["weights"], data)


GLOBALS: dict[str, Any] = {}


def by_global(model: nn.Module, data: Any) -> Tensor:
    return loss_of(model, GLOBALS["head"], GLOBALS["scale"], GLOBALS["weights"], data)


def from_global(whole: Whole) -> Any:
    GLOBALS.update(head=whole.head, scale=whole.scale, weights=tuple(whole.weights))
    return by_global


def from_closure(whole: Whole) -> Any:
    head, scale, weights = whole.head, whole.scale, list(whole.weights)
    return lambda model, data: loss_of(model, head, scale, weights, data)


def from_defaults(whole: Whole) -> Any:
    def loss_fn(model: nn.Module, data: Any, head: Any = whole.head, scale: Any = whole.scale) -> Tensor:
        return loss_of(model, head, scale, weights, data)

    weights = whole.weights
    return loss_fn


def from_partial(whole: Whole) -> Any:
    def loss_fn(model: nn.Module, data: Any, **parts: Any) -> Tensor:
        return loss_of(model, data=data, **parts)

    weights = {"weights": list(whole.weights)}
    return functools.partial(loss_fn, head=whole.head, scale=whole.scale, **weights)


HELD: dict[str, Callable[[Whole], Any]] = {
    "closure": from_closure,
    "global": from_global,
    "defaults and a ParameterList": from_defaults,
    "partial": from_partial,
    "attributes": lambda whole: Trainer(whole).loss,
}


def trained(form: str, recorded: bool = True) -> tuple[Whole, Any, Recorder | None]:
    """One run, with a recorder of the whole or of the model alone, or with none."""
    whole = Whole()
    optimizer = torch.optim.SGD(whole.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    loss_fn: Any = (lambda model, data: model(data)) if form == "whole" else HELD[form](whole)
    model = whole if form == "whole" else whole.model
    recorder = Recorder(model, loss_fn, PROBES, every(1), optimizer=optimizer) if recorded else None
    torch.manual_seed(1)
    for index in range(STEPS):
        if recorder:
            recorder.step(batch(index))
        optimizer.zero_grad()
        loss_fn(model, batch(index)).backward()
        optimizer.step()
    return whole, optimizer, recorder


@pytest.mark.parametrize("form", HELD)
def test_rows_are_those_of_one_module_that_holds_everything(form: str) -> None:
    """The oracle is the same run with a single module, whose parameters torch itself lists: the same bits."""
    _, _, expected = trained("whole")
    _, _, found = trained(form)
    assert expected is not None
    assert found is not None
    for probe in expected.probes:
        for field, values in expected.read(probe).items():
            # Sums over all parameters run in another order, so their last bits differ. One is the slope; headroom
            # finds its multiple `loss` by it. The loss of a landscape is that of training.
            exact = field in ("step", "sizes") or (field == "loss" and probe != "headroom")
            tolerance: Any = {"rtol": 0 if exact else 1e-5, "atol": 0, "equal_nan": True}
            torch.testing.assert_close(
                torch.from_numpy(found.read(probe)[field]), torch.from_numpy(values), **tolerance
            )


@pytest.mark.parametrize("form", HELD)
def test_a_measured_run_ends_as_an_unmeasured_one(form: str) -> None:
    """The truth is the run without a recorder: parameters, buffers, gradients and momentum, bit for bit."""
    (plain, before, _), (measured, after, _) = trained(form, recorded=False), trained(form)
    for one, other in zip(plain.parameters(), measured.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)
        assert torch.equal(before.state[one]["momentum_buffer"], after.state[other]["momentum_buffer"])
        assert one._version == other._version
    assert all(torch.equal(one, other) for one, other in zip(plain.buffers(), measured.buffers(), strict=True))


def test_the_point_names_what_it_holds_by_where_it_was_found() -> None:
    """The truth is the script: `criterion`, `temperature` and `parts` are what the user called them."""
    whole = Whole()
    held = list(whole.parameters())
    objective = Objective(whole.model, Trainer(whole).loss, batch(0), parameters=held)
    assert objective.names == (
        "0.weight",
        "0.bias",
        "temperature",
        "head.centers",
        "head.norm.weight",
        "head.norm.bias",
        "parts.weights.0",
        "parts.weights.1",
    )


def test_no_name_outside_is_taken_for_one_of_the_model() -> None:
    """The truth is a model whose own head has the same name as the criterion: the gradients by both are known."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(1, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x)

    model, head = Model(), nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.head.weight, 2.0)
    torch.nn.init.constant_(head.weight, 3.0)
    held = [*head.parameters(), *model.parameters()]
    objective = Objective(model, lambda m, x: head(m(x)).sum(), torch.ones(1, 1), parameters=held)
    gradient = objective.loss_and_grad(objective.here())[1]
    assert {name: g.item() for name, g in gradient.items()} == {"head.weight": 3.0, "loss_fn.head.weight": 2.0}


def test_a_tied_weight_is_one_parameter() -> None:
    """The truth is algebra: L = w (w x) with w shared by model and criterion has the gradient 2 w x."""
    model, criterion = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    criterion.weight = model.weight
    torch.nn.init.constant_(model.weight, 3.0)
    held = [*model.parameters()]
    objective = Objective(model, lambda m, x: criterion(m(x)).sum(), torch.full((1, 1), 5.0), parameters=held)
    assert objective.names == ("weight",)
    assert objective.loss_and_grad({"weight": torch.tensor([[2.0]])})[1]["weight"].item() == 20.0


def test_second_derivatives_reach_bare_tensors() -> None:
    """The truth is algebra: L = s² w² has the Hessian [[2s², 4sw], [4sw, 2w²]] in (w, s)."""
    model, s = nn.Linear(1, 1, bias=False, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64).requires_grad_()
    objective = Objective(
        model,
        lambda m, x: (s * m(x)).square().sum(),
        torch.ones(1, 1, dtype=torch.float64),
        parameters=[*model.parameters(), s],
    )
    at = {"weight": torch.tensor([[2.0]], dtype=torch.float64), "s": torch.tensor(5.0, dtype=torch.float64)}
    v = {"weight": torch.tensor([[1.0]], dtype=torch.float64), "s": torch.tensor(10.0, dtype=torch.float64)}
    product = objective.hvp(at, v)
    assert product["weight"].item() == 2 * 25.0 + 4 * 5.0 * 2.0 * 10.0
    assert product["s"].item() == 4 * 5.0 * 2.0 + 2 * 4.0 * 10.0
    assert s.item() == 3.0


def test_a_prompt_before_a_frozen_model_is_all_that_moves() -> None:
    """The truth is algebra: L = ½ ‖W p‖² with W frozen and orthogonal has β = 1 in the prompt p."""
    model = nn.Linear(4, 4, bias=False).requires_grad_(False)
    torch.nn.init.eye_(model.weight)
    prompt = nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    optimizer = torch.optim.SGD([prompt], lr=0.5)
    recorder = Recorder(model, lambda m, _: m(prompt).square().sum() / 2, [landscape()], every(1), optimizer=optimizer)
    for _ in range(2):
        recorder.step(None)
        optimizer.zero_grad()
        (model(prompt).square().sum() / 2).backward()
        optimizer.step()
    assert recorder.read("landscape")["loss"].tolist() == [15.0, 3.75]
    torch.testing.assert_close(torch.from_numpy(recorder.read("landscape")["beta"]).float(), torch.ones(2))


def test_bare_tensors_of_another_optimizer_are_held_where_the_step_saw_them() -> None:
    """The truth is the loop's own loss: a weight that another optimizer has moved since would change it."""
    torch.manual_seed(0)
    model, weight, center = nn.Linear(6, 4), nn.Parameter(torch.tensor(1.0)), torch.zeros(4)

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return weight.exp() * F.cross_entropy(model(data[0]) - center, data[1]) + weight.square()

    optimizer, other = torch.optim.SGD(model.parameters(), lr=0.1), torch.optim.SGD([weight], lr=0.5)
    recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)
    losses: list[float] = []
    for index in range(STEPS):
        with recorder.step(batch(index)):
            optimizer.zero_grad()
            other.zero_grad()
            loss = loss_fn(model, batch(index))
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
            other.step()
            center += model(batch(index)[0]).detach().mean(0)  # as self-distillation keeps one
    torch.testing.assert_close(
        torch.from_numpy(recorder.read("landscape")["loss"]), torch.tensor(losses), rtol=0, atol=0
    )


def test_what_a_loss_changes_outside_is_put_back() -> None:
    """The truth is the run without a recorder: buffers in a dictionary, as `functional_call` takes them, move on."""

    def run(recorded: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        calls = torch.zeros(())

        def loss_fn(model: nn.Module, data: Any) -> Tensor:
            calls.add_(1)
            return F.cross_entropy(torch.func.functional_call(model, buffers, (data[0],)), data[1]) + 0.01 * calls

        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)
        losses: list[Tensor] = []
        for index in range(STEPS):
            if recorded:
                recorder.step(batch(index))
            optimizer.zero_grad()
            losses.append(loss_fn(model, batch(index)))
            losses[-1].backward()
            optimizer.step()
        if recorded:
            rows = torch.from_numpy(recorder.read("landscape")["loss"])
            torch.testing.assert_close(rows, torch.stack(losses).detach(), rtol=0, atol=0)
        return [*losses, *buffers.values(), *model.parameters(), calls]

    assert all(torch.equal(one, other) for one, other in zip(run(False), run(True), strict=True))


def test_a_loss_that_raises_leaves_bare_tensors_as_they_were() -> None:
    """The truth is the tensor before: its values, memory, version, gradient and hooks."""
    model, s = nn.Linear(1, 1), torch.tensor(3.0, requires_grad=True)
    fired: list[Tensor] = []
    s.register_hook(fired.append)
    s.register_post_accumulate_grad_hook(fired.append)
    s.grad = gradient = torch.tensor(7.0)
    retained = s.square()  # a graph of training's own

    def loss_fn(model: nn.Module, batch: Tensor) -> Tensor:
        if s > 4:
            raise ArithmeticError("too far")
        return (s * model(batch)).sum()

    objective = Objective(model, loss_fn, torch.ones(1, 1), parameters=[*model.parameters(), s])
    here, memory = objective.here(), s.data_ptr()
    objective.loss_and_grad(here)
    assert objective.loss(here | {"s": torch.tensor(5.0)}).isnan()
    with pytest.raises(ArithmeticError):
        Objective(model, loss_fn, torch.ones(1, 1), parameters=[*model.parameters(), s]).loss(
            here | {"s": torch.tensor(5.0)}
        )
    assert (s.item(), s.data_ptr(), s._version, s.grad is gradient, fired) == (3.0, memory, 0, True, [])
    retained.backward()
    assert s.grad.item() == 7.0 + 6.0
    assert len(fired) == 2


def test_parameters_that_join_the_optimizer_later_are_measured_from_then_on() -> None:
    """The truth is the optimizer: what it holds at a step is what the step moves."""
    torch.manual_seed(0)
    model, head, scale = nn.Linear(6, 8), nn.Linear(8, 4), nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names: list[list[str]] = []

    def look(step: Any) -> dict[str, Any]:
        names.append(list(step.after))
        return {}

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return F.cross_entropy(scale * head(model(data[0])), data[1])

    recorder = Recorder(model, loss_fn, [look], every(1), optimizer=optimizer)
    for index in range(2):
        if index:
            optimizer.add_param_group({"params": [*head.parameters(), scale], "lr": 0.1})
        recorder.step(batch(index))
        optimizer.zero_grad()
        loss_fn(model, batch(index)).backward()
        optimizer.step()
    assert names == [["weight", "bias"], ["weight", "bias", "head.weight", "head.bias", "scale"]]


def test_parameters_that_nobody_reaches_are_told_once() -> None:
    """The truth is the optimizer: it trains a third tensor, which no path from the loss function leads to."""
    model, lost, frozen = nn.Linear(6, 4), nn.Linear(3, 3), nn.Parameter(torch.zeros(2), requires_grad=False)
    optimizer = torch.optim.SGD([*model.parameters(), *lost.parameters(), frozen], lr=0.1)
    recorder = Recorder(
        model, lambda m, data: F.cross_entropy(m(data[0]), data[1]), [landscape()], every(1), optimizer=optimizer
    )
    with warnings.catch_warnings(record=True, action="always") as caught:
        for index in range(STEPS):
            recorder.step(batch(index))
            optimizer.zero_grad()
            F.cross_entropy(model(batch(index)[0]), batch(index)[1]).backward()
            optimizer.step()
    assert [
        str(warning.message).startswith("clinometer: the optimizer also trains 2 tensors") for warning in caught
    ] == [True]


def test_a_generators_recorder_leaves_the_discriminator_out() -> None:
    """The truth is the generator's optimizer: the discriminator that its loss runs is not in it."""
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)

    def look(step: Any) -> dict[str, Any]:
        return {"names": list(step.after)}

    recorder = Recorder(generator, lambda g, z: -discriminator(g(z)).mean(), [look], every(1), optimizer=optimizer)
    recorder.step(torch.ones(3, 2))
    (-discriminator(generator(torch.ones(3, 2))).mean()).backward()
    optimizer.step()
    assert recorder.read("look")["names"].tolist() == [["weight", "bias"]]


def test_a_loss_of_bare_tensors_alone_is_refused() -> None:
    """The truth is the graph: it ends in tensors of the user's own, and the model's parameters take no part."""
    model = nn.Linear(6, 4)
    params = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, params, (data[0],)), data[1])

    objective = Objective(model, loss_fn, batch(0))
    with pytest.raises(ValueError, match="params="):
        objective.loss_and_grad(objective.here())
    # With the optimizer that trains them they are the point.
    trained = Objective(model, loss_fn, batch(0), parameters=params.values())
    assert trained.names == ("params.weight", "params.bias")
    expected = torch.autograd.grad(loss_fn(model, batch(0)), list(params.values()))
    gradient = trained.loss_and_grad(trained.here())[1]
    assert all(torch.equal(found, slope) for found, slope in zip(gradient.values(), expected, strict=True))
