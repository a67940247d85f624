"""Compiled models, losses and optimizers: measured uncompiled, they stay compiled as they were."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loops import FORMS, STEPS, Loop, Run, assert_measured, ran
from models import batch, cross_entropy
from properties import assert_same
from torch import Tensor, nn
from torch._dynamo.utils import counters

from clinometer import Recorder, activations, at, batchnorm_terms, every, internal_shift

ORDER = 1e-5  # float32 sums in another order: about eps times the number of terms
ADAM = torch.optim.Adam
# torch compiles its optimizers with parts of its own that it has deprecated
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
]


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    torch._dynamo.reset()
    counters.clear()


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def compiled_model(**options: Any) -> Loop:
    def loop(run: Run) -> None:
        model = Network()
        train(run, torch.compile(model, **options), cross_entropy)

    return loop


def compiled_beside(run: Run) -> None:
    """The loop uses the compiled model, the recorder has been given the other."""
    model = Network()
    train(run, torch.compile(model, backend="eager"), cross_entropy, known=model)


def compiled_in_place(run: Run) -> None:
    model = Network()
    model.compile(backend="eager")
    train(run, model, cross_entropy)


def compiled_loss(run: Run) -> None:
    train(run, Network(), torch.compile(cross_entropy, backend="eager"))


def compiled_optimizer(run: Run) -> None:
    model = Network()
    optimizer = ADAM(model.parameters(), lr=torch.tensor(0.01))
    train(run, model, cross_entropy, optimizer=optimizer, take=torch.compile(optimizer.step, backend="eager"))


def compiled_function(run: Run) -> None:
    """The optimizer's step inside a function of one's own that is compiled."""
    model = Network()
    optimizer = ADAM(model.parameters(), lr=torch.tensor(0.01))

    @torch.compile(backend="eager")
    def take() -> None:
        optimizer.step()

    train(run, model, cross_entropy, optimizer=optimizer, take=take)


def compiled_whole(run: Run) -> None:
    """Forward pass, backward pass and step in one compiled function."""
    model = Network()
    optimizer = ADAM(model.parameters(), lr=torch.tensor(0.01))
    run.attach(model, cross_entropy, optimizer)

    @torch.compile(backend="eager")
    def whole(data: Any) -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model, data)
        loss.backward()
        optimizer.step()
        return loss

    for index in range(STEPS):
        with run.step(batch(index)):
            loss = whole(batch(index))
        run.took(loss)


def train(
    run: Run,
    model: Any,
    loss_fn: Any,
    *,
    known: nn.Module | None = None,
    used: Any = None,
    optimizer: torch.optim.Optimizer | None = None,
    take: Callable[[], object] | None = None,
) -> None:
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    run.attach(known or model, loss_fn, optimizer)
    for index in range(STEPS):
        with run.step(batch(index)):
            loss = (used or loss_fn)(model, batch(index))
            loss.backward()
            (take or optimizer.step)()
            optimizer.zero_grad()
        run.took(loss)


LOOPS: dict[str, Loop] = {
    "model, eager": compiled_model(backend="eager"),
    "model, aot_eager": compiled_model(backend="aot_eager"),
    "model beside": compiled_beside,
    "model in place": compiled_in_place,
    "loss": compiled_loss,
    "optimizer's step": compiled_optimizer,
    "function that steps": compiled_function,
    "whole step": compiled_whole,
}


INDUCTOR = [pytest.mark.long, pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*LOOPS, pytest.param("inductor", marks=INDUCTOR)])
def test_measured_it_is_the_same_run(name: str, form: str) -> None:
    """The truth is the compiled loop without a recorder."""
    assert_measured((LOOPS | {"inductor": compiled_model()})[name], form, ORDER)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOOPS)
def test_measuring_compiles_nothing(name: str, form: str) -> None:
    """Counted by torch itself: as many graphs and graph breaks with measurements as with a schedule of none."""
    found: list[dict[str, dict[str, int]]] = []
    for when in (at(), every(2)):
        torch._dynamo.reset()
        counters.clear()
        ran(LOOPS[name], form, when)
        found.append({kind: dict(counts) for kind, counts in counters.items()})
    assert found[0] == found[1]
    assert found[0]["stats"]["unique_graphs"] > 0, "else nothing was compiled at all"


def test_hooks_see_the_modules_of_a_compiled_model() -> None:
    """The truth is the model uncompiled; hooks that are set after compiling do not fire in what was compiled."""
    rows = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model: Any = Network()
        prefix = "_orig_mod." if compiled else ""
        if compiled:
            model = torch.compile(model, backend="eager")
        probes = [activations([f"{prefix}layers.0", f"{prefix}layers.1"]), batchnorm_terms(), internal_shift()]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(model, cross_entropy, probes, every(2), optimizer=optimizer)
        for index in range(STEPS):
            with recorder.step(batch(index)):
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
                optimizer.zero_grad()
        rows.append([dict(recorder.read(name)) for name in recorder.probes])
        for each in rows[-1]:
            each["layer"] = [[name.removeprefix(prefix) for name in names] for names in each["layer"].tolist()]
    assert_same(rows[1], rows[0])


@pytest.mark.parametrize("same_draws", [pytest.param(same, marks=INDUCTOR) for same in (True, False)])
def test_dropout_that_inductor_draws_its_own_way_is_told(same_draws: bool) -> None:
    """torch's documented switch makes compiled code draw as Python does; without it the losses are of other masks."""

    def loop(run: Run) -> None:
        model = nn.Sequential(Network(), nn.Dropout(0.5))
        with torch._inductor.config.patch(fallback_random=same_draws):
            train(run, torch.compile(model), cross_entropy)

    if same_draws:
        assert_measured(loop, "block", ORDER)
    else:
        with pytest.warns(UserWarning, match="fallback_random = True"):
            assert_measured(loop, "block", 1.0)


def test_casts_inside_compiled_code_are_no_false_alarm() -> None:
    """The graph does not show them; bfloat16 rounds outputs near 100 to halves, and the loss with them."""

    def loop(run: Run) -> None:
        model = Network()
        nn.init.normal_(model.layers[3].weight, std=5.0)
        nn.init.constant_(model.layers[3].bias, 100.0)

        @torch.compile(backend="aot_eager")
        def cast(model: nn.Module, data: Any) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return cross_entropy(model, data)

        train(run, model, cross_entropy, used=cast)

    run = assert_measured(loop, "block", 0.03)
    gaps = [abs(float(step.loss / run.losses[index]) - 1) for index, step in run.seen.items()]
    assert max(gaps) > 2e-3, "else this test says nothing"
