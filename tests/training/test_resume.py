"""A run that is interrupted and goes on is, bit for bit, the run that was not: weights, rows, and facts."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from properties import assert_same, without_when
from torch import nn

from clinometer import Recorder, Store, landscape, noise_floor, within_budget
from clinometer.papers.santurkar2018.configs import deep_linear, vgg
from clinometer.papers.santurkar2018.stacked import stacks
from clinometer.store import DamagedError
from clinometer.training import from_config
from clinometer.training import run as training_run
from clinometer.training.checkpoint import Checkpoint, load_state, state_of
from clinometer.training.config import grid
from clinometer.training.keeper import Keeper
from clinometer.training.run import run, run_group
from clinometer.training.run_folder import is_done, run_folder, seconds_of, verify

TINY = vgg(width=1 / 16, steps=12, measure_every=4, test_every=6, batch_size=512)  # epochs of two batches
DLN = deep_linear(samples=60, steps=9, measure_every=3)


class PowerCutError(Exception):
    """Nothing else raises it."""


def read(folder: Path) -> dict[str, object]:
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: store.read(probe) for probe in store.probes()} | {"meta": without_when(store.meta)}


def interrupt(patch: pytest.MonkeyPatch, step: int) -> None:
    """Let the next runs end before this step."""
    whole = from_config.batches_of

    def batches(*args: Any) -> Iterator[Any]:
        for index, batch in enumerate(whole(*args), args[3]):
            if index == step:
                raise PowerCutError
            yield batch

    patch.setattr(from_config, "batches_of", batches)


@pytest.mark.parametrize(
    "changed",
    [{"norm": "batch", "momentum": 0.9}, {"norm": "noisy_batch"}, {"norm": "noise"}, {"norm": "none", "lr": 1e30}],
    ids=str,
)
def test_an_interrupted_run_ends_as_one_that_was_not(changed: Mapping[str, Any], tmp_path: Path) -> None:
    """The truth is the same run without an interruption; this one is interrupted twice, in mid-epoch and after one.

    Running statistics, momentum, noise, the order of the data and a divergence all have to go on.
    """
    config = TINY.vary(**changed)
    run(config, tmp_path / "whole")
    for step in (3, 8):
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, step)
            if config["lr"] < 1:
                with pytest.raises(PowerCutError):
                    run_group({config: tmp_path / "parts"}, every=0.0)
                assert not is_done(tmp_path / "parts")
                assert Store(tmp_path / "parts" / "rows.sqlite", read_only=True).last_step() == step - 1
            else:
                run_group({config: tmp_path / "parts"}, every=0.0)
    run(config, tmp_path / "parts")
    assert_same(read(tmp_path / "parts"), read(tmp_path / "whole"))
    assert not (tmp_path / "parts" / "checkpoint").exists()
    verify(tmp_path / "parts")


def test_it_goes_on_and_does_not_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption at step 8 with a checkpoint before each, the first batch asked for is that of step 8."""
    asked: list[int] = []
    whole = from_config.batches_of
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, 8)
        with pytest.raises(PowerCutError):
            run_group({TINY: tmp_path / "run"}, every=0.0)
    monkeypatch.setattr(from_config, "batches_of", lambda *args: (asked.append(args[3]), whole(*args))[1])
    run(TINY, tmp_path / "run")
    assert asked == [8]


