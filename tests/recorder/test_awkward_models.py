"""No trace, and the right numbers, for models whose state is more than parameters and buffers."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, traces
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, weight_norm
from torch.nn.utils import spectral_norm as legacy_spectral_norm
from torch.utils.checkpoint import checkpoint

from clinometer import Objective, Recorder, covariate_shift, every, internal_shift, landscape, layers_of


class FilledOnFirstUse(nn.Linear):
    """A buffer that is None until the first forward pass, and changed in place from then on."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.register_buffer("average", None)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if self.average is None:
            self.average = torch.zeros(4)
        self.average.mul_(0.9).add_(0.1 * y.detach().mean(0))
        return y + self.average


class OwnGenerator(nn.Linear):
    """Noise from a generator that belongs to the module."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.generator = torch.Generator().manual_seed(1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.3 * torch.randn(x.shape, generator=self.generator)


class Annealed(nn.Linear):
    """A Python float and a list that change at every call, and a plain tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.temperature = 1.0
        self.history: list[Any] = []
        self.notes: dict[str, Any] = {"history": self.history, "seen": deque(maxlen=2)}
        self.notes["notes"] = self.notes  # a state that holds itself
        self.momentum = torch.zeros(4)

    def forward(self, x: Tensor) -> Tensor:
        self.temperature *= 0.9
        y = super().forward(x) * self.temperature + sum(self.history[-2:], torch.zeros(4)) + self.momentum
        self.notes["seen"].append(y.detach().mean().item())
        self.notes["history"].append(y.detach().mean(0))
        self.momentum.add_(0.01 * y.detach().mean(0))
        return y


class Codebook(nn.Linear):
    """A parameter that is not trained by gradients but moved by the forward pass, as in VQ-VAE."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.code = nn.Parameter(torch.zeros(4), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        with torch.no_grad():
            self.code.add_(0.1 * (y.mean(0) - self.code))
        return y + self.code


class Clamped(nn.Linear):
    """Weights that the forward pass holds within bounds, in place and behind autograd's back."""

    def __init__(self) -> None:
        super().__init__(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.weight.data.clamp_(-0.3, 0.3)
        return super().forward(x)


class Tagged(nn.Linear):
    """A penalty that chooses parameters by class, by `requires_grad` and by a tag, as optimizers' helpers do."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.bias.no_decay = True
        self.scale = nn.Parameter(torch.ones(4), requires_grad=False)
        self.counts = np.zeros(4)
        self.seen: Counter[str] = Counter()

    def forward(self, x: Tensor) -> Tensor:
        self.counts += 1
        self.seen["calls"] += 1
        assert isinstance(self.scale, nn.Parameter)
        decayed = [p for p in self.parameters() if isinstance(p, nn.Parameter) and p.requires_grad]
        penalty = sum(p.square().sum() for p in decayed if not getattr(p, "no_decay", False))
        return super().forward(x) * self.scale + 0.01 * penalty * self.counts[0] * self.seen["calls"]


class HiddenTeacher(nn.Linear):
    """A module kept in a list, so that its parameters are not the model's; its BatchNorm moves all the same."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.teacher = [nn.BatchNorm1d(4, momentum=0.5)]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.teacher[0](x) + self.teacher[0].running_mean


class Checkpointed(nn.Sequential):
    """Activations thrown away and computed again in the backward pass, BatchNorm and dropout among them."""

    keep = False

    def forward(self, x: Tensor) -> Tensor:
        run = super().forward
        return run(x) if self.keep else checkpoint(run, x, use_reentrant=False)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 4, num_layers=2, dropout=0.2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x[:, None])[0][:, 0]


def block() -> list[nn.Module]:
    return [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Tanh(), nn.Linear(4, 4)]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "buffer filled on first use": FilledOnFirstUse,
    "own generator": OwnGenerator,
    "annealed attributes": Annealed,
    "codebook": Codebook,
    "clamped weights": Clamped,
    "chosen parameters": Tagged,
    "hidden teacher": HiddenTeacher,
    "checkpointed": lambda: Checkpointed(*block()),
    "recurrent": Recurrent,
    "weight norm, legacy": lambda: weight_norm(nn.Linear(4, 4)),
    "spectral norm, legacy": lambda: legacy_spectral_norm(nn.Linear(4, 4)),
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(4, 4)),
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Linear(4, 4)),
    "compiled": lambda: torch.compile(nn.Sequential(*block()), backend="eager"),
}
pytestmark = pytest.mark.filterwarnings("ignore:.*(weight_norm|torch.jit).*")


