"""Training without a module: torch.func, fitted images and numbers. Its rows speak of the tensors that are trained."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from clinometer import Objective, Recorder, Step, every, headroom, internal_shift, landscape

Tensors = dict[str, Tensor]
OF_A_KNOWN_RATE = ("beta_lr_half", "beta_over_threshold", "critical_sharpness", "critical_lr")
FORWARD: list[Any] = [landscape(sizes=[0.05, 0.1], relative=False), internal_shift(), headroom()]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 4))


def functional_loss(model: nn.Module) -> Callable[[Any, Any], Tensor]:
    return lambda params, data: F.cross_entropy(functional_call(model, params, (data[0],)), data[1])


def rows_of(recorder: Recorder) -> dict[str, Any]:
    return {name: recorder.read(name) for name in recorder.probes}


def assert_rows(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for probe, table in expected.items():
        assert found[probe].keys() == table.keys()
        for field, values in table.items():
            if field in (
                "beta_lr_half",
                "beta_over_threshold",
                "critical_sharpness",
                "critical_lr",
            ):  # of one with a rate
                continue
            if values.dtype.kind == "f":
                torch.testing.assert_close(
                    torch.from_numpy(found[probe][field]), torch.from_numpy(values), rtol=0, atol=0, equal_nan=True
                )
            else:
                assert found[probe][field].tolist() == values.tolist()


def as_module_trained() -> tuple[dict[str, Any], Tensors]:
    """The same run with a module, gradients by `torch.autograd.grad`, and the step written into the parameters."""
    model = net()
    recorder = Recorder(model, cross_entropy, FORWARD, every(1))
    torch.manual_seed(1)
    for index in range(4):
        recorder.step(batch(index))
        slopes = torch.autograd.grad(cross_entropy(model, batch(index)), list(model.parameters()))
        with torch.no_grad():
            for p, slope in zip(model.parameters(), slopes, strict=True):
                p.copy_(p - 0.5 * slope)
    return rows_of(recorder), {name: p.detach() for name, p in model.named_parameters()}


def test_rows_of_torch_func_are_those_of_the_same_run_with_a_module() -> None:
    """The truth is the run of the module itself, trained by plain autograd: the same arithmetic, so the same bits."""
    model = net()
    params: Tensors = {name: p.detach().clone() for name, p in model.named_parameters()}
    loss_fn = functional_loss(model)
    recorder = Recorder(params=lambda: params, loss_fn=loss_fn, probes=FORWARD, when=every(1))
    torch.manual_seed(1)
    for index in range(4):
        recorder.step(batch(index))
        slopes = grad(loss_fn)(params, batch(index))
        params = {name: p - 0.5 * slopes[name] for name, p in params.items()}
    rows, reached = as_module_trained()
    assert_rows(rows_of(recorder), rows)
    assert all(torch.equal(params[name], value) for name, value in reached.items())


def trained_by(how: str, recorded: bool) -> tuple[Tensors, list[float]]:
    """Four steps of a functional loop in one of the ways in which people write it, with or without a recorder."""
    model = net()
    params: Tensors = {name: p.detach().clone() for name, p in model.named_parameters()}
    loss_fn, losses = functional_loss(model), []
    if how != "new dict":
        params = {name: p.requires_grad_() for name, p in params.items()}
    optimizer = torch.optim.SGD(list(params.values()), lr=0.5) if how == "optimizer" else None
    source: Any = params if how in ("in place", "optimizer", "rebound items") else lambda: params
    recorder = Recorder(params=source, loss_fn=loss_fn, probes=FORWARD, when=every(1), optimizer=optimizer)
    torch.manual_seed(1)
    for index in range(4):
        if recorded:
            recorder.step(batch(index))
        if how == "new dict":
            slopes = grad(loss_fn)(params, batch(index))
            losses.append(0.0)
        else:
            loss = loss_fn(params, batch(index))
            losses.append(loss.item())
            given = torch.autograd.grad(loss, list(params.values()), create_graph=how == "with a graph")
            slopes = dict(zip(params, given, strict=True))
        if optimizer:
            for name, p in params.items():
                p.grad = slopes[name]
            optimizer.step()
        elif how == "in place":
            with torch.no_grad():
                for name, p in params.items():
                    p -= 0.5 * slopes[name]
        elif how == "rebound items":
            for name in list(params):
                params[name] = (params[name] - 0.5 * slopes[name]).detach().requires_grad_()
        else:
            params = {name: p - 0.5 * slopes[name] for name, p in params.items()}
    if recorded:
        rows, _ = as_module_trained()
        assert_rows(rows_of(recorder), rows)
    return {name: p.detach() for name, p in params.items()}, losses


@pytest.mark.parametrize("how", ["new dict", "in place", "optimizer", "rebound items", "with a graph"])
def test_every_way_to_write_it_is_measured_alike_and_left_alone(how: str) -> None:
    """The truths are the module's own run, for the rows, and the unmeasured loop, for what it trains, bit for bit."""
    plain, losses = trained_by(how, recorded=False)
    measured, seen = trained_by(how, recorded=True)
    assert seen == losses
    assert all(torch.equal(measured[name], plain[name]) for name in plain)


