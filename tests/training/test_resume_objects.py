"""A run goes on with what its code keeps in plain attributes, generators, closures and globals, or is made again."""

import contextlib
import itertools
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, without_when
from torch import Tensor, nn

from clinometer import Store
from clinometer.training import from_config
from clinometer.training.config import RunConfig
from clinometer.training.object_state import load_objects, state_of_objects
from clinometer.training.run import run, run_group

HERE = __name__
COUNT = 0
MINE = {"seen": [0]}


class Net(nn.Module):
    """A classifier of digits whose logits are divided by what `scale` returns at each step of training."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.body(x)
        return logits / self.scale(logits) if self.training else logits

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        return 1.0


class Counted(Net):
    seen = 0

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        self.seen += 1
        return 1 + 0.01 * self.seen


class Listed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.kept = [torch.zeros(())]

    def scale(self, logits: Tensor) -> Any:
        self.kept.append(0.9 * self.kept[-1] + 0.1 * logits.detach().abs().mean())
        return 1 + self.kept[-1]


class Late(Net):
    """Its count is asked for in some later step only."""

    def __init__(self) -> None:
        super().__init__()
        self.last = deque([0.0], maxlen=3)
        self.by_name = {"n": np.float64(0)}

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        self.by_name["n"] += 1
        self.last.append(float(self.by_name["n"]))
        return 1 + (sum(self.last) if self.by_name["n"] == 9 else 0)


class Drawn(Net):
    def __init__(self) -> None:
        super().__init__()
        self.streams = {"numpy": np.random.default_rng(1), "torch": [torch.Generator().manual_seed(2)]}
        self.old = (np.random.RandomState(3),)

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        torchs = torch.rand((), generator=self.streams["torch"][0])
        return 1 + self.streams["numpy"].random() + torchs + self.old[0].rand()


class Schedule:
    def __init__(self) -> None:
        self.at = 0

    def next(self) -> float:
        self.at += 1
        return 1 + 0.02 * self.at


class Held(Net):
    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule()

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        return self.schedule.next()


class Global(Net):
    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        global COUNT
        COUNT += 1
        MINE["seen"][0] += 1
        return 1 + 0.01 * COUNT + 0.1 * MINE["seen"][0]


class Thawing(Net):
    """Its weight is frozen at first."""

    def __init__(self) -> None:
        super().__init__()
        self.body[1].weight.requires_grad_(False)
        self.steps = 0

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        self.steps += 1
        if self.steps == 5:
            self.body[1].weight.requires_grad_(True)
        return 1.0


class Iterated(Net):
    """What an iterator has in it cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)

    def scale(self, logits: Tensor) -> Any:  # noqa: ARG002
        return 1 + 0.01 * next(self.numbers)