def test_a_run_says_how_long_all_of_its_steps_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is chosen: 12 s for a whole run, shared by two that train together, and 3 s for the steps from 8 on."""

    def make(seconds: float, *folders: Path) -> None:
        clock = iter([100.0, 100.0 + seconds])
        monkeypatch.setattr(training_run, "time", SimpleNamespace(monotonic=clock.__next__))
        configs = grid(DLN if len(folders) > 1 else TINY, seed=range(len(folders)))
        run_group(dict(zip(configs, folders, strict=True)), every=0.0)

    make(12.0, tmp_path / "whole")
    assert seconds_of(tmp_path / "whole") == 12.0
    make(12.0, tmp_path / "one", tmp_path / "other")
    assert [seconds_of(tmp_path / name) for name in ("one", "other")] == [6.0, 6.0]
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, 8)
        with pytest.raises(PowerCutError):
            make(1.0, tmp_path / "parts")
    make(3.0, tmp_path / "parts")
    assert seconds_of(tmp_path / "parts") == pytest.approx(3.0 * TINY.steps / (TINY.steps - 8))


@pytest.mark.parametrize("changed", [{"norm": "batch", "momentum": 0.9}, {"norm": "l1"}, {"norm": "noise"}], ids=str)
def test_stacked_seeds_go_on_from_where_each_was(changed: Mapping[str, Any], tmp_path: Path) -> None:
    """Interrupted between the checkpoints of two seeds, so that one is a step behind; the truth is the whole run."""
    config = DLN.vary(**changed)
    together = 2 if stacks(config) else 1
    configs = grid(config, seed=range(together))
    run_group({c: tmp_path / f"whole{c.seed}" for c in configs})
    parts = {c: tmp_path / f"parts{c.seed}" for c in configs}
    saved: list[int] = []
    whole = Keeper.save

    def save(keeper: Keeper, checkpoint: Checkpoint) -> None:
        if len(saved) == 3:
            raise PowerCutError
        saved.append(checkpoint.step)
        whole(keeper, checkpoint)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeper, "save", save)
        with pytest.raises(PowerCutError):
            run_group(parts, every=0.0)
    run_group(parts)
    for c in configs:
        assert_same(read(parts[c]), read(tmp_path / f"whole{c.seed}"))


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tmp_path: Path) -> None:
    """The last is cut short, then the one before loses a bit: the run ends as the whole one did, each time."""
    run(TINY, tmp_path / "whole")
    for damage in ("cut", "flip", "both"):
        folder = tmp_path / damage
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, 8)
            with pytest.raises(PowerCutError):
                run_group({TINY: folder}, every=0.0)
        before, last = sorted((folder / "checkpoint").iterdir())
        if damage in ("cut", "both"):
            os.truncate(last, last.stat().st_size // 2)
        if damage in ("flip", "both"):
            data = bytearray(before.read_bytes())
            data[len(data) // 2] ^= 4
            before.write_bytes(data)
        if damage == "flip":
            last.unlink()
        with pytest.warns(UserWarning, match="is damaged: its bytes") as warned:
            run(TINY, folder)
        named = [file for file in (last, before) if any(file.name in str(warning.message) for warning in warned)]
        assert named == {"cut": [last], "flip": [before], "both": [last, before]}[damage]
        assert_same(read(folder), read(tmp_path / "whole"))


def test_rows_that_are_not_those_of_the_checkpoint_are_not_gone_on_with(tmp_path: Path) -> None:
    """A row before the checkpoint is lost, as by a disk that lied: no checkpoint fits, and the run begins anew."""
    run(TINY, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, 8)
        with pytest.raises(PowerCutError):
            run_group({TINY: tmp_path / "run"}, every=0.0)
    store = Store(tmp_path / "run" / "rows.sqlite")
    store.drop_from(5)
    store.close()
    with pytest.warns(UserWarning, match="rows"):
        run(TINY, tmp_path / "run")
    assert_same(read(tmp_path / "run"), read(tmp_path / "whole"))


def test_another_config_or_code_does_not_go_on(tmp_path: Path) -> None:
    """A checkpoint made by other code would mix two codes within one run: it is thrown away."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, 8)
        with pytest.raises(PowerCutError):
            run_group({TINY: tmp_path}, every=0.0, facts={TINY.key: {"fingerprint": {"code": "old"}}})
    asked: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        whole = from_config.batches_of
        patch.setattr(from_config, "batches_of", lambda *args: (asked.append(args[3]), whole(*args))[1])
        run_group({TINY: tmp_path}, facts={TINY.key: {"fingerprint": {"code": "new"}}})
    assert asked == [0]