def test_an_image_under_adam_is_measured_as_algebra_has_it() -> None:
    """L = ‖x − t‖² has the Hessian 2I and the gradient 2 (x − t): β is 2 at every step, whatever the optimizer does."""
    torch.manual_seed(0)
    image = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([image], lr=0.1)
    seen: list[Step] = []

    def look(step: Step) -> dict[str, Any]:
        seen.append(step)
        return {}

    def loss_fn(params: Tensors, target: Tensor) -> Tensor:
        return (params["image"] - target).square().sum()

    probes: list[Any] = [landscape(), landscape(direction="update"), look]
    recorder = Recorder(params={"image": image}, loss_fn=loss_fn, probes=probes, when=every(1), optimizer=optimizer)
    losses: list[float] = []
    for _ in range(3):
        target = torch.randn(3, 4, dtype=torch.float64)
        recorder.step(target)
        optimizer.zero_grad()
        before = image.detach().clone()
        loss = loss_fn({"image": image}, target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        torch.testing.assert_close(seen[-1].gradient["image"], 2 * (before - target))
        assert torch.equal(seen[-1].before["image"], before)
        assert torch.equal(seen[-1].after["image"], image.detach())
    rows = recorder.read("landscape")
    assert rows["loss"].tolist() == losses
    torch.testing.assert_close(torch.from_numpy(rows["beta"]), torch.full((3,), 2.0, dtype=torch.float64))


def test_gradients_are_accumulated_over_bare_tensors_as_over_a_module() -> None:
    """The truth is arithmetic: the mean of two losses of one number w, where the optimizer steps every second batch."""
    w = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.125)

    def loss_fn(params: Tensors, x: Tensor) -> Tensor:
        return (params["w"] * x).square()

    recorder = Recorder(params={"w": w}, loss_fn=loss_fn, probes=[landscape()], when=every(1), optimizer=optimizer)
    for x in (1.0, 3.0, 1.0, 3.0):
        recorder.step(torch.tensor(x))
        (loss_fn({"w": w}, torch.tensor(x)) / 2).backward()
        if x == 3.0:
            optimizer.step()
            optimizer.zero_grad()
    rows = recorder.read("landscape")
    assert rows["loss"].tolist() == [20.0, (w.new_tensor(2.0 - 0.125 * 20.0).square() * 5).item()]  # (1 + 9) w² / 2
    assert rows["beta"].tolist() == [10.0, 10.0]


def test_walks_go_by_the_learning_rate_that_the_recorder_was_given() -> None:
    """The truth is algebra: L = ½ h w² has β = h, and one step of the rate η goes η h w."""
    params = {"w": torch.tensor(2.0, dtype=torch.float64)}
    loss_fn: Callable[[Any, Any], Tensor] = lambda params, h: h * params["w"].square() / 2  # noqa: E731
    probes: list[Any] = [landscape(sizes=[1.0]), landscape(sizes=[1.0], direction="update")]
    recorder = Recorder(params=lambda: params, loss_fn=loss_fn, probes=probes, when=every(1), lr=0.25)
    h = torch.tensor(3.0, dtype=torch.float64)
    for _ in range(2):
        with recorder.step(h):
            params = {"w": params["w"] - 0.25 * grad(loss_fn)(params, h)["w"]}
    for name in recorder.probes:
        assert recorder.read(name)["beta"].tolist() == [3.0, 3.0]
        assert recorder.read(name)["distances"].tolist() == [[1.5], [0.375]]


