"""Schedules of the learning rate in configs and study files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from properties import assert_same, without_when
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, LRScheduler, SequentialLR

from clinometer import Step, Store
from clinometer.studies.declared.dry_run import dry_run
from clinometer.studies.declared.spec import declared
from clinometer.training import from_config
from clinometer.training.config import RunConfig, key_of
from clinometer.training.errors import SpecError
from clinometer.training.from_config import build_training
from clinometer.training.parts import seed_all
from clinometer.training.run import run, run_group

HERE = __name__
TORCH = "torch.optim.lr_scheduler"
STEPS = 12


def net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def warmup(optimizer: torch.optim.Optimizer, steps: int, share: float = 0.5) -> LRScheduler:
    """It is given the run's number of steps."""
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / (share * steps)))


def two_parts(optimizer: torch.optim.Optimizer) -> LRScheduler:
    parts: list[LRScheduler] = [LinearLR(optimizer, 0.1, total_iters=4), CosineAnnealingLR(optimizer, 8)]
    return SequentialLR(optimizer, parts, [4])


def plateau(optimizer: torch.optim.Optimizer) -> Any:
    return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)


def number(optimizer: torch.optim.Optimizer) -> float:
    return optimizer.param_groups[0]["lr"]


def rate(step: Step) -> Mapping[str, float]:
    assert step.lr is not None
    return {"lr": step.lr}


CASES: dict[str, dict[str, Any]] = {
    f"{TORCH}:OneCycleLR": {"max_lr": 0.2, "total_steps": STEPS, "momentum": 0.9},
    f"{TORCH}:CosineAnnealingLR": {"T_max": STEPS},
    f"{HERE}:warmup": {"share": 0.25},
    f"{HERE}:two_parts": {},
}


def config(scheduler: str | None, **settings: Any) -> RunConfig:
    probes = (("landscape", {}), (f"{HERE}:rate", None))
    every: dict[str, Any] = {"measure_every": 1, "test_every": 6, "steps": STEPS, "batch_size": 256}
    return RunConfig(f"{HERE}:net", scheduler=scheduler, settings={"lr": 0.1, **settings}, probes=probes, **every)


@pytest.mark.parametrize("path", CASES)
def test_the_run_is_that_of_a_plain_loop(path: str, tmp_path: Path) -> None:
    """The truth is torch's loop, written out: losses bit for bit, and the rate that each step really used."""
    chosen = config(path, **CASES[path])
    run(chosen, tmp_path / "run")
    training = build_training(chosen)
    assert training.scheduler
    seed_all(chosen.seed)
    rates: list[float] = []
    losses: list[float] = []
    for x, y in training.batches(0):
        loss = F.cross_entropy(training.model(x), y)
        loss.backward()
        rates.append(training.optimizer.param_groups[0]["lr"])
        training.optimizer.step()
        training.scheduler.step()
        training.optimizer.zero_grad()
        losses.append(loss.item())
    store = Store(tmp_path / "run" / "rows.sqlite", read_only=True)
    assert store.read("train")["loss"].tolist() == losses
    assert store.read("rate")["lr"].tolist() == rates
    assert len(set(rates)) > 2


@pytest.mark.parametrize("path", CASES)
def test_an_interrupted_run_goes_on_with_its_schedule(path: str, tmp_path: Path) -> None:
    """The truth is the run without an interruption, bit for bit, in rows and in the digest of its weights."""
    chosen = config(path, **CASES[path])
    run(chosen, tmp_path / "whole")
    whole = from_config.batches_of

    def cut(*args: Any) -> Iterator[Any]:
        for index, batch in enumerate(whole(*args), args[3]):
            if index == 5:
                raise InterruptedError
            yield batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_config, "batches_of", cut)
        with pytest.raises(InterruptedError):
            run_group({chosen: tmp_path / "parts"}, every=0.0)
    asked: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_config, "batches_of", lambda *args: (asked.append(args[3]), whole(*args))[1])
        run(chosen, tmp_path / "parts")
    assert asked == [5]
    assert_same(*(read(tmp_path / name) for name in ("parts", "whole")))


def read(folder: Path) -> dict[str, Any]:
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: store.read(probe) for probe in store.probes()} | {"meta": without_when(store.meta)}


def test_it_is_part_of_what_a_run_is_only_where_it_is_given() -> None:
    """Folders of runs that were made before there were schedulers keep their names, which are hashes."""
    plain = config(None)
    fields = {name: value for name, value in vars(plain).items() if name != "scheduler"}
    assert plain.key == key_of(fields)
    assert RunConfig("nets:mlp").key == "298a4e9cea3802d6"  # as it was then
    assert config(f"{HERE}:warmup").key != plain.key
    assert HERE in config(f"{HERE}:warmup").modules


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({"scheduler": f"{HERE}:plateau"}, "scheduler", "ReduceLROnPlateau needs a metric"),
        ({"scheduler": f"{HERE}:number"}, "scheduler", "to make a torch LRScheduler; found float"),
        ({"scheduler": f"{TORCH}:CosineAnnealingLR"}, "scheduler", "needs 'T_max', which is no factor"),
        ({"scheduler": "CosineAnnealingLR"}, "scheduler", "expected an import path such as mymodule:scheduler"),
        ({"scheduler": f"{TORCH}:CosineLR"}, "scheduler", "no name in torch.optim.lr_scheduler called 'CosineLR'"),
        (
            {"scheduler": f"{TORCH}:OneCycleLR", "factors": {"max_lr": 0.1, "total_steps": 5, "momentum": 0.9}},
            "scheduler",
            "in 12 steps .*OneCycleLR raised .*Tried to step",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_trained(
    given: dict[str, Any], key: str, message: str
) -> None:
    """The dry run steps it as often as a run will: an end that comes too early would be found hours later."""
    factors = {"lr": 0.1, **given.pop("factors", {})}
    with pytest.raises(SpecError, match=message) as error:
        dry_run(declared({"name": "rates", "model": f"{HERE}:net", "steps": STEPS, "factors": factors, **given}).arms)
    assert error.value.key == key


def test_it_may_be_a_factor_and_be_absent() -> None:
    """As the optimizer may be one: arms are told apart by its name."""
    study = declared(
        {"name": "rates", "model": f"{HERE}:net", "factors": {"lr": 0.1, "scheduler": [None, f"{HERE}:warmup"]}}
    )
    assert [study.name_of(arm) for arm in study.arms] == ["scheduler none", "scheduler warmup"]
    assert [arm.scheduler for arm in study.arms] == [None, f"{HERE}:warmup"]
    assert "landscape" in dry_run(study.arms)
