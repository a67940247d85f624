"""The loss that training minimised against `loss_fn`'s: one warning says that they differ, and by how much."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loops import FORMS, begun
from models import batch, cross_entropy, everything
from properties import assert_same
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, landscape

Loss = Callable[[nn.Module, Any], Tensor]
torch_backward = torch.autograd.backward


def attached(loss_fn: Loss, model: nn.Module | None = None) -> tuple[nn.Module, torch.optim.Optimizer, Recorder]:
    model = model or everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)


def train(minimised: Loss, loss_fn: Loss, form: str, steps: int = 4, accumulate: int = 1) -> Recorder:
    """A loop that minimises one loss, with a recorder that was given another."""
    model, optimizer, recorder = attached(loss_fn)
    for index in range(steps * accumulate):
        with begun(recorder, batch(index), form):
            minimised(model, batch(index)).backward()
            if index % accumulate == accumulate - 1:
                optimizer.step()
                optimizer.zero_grad()
    return recorder


def summed(model: nn.Module, data: Any) -> Tensor:
    return F.cross_entropy(model(data[0]), data[1], reduction="sum")


def penalised(model: nn.Module, data: Any) -> Tensor:
    return cross_entropy(model, data) + 0.01 * sum(p.square().sum() for p in model.parameters() if p.requires_grad)


def next_batch(model: nn.Module, data: Any) -> Tensor:
    return cross_entropy(model, (data[0].flip(1), data[1]))


def evaluated(model: nn.Module, data: Any) -> Tensor:
    model.eval()
    loss = cross_entropy(model, data)
    model.train()
    return loss


WRONG: dict[str, Loss] = {
    "sum": summed,
    "penalty": penalised,
    "another batch": next_batch,
    "evaluation mode": evaluated,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("name", WRONG)
def test_another_loss_is_warned_of_once(name: str, accumulate: int, form: str) -> None:
    """A landscape of what is not trained is worse than none; but one line about it is enough."""
    with pytest.warns(UserWarning, match="What is measured is not what is trained") as told:
        train(WRONG[name], cross_entropy, form, accumulate=accumulate)
    assert len(told) == 1


def test_it_says_by_how_much() -> None:
    """By hand: the sum over 16 samples is 16 times their mean."""
    words = r"at step 0, where training called .backward\(\) on .*, 0.0625 times as much"
    with pytest.warns(UserWarning, match=words):
        train(summed, cross_entropy, "block")


def test_a_line_behind_the_forward_pass_is_warned_of() -> None:
    """Dropout has been drawn and running statistics have moved by then: the step began with others."""
    model, optimizer, recorder = attached(cross_entropy)
    loss = cross_entropy(model, batch())
    recorder.step(batch())
    loss.backward()
    with pytest.warns(UserWarning, match=r"call recorder.step\(batch\) before the forward pass"):
        optimizer.step()


WEIGHED: dict[str, Callable[[Tensor], None]] = {
    "a weight": lambda loss: loss.backward(torch.tensor(0.5)),
    "two parts": lambda loss: torch.autograd.backward([loss / 4, loss / 4]),
    "weighted parts": lambda loss: torch.autograd.backward((loss, loss), (torch.tensor(0.25), torch.tensor(0.25))),
    "one after the other": lambda loss: [(loss / 4).backward(retain_graph=True) for _ in range(2)],
    "by keyword": lambda loss: torch.autograd.backward(tensors=loss, grad_tensors=torch.tensor(0.5)),
    "one number in a row": lambda loss: (loss / 2).reshape(1).backward(),
    "with others' scalers": lambda loss: [
        each.backward(retain_graph=True) for each in torch.amp.GradScaler("cpu", enabled=False).scale([loss / 4] * 2)
    ],
}


@pytest.mark.parametrize("name", WEIGHED)
def test_half_a_loss_is_recognised_in_each_form(name: str) -> None:
    """All of these have the gradient of half the loss: a loss_fn that returns that causes no warning."""
    model, optimizer, recorder = attached(lambda model, data: cross_entropy(model, data) / 2)
    for index in range(3):
        with recorder.step(batch(index)):
            WEIGHED[name](cross_entropy(model, batch(index)))
            optimizer.step()
            optimizer.zero_grad()


def test_infinite_and_nan_losses_cause_no_warning() -> None:
    """A run that diverges is data: its loss and ours are both no numbers."""

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return cross_entropy(model, data) * 1e30 * 1e30

    train(loss_fn, loss_fn, "block")


@pytest.mark.parametrize("form", FORMS)
def test_another_model_is_refused(form: str) -> None:
    """The backward pass reaches none of the recorder's parameters: what would be measured was never trained."""
    _, _, recorder = attached(cross_entropy)
    other = everything(1)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)

    def step(index: int) -> None:
        with begun(recorder, batch(index), form):
            cross_entropy(other, batch(index)).backward()
            optimizer.step()

    with pytest.raises(ValueError, match=r"trained another model than the recorder's.*Make one Recorder per model"):
        [step(index) for index in range(2)]