def test_an_ensemble_under_vmap_is_measured_as_one_loss() -> None:
    """The oracle is each network's own gradient by plain autograd: the loss is the sum of theirs."""
    networks = [net() for _ in range(3)]
    for seed, each in enumerate(networks):
        torch.manual_seed(seed)
        each.eval()
        for p in each.parameters():
            torch.nn.init.normal_(p)
    params, _ = stack_module_state(networks)

    def loss_fn(params: Any, data: Any) -> Tensor:
        return vmap(lambda one: F.cross_entropy(functional_call(networks[0], one, (data[0],)), data[1]))(params).sum()

    objective = Objective(params=params, loss_fn=loss_fn, batch=batch(0))
    gradient = objective.loss_and_grad(objective.here())[1]
    for index, each in enumerate(networks):
        slopes = torch.autograd.grad(cross_entropy(each, batch(0)), list(each.parameters()))
        for (name, _), slope in zip(each.named_parameters(), slopes, strict=True):
            torch.testing.assert_close(gradient[name][index], slope)


def test_batchnorm_in_a_functional_model_keeps_its_buffers() -> None:
    """The truth is the loop without a recorder: buffers are the module's own, and `functional_call` fills them."""

    def run(recorded: bool) -> tuple[Tensors, Tensors]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, momentum=0.5), nn.Tanh(), nn.Linear(8, 4))
        params = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
        loss_fn = functional_loss(model)
        recorder = Recorder(params=lambda: params, loss_fn=loss_fn, probes=FORWARD, when=every(1))
        for index in range(4):
            if recorded:
                recorder.step(batch(index))
            slopes = torch.autograd.grad(loss_fn(params, batch(index)), list(params.values()))
            params = {
                name: (p - 0.1 * slope).detach().requires_grad_()
                for (name, p), slope in zip(params.items(), slopes, strict=True)
            }
        if recorded:
            assert recorder.read("landscape")["step"].tolist() == [0, 1, 2, 3]
        return params, {name: b.clone() for name, b in model.named_buffers()}

    for plain, measured in zip(run(False), run(True), strict=True):
        assert all(torch.equal(measured[name], value) for name, value in plain.items())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"w": torch.zeros(3)}, r"'w' was \(2,\) and is \(3,\)"),
        ({"v": torch.zeros(2)}, r"'w' was \(2,\) and is missing"),
        ({"w": torch.zeros(2), "v": torch.zeros(2)}, r"'v' was missing and is \(2,\)"),
    ],
)
def test_other_tensors_than_at_first_are_refused(changed: Tensors, said: str) -> None:
    """The truth is what was done: the mapping changed between two steps, so no row could speak of one run."""
    params: Tensors = {"w": torch.zeros(2)}
    recorder = Recorder(
        params=lambda: params,
        loss_fn=lambda params, _batch: sum(p.sum() for p in params.values()),
        probes=[landscape(sizes=[1.0], relative=False)],
        when=every(1),
    )
    params = changed
    with pytest.raises(ValueError, match=said):
        recorder.step(None)


def test_a_recorder_takes_either_a_model_or_params() -> None:
    """The truth is the signature: of the two one must be there, and one alone."""
    arguments: Any = {"loss_fn": lambda params, _batch: params["w"].sum(), "probes": [headroom()]}
    with pytest.raises(TypeError, match="found both"):
        Recorder(nn.Linear(1, 1), params={"w": torch.zeros(1)}, **arguments)
    with pytest.raises(TypeError, match="found neither"):
        Recorder(**arguments)
    with pytest.raises(ValueError, match="optimizer"):
        Recorder(params={"w": torch.zeros(1)}, optimizer=torch.optim.SGD([torch.zeros(1)], lr=1.0), **arguments)
