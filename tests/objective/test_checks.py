"""The errors for losses, batches and models that cannot be measured."""

from typing import Any

import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Objective, Recorder, landscape


def test_a_loss_that_keeps_parameters_of_its_own_is_refused() -> None:
    """The penalty would stay at the live weights while the walk moves: wrong numbers without an error."""
    model = nn.Linear(3, 1)
    kept = list(model.parameters())
    objective = Objective(model, lambda m, x: m(x).sum() + sum(p.square().sum() for p in kept), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"uses the parameter '(weight|bias)' by a reference of its own"):
        objective.loss_and_grad(objective.here())


@pytest.mark.parametrize("change", [lambda x: x.data.add_(1.0), lambda x: x.numpy().__iadd__(1.0)])
def test_a_batch_that_is_changed_behind_torchs_back_is_refused(change: Any) -> None:
    """`.data` and NumPy leave the tensor's version as it was: loops of public GANs fill their labels so."""
    x = torch.tensor([[float("nan"), 1.0, 2.0], [3.0, 4.0, 5.0]])
    objective = Objective(nn.Linear(3, 1), lambda m, b: m(b[0]).sum() + b[1].sum(), (torch.ones(1, 3), x[1]))
    version = x._version
    change(x[1])
    assert x._version == version
    with pytest.raises(ValueError, match="batch was changed in place"):
        objective.loss(objective.here())


def test_a_batch_with_nan_in_it_is_not_taken_for_changed() -> None:
    """NaN differs from itself; data that hold it are data all the same."""
    x = torch.tensor([[float("nan"), 1.0, 2.0]])
    objective = Objective(nn.Linear(3, 1), lambda m, b: m(b).sum(), x)
    assert objective.loss(objective.here()).isnan()


def test_a_batch_that_is_changed_is_refused() -> None:
    """By the step, after the objective was made, or by the loss itself, whose next evaluation would differ."""
    x = torch.ones(2, 3)
    objective = Objective(nn.Linear(3, 1), lambda m, b: m(b["x"]).sum(), {"x": x})
    x.add_(1.0)
    with pytest.raises(ValueError, match="batch was changed in place"):
        objective.loss(objective.here())
    greedy = Objective(nn.Linear(3, 1), lambda m, b: m(b.mul_(2.0)).sum(), torch.ones(2, 3))
    with pytest.raises(ValueError, match="batch was changed in place"):
        greedy.loss(greedy.here())


@pytest.mark.parametrize(
    ("loss_fn", "error", "words"),
    [
        (lambda m, b: m(b[0]), ValueError, r"scalar .* found shape \(16, 4\)"),
        (lambda m, b: cross_entropy(m, b).item(), TypeError, "scalar tensor; found float"),
        (lambda m, b: cross_entropy(m, b).detach(), ValueError, "no graph"),
        (lambda m, b: m(b[0]).argmax(1)[0], ValueError, "floating"),
    ],
)
def test_a_loss_that_cannot_be_measured_is_refused(loss_fn: object, error: type[Exception], words: str) -> None:
    """Each would otherwise fail deep inside autograd, or give a number that means nothing."""
    objective = Objective(everything(), loss_fn, batch())  # type: ignore[arg-type]
    with pytest.raises(error, match=words):
        objective.loss_and_grad(objective.here())


def test_a_batch_on_another_device_is_named() -> None:
    """The meta device stands for a GPU that this machine lacks: torch's own error names neither batch nor model."""
    objective = Objective(everything(), cross_entropy, tuple(t.to("meta") for t in batch()))
    with pytest.raises(ValueError, match=r"batch lies on meta and the model on cpu"):
        objective.loss_and_grad(objective.here())


def scripted() -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
@pytest.mark.parametrize("where", ["the model", "a part of the model", "a teacher that loss_fn uses", "traced"])
@pytest.mark.parametrize("make", [Objective, lambda *args: Recorder(*args[:2], [landscape([0.1], relative=False)])])
def test_torchscript_is_refused_where_the_objective_or_the_recorder_is_made(make: Any, where: str) -> None:
    """Its buffers are not Python's to set aside: BatchNorm's running statistics would move with every evaluation."""
    model: nn.Module = nn.Linear(2, 2)
    loss_fn = lambda m, x: m(x).sum()  # noqa: E731
    if where == "the model":
        model = scripted()
    elif where == "traced":
        model = torch.jit.trace(model, torch.ones(1, 2))
    elif where == "a part of the model":
        model = nn.Sequential(model, scripted())
    else:
        teacher = scripted()
        loss_fn = lambda m, x: (m(x) - teacher(x)).sum()  # noqa: E731
    words = r"expected modules whose state is Python's; found the TorchScript module '(Sequential|Linear)'.*Measure the"
    with pytest.raises(ValueError, match=words):
        make(model, loss_fn, torch.ones(4, 2))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.RNN(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        seen, hidden = self.rnn(x, hidden)
        return self.out(seen[-1]), hidden


def test_a_batch_with_a_graph_is_named_as_that() -> None:
    """Truncated backpropagation through time, where a hidden state comes undetached: loss_fn keeps no reference."""
    model, x = Recurrent(), torch.randn(4, 16, 6)
    _, hidden = model(x, torch.zeros(1, 16, 5))

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return model(*data["parts"])[0].square().mean()

    objective = Objective(model, loss_fn, {"parts": (x, hidden)})
    with pytest.raises(ValueError, match=r"batch carries a graph.*shape \(1, 16, 5\).*'rnn\.bias_hh_l0'.*Detach it"):
        objective.loss_and_grad(objective.here())
    detached = Objective(model, loss_fn, {"parts": (x, hidden.detach())})
    assert float(detached.loss_and_grad(detached.here())[0]) > 0


def test_an_error_that_is_not_about_devices_is_not_blamed_on_them() -> None:
    """The batch lies elsewhere, and is moved by loss_fn; what then goes wrong is another thing."""

    def loss_fn(model: nn.Module, data: Tensor) -> Tensor:
        return model(torch.ones(data.shape))

    objective = Objective(nn.Linear(3, 1), loss_fn, torch.ones(2, 4, device="meta"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        objective.loss(objective.here())