def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
    return F.mse_loss(model(x), x.flip(1))


def run(name: str, measured: bool) -> tuple[dict[str, Any], list[Tensor], Recorder]:
    torch.manual_seed(0)
    model = MODELS[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    probes = [landscape(), internal_shift()]
    when = every(1 if measured else 10_000)
    recorder = Recorder(model, loss_fn, probes, when, optimizer=optimizer, start=int(not measured))
    losses = []
    for _ in range(4):
        x = torch.randn(8, 4)
        with recorder.step(x):
            loss = loss_fn(model, x)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.detach())
    state = traces(model, optimizer)
    state["attributes"] = {n: plain(m) for n, m in model.named_modules()}
    state["hidden"] = [teacher.state_dict() for teacher in getattr(model, "teacher", [])]
    return {name: value for name, value in state.items() if name != "identities"}, losses, recorder


def plain(module: nn.Module) -> dict[str, Any]:
    """A module's own attributes that hold numbers, arrays or counts."""
    own = {
        n: v
        for n, v in vars(module).items()
        if isinstance(v, int | float | Tensor | np.ndarray | Counter) and n[0] != "_"
    }
    return {n: v.detach().clone() if isinstance(v, Tensor) else v for n, v in own.items()}


@pytest.mark.parametrize("name", MODELS)
def test_training_is_bit_identical_and_the_loss_is_its_own(name: str) -> None:
    """The truth is the same run unmeasured, to the last attribute; and each row's loss is the loop's."""
    measured, losses, recorder = run(name, measured=True)
    plain_run, plain_losses, _ = run(name, measured=False)
    assert_same(measured, plain_run)
    assert_same(losses, plain_losses)
    assert recorder.read("landscape")["loss"].tolist() == [loss.item() for loss in losses]


def test_checkpointing_does_not_change_the_landscape() -> None:
    """The truth is the same network with its activations kept: recomputing must meet the same values and draws."""
    torch.manual_seed(0)
    model = Checkpointed(*block())
    x = torch.randn(8, 4)
    objective = Objective(model, loss_fn, x)
    elsewhere = {name: value + 0.3 for name, value in objective.here().items()}
    checkpointed = objective.loss_and_grad(elsewhere)
    model.keep = True
    kept = Objective(model, loss_fn, x, seed=objective._snapshots[0]._streams)
    assert_same(checkpointed, kept.loss_and_grad(elsewhere))


def test_a_forward_pass_that_clamps_does_not_move_the_point() -> None:
    """The point belongs to whoever asks: compared before and after, and the live weights too."""
    torch.manual_seed(0)
    model = Clamped()
    objective = Objective(model, loss_fn, torch.randn(8, 4))
    at = {name: 10 * value for name, value in objective.here().items()}
    kept, live = {n: v.clone() for n, v in at.items()}, objective.here()
    objective.loss_and_grad(at)
    objective.loss(dict(model.named_parameters()))
    assert_same(at, kept)
    assert_same(objective.here(), live)


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm, weight_norm])
def test_a_parametrized_layer_keeps_its_own_bias_and_direction(wrap: Callable[[nn.Module], nn.Module]) -> None:
    """Definition 2.1: a layer's own bias is not before it, so moving that alone shifts nothing in that layer."""
    torch.manual_seed(0)
    model = nn.Sequential(wrap(nn.Linear(4, 4)), nn.Tanh(), wrap(nn.Linear(4, 4))).double()
    objective = Objective(model, loss_fn, torch.randn(8, 4, dtype=torch.float64))
    layers = layers_of(model)
    assert list(layers) == ["0", "2"]
    assert [objective.here()[names[0]].shape for names in layers.values()] == [(4, 4), (4, 4)]
    before = objective.here()
    after = {**before, "2.bias": before["2.bias"] + 1.0}
    shift = covariate_shift(objective, before, after, layers)
    torch.testing.assert_close(shift.l2, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
