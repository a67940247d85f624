"""The dry run of a study: builds every arm and takes one step of the first with all probes, before any run starts.

It is made by a process of its own, as runs are: the study's code may end the process, or change it.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import every
from clinometer.runner.child import ChildError, call_in_child, last_line
from clinometer.store import Row, Table
from clinometer.training.config import RunConfig
from clinometer.training.errors import SpecError
from clinometer.training.from_config import Data, build_training, data_of
from clinometer.training.imports import where_raised
from clinometer.training.parts import Samples, Training, scores, seed_all

_TESTED = 100  # samples of the test set: enough to see whether the network accepts them


def dry_run(arms: Sequence[RunConfig], device: str = "cpu") -> dict[str, Table]:
    """Build every arm, take a step of the first, and return its rows: probe to field to values.

    Raises:
        SpecError: if an arm cannot be built or the step fails; it names the key of the study to change.
    """
    try:
        rows, wrong = call_in_child(_tried, tuple(arms), device)
    except ChildError as error:
        raise SpecError("", f"the study's code was tried, and {last_line(str(error))}") from error
    if wrong:
        raise SpecError(*wrong)
    return rows


def _tried(arms: Sequence[RunConfig], device: str) -> tuple[dict[str, Table], tuple[str, str] | None]:
    """The rows of the first step; or the key and the message of a SpecError."""
    torch.set_num_threads(1)
    rows: dict[str, Table] = {}
    try:
        data_in_use: dict[tuple[Any, ...], Data] = {}
        for arm in arms:
            data_key = (arm.data, *sorted(arm.settings.items(), key=str)) if ":" in arm.data else (arm.data,)
            if data_key not in data_in_use:
                data_in_use = {data_key: _few(data_of(arm), arm.batch_size)}  # one data set at a time: it may be large
            training = build_training(arm, device, data_in_use[data_key])
            recorder = _recorder(training)
            rows = rows or _step(arm, training, recorder)
            _schedule(arm, training)
    except SpecError as error:
        return {}, (error.key, error.message)
    return rows, None


def _recorder(training: Training) -> Recorder:
    try:
        return Recorder(training.model, training.loss_fn, training.probes, every(1), optimizer=training.optimizer)
    except (ValueError, TypeError, AttributeError) as error:
        raise SpecError("probes", str(error)) from error


def _step(arm: RunConfig, training: Training, recorder: Recorder) -> dict[str, Table]:
    seed_all(arm.seed)
    inputs, targets = next(training.batches(0))
    try:
        with recorder.step((inputs, targets)):
            outputs = _outputs(training, inputs)
            loss = _loss(arm, training, outputs, targets)
            loss.backward()
            training.optimizer.step()
            training.optimizer.zero_grad()
    except SpecError:
        raise
    except (Exception, SystemExit) as error:
        raise SpecError("probes", f"the first step raised {where_raised(error)}") from error
    step_rows: dict[str, Row] = {"train": scores(outputs, targets, loss)}
    if training.test:
        step_rows["test"] = _test(training)
    recorder.store.append(0, step_rows)
    return {probe: rows[0] for probe, rows in recorder.store.rows().items()}


def _schedule(arm: RunConfig, training: Training) -> None:
    """Step the scheduler as often as the run will: one that has an end may come to it before the run does."""
    if training.scheduler is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer has not stepped between
            for _ in range(arm.steps):
                training.scheduler.step()
    except (Exception, SystemExit) as error:
        raise SpecError("scheduler", f"in {arm.steps} steps {arm.scheduler} raised {where_raised(error)}") from error


def _outputs(training: Training, inputs: Tensor) -> Any:
    try:
        return training.model(inputs)
    except (Exception, SystemExit) as error:
        shape = f"{tuple(inputs.shape)} {str(inputs.dtype).removeprefix('torch.')}"
        raise SpecError("model", f"given a batch of inputs, {shape}, it raised {where_raised(error)}") from error


def _loss(arm: RunConfig, training: Training, outputs: Any, targets: Tensor) -> Any:
    shapes = f"outputs {_shape(outputs)} and targets {_shape(targets)}"
    try:
        loss: Any = training.criterion(outputs, targets)
    except (Exception, SystemExit) as error:
        raise SpecError("loss", f"given {shapes}, {arm.loss} raised {where_raised(error)}") from error
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        raise SpecError(
            "loss",
            f"expected {arm.loss} to return the scalar that a step minimises; given {shapes}, it returned "
            f"{_shape(loss)}.",
        )
    return loss


def _test(training: Training) -> Row:
    if training.test is None:
        return {}
    try:
        return training.test()
    except (Exception, SystemExit) as error:
        raise SpecError("data", f"on the test set the network or the loss raised {where_raised(error)}") from error


def _shape(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _few(data: Data, batch_size: int) -> Data:
    return Data(_first(data.train, batch_size), _first(data.test, _TESTED) if data.test else None)


def _first(samples: Samples, count: int) -> Samples:
    return dataclasses.replace(samples, inputs=samples.inputs[:count], targets=samples.targets[:count])