class Awkward(nn.Module):
    """State in every place that torch has for it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)
        self.register_buffer("hidden", torch.zeros(2), persistent=False)
        self.own = torch.Generator().manual_seed(5)
        self.frozen = nn.BatchNorm1d(3).eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.hidden += 1
        noise = torch.rand(x.shape, generator=self.own)
        return self.head(self.norm(x) + self.frozen(x) * noise) * self.hidden[0]


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop", "Adagrad", "AdamW"])
def test_any_state_goes_to_disk_and_comes_back(optimizer: str, tmp_path: Path) -> None:
    """The truth is the same loop uninterrupted; torch's optimizers, own generators, modes, hidden buffers."""

    def begin(to: Path | None) -> tuple[nn.Module, torch.optim.Optimizer, Recorder]:
        torch.manual_seed(0)
        model = Awkward()
        chosen: Any = getattr(torch.optim, optimizer)(model.parameters(), lr=0.01)
        return model, chosen, Recorder(model, lambda m, b: m(b).square().mean(), [landscape()], optimizer=chosen, to=to)

    def go_on(model: nn.Module, chosen: torch.optim.Optimizer, steps: int) -> list[float]:
        losses: list[float] = []
        for _ in range(steps):
            loss = model(torch.randn(8, 3)).square().mean()
            loss.backward()
            chosen.step()
            chosen.zero_grad()
            losses.append(loss.item())
        return losses

    model, chosen, recorder = begin(tmp_path)
    go_on(model, chosen, 3)
    Keeper(tmp_path).save(Checkpoint.of(3, model, chosen, recorder))
    expected, weights = go_on(model, chosen, 4), state_of(model)
    model, chosen, recorder = begin(None)
    go_on(model, chosen, 1)
    kept = Keeper(tmp_path).find()
    assert kept
    assert kept.step == 3
    kept.restore(model, chosen, recorder)
    assert go_on(model, chosen, 4) == expected
    assert_same(state_of(model), weights)


def test_the_recorder_goes_on_with_its_budget_and_its_rows(tmp_path: Path) -> None:
    """What a budget has learned is in the state, as JSON; rows after it are dropped, and the next step is its index."""
    budget = within_budget(0.5)
    model = nn.Linear(2, 1)

    def loop(recorder: Recorder, steps: int) -> None:
        for _ in range(steps):
            with recorder.step(torch.ones(4, 2)):
                model(torch.ones(4, 2)).sum().backward()

    def made(to: Path, start: int, when: Any) -> Recorder:
        return Recorder(model, lambda m, b: m(b).sum(), [noise_floor()], when, to=to, start=start)

    first = made(tmp_path, 0, budget)
    loop(first, 40)
    state = json.loads(json.dumps(first.state_dict()))
    loop(first, 20)
    first.store.close()
    assert state["index"] == 40
    assert state["probes"]["budgets"][0]["measured"] > 0
    again = within_budget(0.5)
    second = made(tmp_path, 40, again)
    second.load_state_dict(state)
    assert (again.steps, again.measured, again.spent) == tuple(
        state["probes"]["budgets"][0][n] for n in ("steps", "measured", "spent")
    )
    assert (second.store.last_step() or 0) < 40
    loop(second, 5)
    assert second.index == 45


def test_what_a_checkpoint_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """An object would have to be pickled: the run is told that it cannot be resumed, and goes on."""
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, b: m(b).sum(), [landscape()], optimizer=optimizer)
    optimizer.param_groups[0]["odd"] = object()
    with pytest.warns(UserWarning, match="cannot be resumed from a checkpoint: .* found object"):
        Keeper(tmp_path).save(Checkpoint.of(0, model, optimizer, recorder))
    assert not (tmp_path / "checkpoint").exists()


def test_layouts_stay() -> None:
    """A network in channels-last goes on in channels-last: other kernels would round otherwise."""
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    load_state(model, {**state_of(model), "state": {k: v.contiguous() for k, v in model.state_dict().items()}})
    assert model.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_finished_run_is_verified_file_by_file(tmp_path: Path) -> None:
    """One bit of each file in turn: the message names the file."""
    run(TINY, tmp_path)
    verify(tmp_path)
    for name in ("config.json", "environment.json", "rows.sqlite", "done.json"):
        path = tmp_path / name
        good = path.read_bytes()
        path.write_bytes(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
        with pytest.raises(DamagedError, match=rf"{name} is not what was written"):
            verify(tmp_path)
        path.unlink()
        with pytest.raises(DamagedError, match=name):
            verify(tmp_path)
        path.write_bytes(good)
    assert run_folder(tmp_path, TINY).name == TINY.key