def test_an_optimizer_of_another_model_is_refused_at_once() -> None:
    """The first scheduled step may be hours away."""
    other = torch.optim.SGD(everything().parameters(), lr=0.1)
    with pytest.raises(ValueError, match="pass the optimizer that trains this model"):
        Recorder(everything(), cross_entropy, [landscape()], every(1), optimizer=other)


def test_a_frozen_model_is_refused_at_once() -> None:
    """There is no landscape over no parameters."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="no trainable parameter"):
        Recorder(model.requires_grad_(False), cross_entropy, [landscape()], every(1), optimizer=optimizer)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", [lambda x: x.mul_(2), lambda x: x.data.mul_(2), lambda x: x.numpy().fill(1)])
def test_a_batch_that_the_step_changes_is_refused(change: Any, form: str) -> None:
    """What would be measured is not what was trained; a copy helps, and the error says so."""
    model, optimizer, recorder = attached(cross_entropy)
    data = batch()

    def step() -> None:
        with begun(recorder, data, form):
            cross_entropy(model, data).backward()
            change(data[0])
            optimizer.step()

    with pytest.raises(ValueError, match=r"changed in place.*batch = batch.clone\(\)"):
        step()


def test_the_patches_of_torch_are_removed() -> None:
    """Compared by identity: after each step, after a failure, and after a recorder that went away in the middle."""
    gc.collect()  # of recorders that other tests have left
    train(cross_entropy, cross_entropy, "line")
    assert torch.autograd.backward is torch_backward
    model, _, recorder = attached(cross_entropy)
    with pytest.raises(KeyError), recorder.step(batch()):
        raise KeyError
    assert torch.autograd.backward is torch_backward
    recorder.step(batch())
    assert torch.autograd.backward is not torch_backward
    del recorder
    gc.collect()
    cross_entropy(model, batch()).backward()
    assert torch.autograd.backward is torch_backward


def test_a_warning_names_the_line_of_the_loop() -> None:
    """Read from the warning: a line of ours would tell nobody where to look."""
    with pytest.warns(UserWarning, match="What is measured is not what is trained") as told:
        train(summed, cross_entropy, "line", steps=1)
    assert told[0].filename == __file__


def test_an_error_of_ours_amid_a_backward_pass_costs_the_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth is the loop unmeasured, from the same seed: it ends with the same weights, bit for bit."""

    def broken(_loss: Tensor) -> set[Any]:
        raise KeyError("node")

    def trained(measured: bool) -> tuple[nn.Module, Recorder]:
        torch.manual_seed(0)
        model, optimizer, recorder = attached(cross_entropy)
        for index in range(3):
            optimizer.zero_grad()
            with monkeypatch.context() as patched:
                if index == 1:
                    patched.setattr("clinometer.recorder.loss_capture.graph_nodes", broken)
                if measured:
                    recorder.step(batch(index))
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
        return model, recorder

    plain, _ = trained(measured=False)
    with pytest.warns(UserWarning, match="a measurement failed, and its row is dropped.*node"):
        model, recorder = trained(measured=True)
    assert_same(dict(model.state_dict()), dict(plain.state_dict()))
    assert recorder.read("landscape")["step"].tolist() == [0, 2]
