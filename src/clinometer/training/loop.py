"""The default trainer: minibatches, with a recorder around each step."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import at
from clinometer.store import Row
from clinometer.training.checkpoint import Checkpoint
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training
from clinometer.training.keeper import Keeper
from clinometer.training.object_state import user_globals
from clinometer.training.parts import Training, bytes_of, scores, seed_all


def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the network of each config, one after the other.

    Rows: `train` (loss and minibatch accuracy at every step, those of the step's own forward pass), `test` (loss and
    accuracy over the test set), and those of the config's probes.
    A run whose loss is no longer finite ends there, with `diverged_at` among the store's facts; `ended` is the last.
    The state is kept every so many seconds; a run that goes on from it writes, bit for bit, what it would have written
    without the interruption.
    """
    for config, keeper in runs.items():
        end(train_steps(config, build_training(config, device, keeper.data), keeper))


def train_steps(config: RunConfig, training: Training, keeper: Keeper) -> Recorder:
    """Train what was built for a config, step by step; its recorder, for `end`.

    Args:
        config: Its probes' schedules, seed and number of steps.
        training: What `build_training` returned, or the same with other batches.
        keeper: Of the run.
    """
    model, optimizer = training.model, training.optimizer
    schedules = {name: at(*config.steps_of(name)) for name in training.probes}
    start = keeper.found.step if keeper.found else 0
    recorder = Recorder(
        model,
        training.loss_fn,
        training.probes,
        schedules,
        optimizer=optimizer,
        to=keeper.run,
        start=start,
        strict=True,  # the run ends and says why, rather than lack a row
    )
    tested = set(config.steps_of("test"))
    others = {
        "criterion": training.criterion,
        "probes": dict(training.probes),
        "globals": user_globals(config.modules),
        "scheduler": training.scheduler,
    }
    seed_all(config.seed)  # of dropout and noise: the network's own draws do not depend on how it was initialised
    if keeper.found:
        keeper.found.restore(model, optimizer, recorder, others)
    for step, batch in enumerate(training.batches(start), start):
        with recorder.step(batch):
            outputs = model(batch[0])
            loss = training.criterion(outputs, batch[1])
            loss.backward()
            optimizer.step()
            if training.scheduler:
                training.scheduler.step()
            optimizer.zero_grad()
        rows: dict[str, Row] = {"train": scores(outputs, batch[1], loss)}
        if training.test and step in tested:
            rows["test"] = training.test()
        recorder.store.append(step, rows)
        if not math.isfinite(loss.item()):
            recorder.store.set_meta(diverged_at=step)
            break
        if keeper.due():
            keeper.save(Checkpoint.of(step + 1, model, optimizer, recorder, others))
    return recorder


def end(recorder: Recorder, **facts: Any) -> None:
    """Write that the run has ended, and the digest of its weights, and fold its rows into one file."""
    recorder.state_dict()  # measures the last step, where that waits for what moves the weights after the optimizer
    digest = hashlib.sha256()
    for tensor in recorder.model.state_dict().values():
        if isinstance(tensor, Tensor):  # a user's module may keep something else in its state
            digest.update(bytes_of(tensor))
    recorder.store.set_meta(**facts, weights=digest.hexdigest(), ended=True)
    recorder.store.seal()
    recorder.store.close()
