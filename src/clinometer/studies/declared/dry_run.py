"""A study tried before any work is spent: every arm built, and one step of the first taken with all probes on."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import every
from clinometer.store import Row, Table
from clinometer.training.config import RunConfig
from clinometer.training.errors import SpecError
from clinometer.training.from_config import Data, build_training, data_of
from clinometer.training.imports import where_raised
from clinometer.training.parts import Samples, Training, scores, seed_all

_TESTED = 100  # samples of the test set: enough to see whether the network takes them


def dry_run(arms: Sequence[RunConfig], device: str = "cpu") -> dict[str, Table]:
    """Build every arm, take a step of the first, and return its rows: probe to field to values.

    Raises:
        SpecError: if something cannot work, naming the key of the study that says it.
    """
    held: dict[tuple[Any, ...], Data] = {}
    rows: dict[str, Table] = {}
    for arm in arms:
        said = (arm.data, *sorted(arm.settings.items(), key=str)) if ":" in arm.data else (arm.data,)
        if said not in held:
            held = {said: _few(data_of(arm), arm.batch_size)}  # one at a time: they may be large
        training = build_training(arm, device, held[said])
        recorder = _recorder(training)
        rows = rows or _step(arm, training, recorder)
    return rows


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
    except Exception as error:
        raise SpecError("probes", f"the first step raised {where_raised(error)}") from error
    found: dict[str, Row] = {"train": scores(outputs, targets, loss)}
    if training.test:
        found["test"] = _test(training)
    recorder.store.append(0, found)
    return {probe: rows[0] for probe, rows in recorder.store.rows().items()}


def _outputs(training: Training, inputs: Tensor) -> Any:
    try:
        return training.model(inputs)
    except Exception as error:
        shape = f"{tuple(inputs.shape)} {str(inputs.dtype).removeprefix('torch.')}"
        raise SpecError("model", f"given a batch of inputs, {shape}, it raised {where_raised(error)}") from error


def _loss(arm: RunConfig, training: Training, outputs: Any, targets: Tensor) -> Any:
    shapes = f"outputs {_shape(outputs)} and targets {_shape(targets)}"
    try:
        loss: Any = training.criterion(outputs, targets)
    except Exception as error:
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
    except Exception as error:
        raise SpecError("data", f"on the test set the network or the loss raised {where_raised(error)}") from error


def _shape(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _few(data: Data, batch_size: int) -> Data:
    return Data(_first(data.train, batch_size), _first(data.test, _TESTED) if data.test else None)


def _first(samples: Samples, count: int) -> Samples:
    return dataclasses.replace(samples, inputs=samples.inputs[:count], targets=samples.targets[:count])