def closed() -> nn.Module:
    """A network whose hook counts in a closure."""
    net, seen = Net(), 0

    def scaled(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        nonlocal seen
        seen += module.training
        return output / (1 + 0.01 * seen)

    net.register_forward_hook(scaled)
    return net


def half() -> nn.Module:
    return Net().to(torch.bfloat16)


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(96, 64, generator=generator), torch.randint(10, (96,), generator=generator)


def half_images() -> tuple[Tensor, Tensor]:
    inputs, targets = images()
    return inputs.to(torch.bfloat16), targets


class Falling(torch.optim.SGD):
    """Its rate falls with a count of its own."""

    n = 0

    def step(self, closure: Any = None) -> Any:
        self.n += 1
        self.param_groups[0]["lr"] = 0.1 / self.n
        return super().step(closure)


class Scheduled(torch.optim.SGD):
    """It steps a scheduler of torch's."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self, 0.8)

    def step(self, closure: Any = None) -> Any:
        found = super().step(closure)
        self.scheduler.step()
        return found


class Master(torch.optim.Optimizer):
    """It keeps float32 weights of a bfloat16 network in its state."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                master = self.state[p].setdefault("master", p.detach().float().clone())
                master -= group["lr"] * p.grad.float()
                p.copy_(master)


class CutError(Exception):
    """Nothing else raises it."""


def interrupted(at: int) -> Any:
    """Let the next run end before this step."""
    whole = from_config.batches_of

    def batches(*args: Any) -> Iterator[Any]:
        for index, batch in enumerate(whole(*args), args[3]):
            if index == at:
                raise CutError
            yield batch

    patch = pytest.MonkeyPatch()
    patch.setattr(from_config, "batches_of", batches)
    return patch


def begin_process() -> None:
    """What a new process would begin with."""
    global COUNT
    COUNT = 0
    MINE["seen"] = [0]


def losses(folder: Path) -> Any:
    with contextlib.closing(Store(folder / "rows.sqlite", read_only=True)) as store:
        return {probe: store.read(probe) for probe in store.probes()} | {"meta": without_when(store.meta)}


def resumed(config: RunConfig, folder: Path) -> tuple[int, list[str]]:
    """Interrupt a run and let it go on: the first step that it takes again, and what was warned of."""
    asked: list[int] = []
    whole = from_config.batches_of
    begin_process()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        patch = interrupted(7)
        with pytest.raises(CutError):
            run_group({config: folder}, every=0.0)
        patch.undo()
        begin_process()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(from_config, "batches_of", lambda *args: (asked.append(args[3]), whole(*args))[1])
            run(config, folder)
    return asked[0], [str(each.message) for each in caught if "cannot be resumed" in str(each.message)]


BASE = RunConfig(
    f"{HERE}:Net", f"{HERE}:images", settings={"lr": 0.1}, steps=12, measure_every=2, test_every=6, batch_size=32
)
CASES = {
    **{name: BASE.vary(model=f"{HERE}:{name}") for name in ("Net", "Counted", "Listed", "Late", "Drawn", "Thawing")},
    # Without probes: an evaluation would count as well.
    **{name: BASE.vary(model=f"{HERE}:{name}", probes=()) for name in ("Held", "Global", "closed")},
    **{name: BASE.vary(optimizer=f"{HERE}:{name}") for name in ("Falling", "Scheduled")},
    "Master": BASE.vary(model=f"{HERE}:half", data=f"{HERE}:half_images", optimizer=f"{HERE}:Master", probes=()),
}


@pytest.mark.parametrize("name", CASES)
def test_it_goes_on_with_what_its_code_keeps(name: str, tmp_path: Path) -> None:
    """The truth is the run that was not interrupted: its rows, facts and the digest of its weights, bit for bit."""
    begin_process()
    run(CASES[name], tmp_path / "whole")
    first, warned = resumed(CASES[name], tmp_path / "parts")
    assert_same(losses(tmp_path / "parts"), losses(tmp_path / "whole"))
    assert warned == []
    assert first == 7


def test_a_run_that_cannot_go_on_is_made_again_and_said_so(tmp_path: Path) -> None:
    """An iterator's place is not to be had: the first checkpoint is tried, and none is kept."""
    config = BASE.vary(model=f"{HERE}:Iterated", probes=())  # each evaluation would take a number
    run(config, tmp_path / "whole")
    first, warned = resumed(config, tmp_path / "parts")
    assert_same(losses(tmp_path / "parts"), losses(tmp_path / "whole"))
    assert first == 0
    assert len(warned) == 1
    assert "its state after one more step is not that of the run" in warned[0]


def test_what_a_checkpoint_cannot_hold_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object in the optimizer's groups: the run goes on without checkpoints, with the reason."""
    monkeypatch.setattr(torch.optim.SGD, "odd", object(), raising=False)
    whole = torch.optim.SGD.state_dict
    monkeypatch.setattr(torch.optim.SGD, "state_dict", lambda self: {**whole(self), "odd": object()})
    with pytest.warns(UserWarning, match="cannot be resumed from a checkpoint: a checkpoint holds .* found object"):
        run_group({BASE: tmp_path / "run"}, every=0.0)
    assert losses(tmp_path / "run")["meta"]["ended"]


def test_plain_state_is_put_back_where_it_was() -> None:
    """Aliases stay aliases, cycles end, parameters are named and not copied, and what is new since is taken away."""

    def made() -> tuple[dict[str, Any], nn.Module]:
        net = Counted()
        net.shared = [1, {"a": torch.arange(3)}]  # type: ignore[assignment]
        net.alias = net.shared  # type: ignore[assignment]
        net.me = [net.body]  # type: ignore[assignment]
        net.weights = (net.body[1].weight,)  # type: ignore[assignment]
        return {"net": net}, net

    roots, net = made()
    net.shared[1]["a"] += 5  # type: ignore[operator,index]
    net.shared.append({1, 2})  # type: ignore[operator,union-attr]
    net.seen = 3
    state = state_of_objects(roots, dict(net.named_parameters()))
    others, again = made()
    again.extra = 5  # type: ignore[assignment]
    known = dict(again.named_parameters())
    load_objects(others, known, state)
    assert again.alias is again.shared
    assert again.shared[1]["a"].tolist() == [5, 6, 7]  # type: ignore[index,union-attr]
    assert again.shared[2] == {1, 2}  # type: ignore[index]
    assert again.weights[0] is again.body[1].weight  # type: ignore[index]
    assert (again.seen, hasattr(again, "extra")) == (3, False)
    assert_same(state_of_objects(others, known), state)
