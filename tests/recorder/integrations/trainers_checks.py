"""Run by test_trainers_ranks.py on two processes: Lightning, transformers and accelerate, each under DDP of its own."""

import random
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ranks import RANK, from_all, run

warnings.filterwarnings("ignore")  # what the libraries say of small data, few workers, and torch's newest version

from lightning.pytorch.strategies import ModelParallelStrategy  # noqa: E402
from lit import BATCH, Losses, Watched, fit  # noqa: E402
from properties import assert_same, traces  # noqa: E402
from test_accelerate import Run  # noqa: E402
from test_transformers import attach, state_of, trainer_of  # noqa: E402
from tiny import network  # noqa: E402

from clinometer import every, landscape  # noqa: E402
from clinometer.recorder.integrations.lightning import LandscapeCallback  # noqa: E402

warnings.filterwarnings("error", message="clinometer")  # losses agree, so ours would be a false alarm

TO = Path(sys.argv[1])
PROBES = [landscape([1.0])]


def compared(measured: Any, unmeasured: Any, rows: Any, losses: Sequence[Any], parts: Sequence[int]) -> Any:
    """What the tests look at; `parts` are the numbers of batches of each step that the losses belong to."""
    try:
        assert_same(measured, unmeasured)
        difference = None
    except AssertionError as error:
        difference = f"differs at {error}"
    mean = torch.tensor(from_all([float(loss) for loss in losses]), dtype=torch.float64).mean(0)
    try:
        loss = rows.read("landscape")["loss"].tolist()
    except ValueError as error:
        loss = str(error)
    return {"difference": difference, "rows": loss, "losses": [float(p.sum()) for p in mean.split(list(parts))]}


def _lightning(module: Any, data: Any, to: str, *callbacks: Any, **options: Any) -> Any:
    return fit(module, data, *callbacks, to=TO / to, strategy="ddp", devices=2, **options)


def _fitted(name: str, to: str, *callbacks: Any, **options: Any) -> tuple[Any, Losses]:
    net, data = network(name, 6 * BATCH - 1)
    torch.manual_seed(5 + RANK), random.seed(0), np.random.seed(0)
    module, losses = Watched(net), Losses()
    trainer = _lightning(module, data, to, *callbacks, losses, **options)
    state = traces(module, trainer.optimizers[0])
    del state["identities"]
    log = Path(trainer.logger.log_dir) / "metrics.csv"
    state |= {
        "logged": log.read_text() if RANK == 0 else None,  # elsewhere Lightning names a folder, and writes none
        "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()},
        "kept": module.kept,
        "calls": module.calls,
    }
    return state, losses


def lightning() -> Any:
    found = {}
    for name, accumulate, parts in ("gpt2", 1, [1] * 6), ("resnet", 2, [2, 1, 2, 1]):
        options = {"accumulate_grad_batches": accumulate, "gradient_clip_val": 0.5}
        callback = LandscapeCallback(PROBES, every(1), to=TO / f"lightning{RANK}" / name)
        measured, losses = _fitted(name, "a", callback, **options)
        unmeasured, _ = _fitted(name, "b", **options)
        found[f"{name}, {accumulate}"] = compared(measured, unmeasured, callback, losses.losses, parts)
    return found


def transformers() -> Any:
    found = {}
    for name, accumulate, parts in ("gpt2", 2, [2, 1, 2, 1]), ("resnet", 1, [1] * 6):
        states = []
        for measured in (False, True):
            random.seed(0), np.random.seed(0)
            trainer = trainer_of(name, TO / "trainer", gradient_accumulation_steps=accumulate, ddp_backend="gloo")
            rows = attach(trainer, PROBES, every(1), to=TO / f"transformers{RANK}" / name) if measured else None
            trainer.compute_loss = _asking_for_the_wrapper(trainer.compute_loss)
            trainer.train()
            states.append(state_of(trainer))
        found[f"{name}, {accumulate}"] = compared(states[1], states[0], rows, trainer.minimised, parts)
    return found


def _asking_for_the_wrapper(compute_loss: Any) -> Any:
    def asking(model: Any, *args: Any, **options: Any) -> Any:
        model.module  # noqa: B018 - as losses do that were written for several processes
        return compute_loss(model, *args, **options)

    return asking


def accelerate() -> Any:
    found = {}
    for name, accumulate, parts in ("gpt2", 2, [2, 1, 2, 1]), ("resnet", 1, [1] * 6):
        measured = Run(name, PROBES, accumulate, to=TO / f"accelerate{RANK}" / name)
        unmeasured = Run(name, None, accumulate)
        found[f"{name}, {accumulate}"] = compared(
            measured.state, unmeasured.state, measured.recorder, measured.losses, parts
        )
    return found


def wrappers_of_earlier_runs() -> Any:
    """How many wrappers are found, while it trains, around a module that is fitted again; the callbacks are kept."""
    counts: list[int] = []

    def count_wrappers(step: Any) -> Any:
        counts.append(len(step.objective.ranks.wrappers))
        return {}

    net, data = network("resnet", 2 * BATCH)
    module, callbacks = Watched(net), [LandscapeCallback([count_wrappers], every(1)) for _ in range(2)]
    for callback in callbacks:
        _lightning(module, data, "again", callback, max_epochs=1)
    return counts[-1]


def who_writes() -> Any:
    """The folders for rows that there are."""
    return sorted(each.name for each in TO.iterdir() if each.name.endswith(str(RANK)) and each.is_dir())


class Spread(Watched):
    def configure_model(self) -> None:
        """Lightning asks for it under this strategy."""


def refusal() -> Any:
    """What is said of another strategy, before the first batch."""
    net, data = network("resnet", 2 * BATCH)
    module, strategy = Spread(net), ModelParallelStrategy(data_parallel_size=2, tensor_parallel_size=1)
    try:
        fit(module, data, LandscapeCallback(PROBES), to=TO / "refused", strategy=strategy, devices=2)
    except ValueError as error:
        return {"said": str(error), "calls": module.calls}


if __name__ == "__main__":
    run([lightning, transformers, accelerate, wrappers_of_earlier_runs, who_writes, refusal])
