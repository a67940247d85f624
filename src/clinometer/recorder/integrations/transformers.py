"""The recorder for transformers' `Trainer`, whose callbacks see neither batch nor loss.

The callback therefore patches the trainer's `training_step`, so that it begins a step of the recorder. To measure,
`training_step` is called again with attributes that are discarded afterwards, and a `backward` that only stores the
loss. So the loss is that of training, with labels smoothed and tokens counted over all batches of the step.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clinometer.extras import need
from clinometer.objective.precision import Precision
from clinometer.probes.base import Probe
from clinometer.recorder.alerts.actions import stopping_by
from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.mistakes import check_alerts
from clinometer.recorder.notices import warn
from clinometer.recorder.patching import PatchedMethod, temporary_attributes
from clinometer.recorder.recorder import Recorder, Sink
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.schedules import Schedule
from clinometer.recorder.validation import check_options
from clinometer.store import Table

_TrainerCallback: Any = need("transformers", "trainers").TrainerCallback

_COPY = "this callback is a copy of the one that attach() made, and measures nothing."
_DATA = ("train_dataset", "eval_dataset")


class LandscapeCallback(_TrainerCallback):
    """The callback that `attach` adds to a trainer. It measures from `on_train_begin` to `on_train_end`."""

    def __init__(self, trainer: Any, make: Any, alerts: Sequence[Alert]) -> None:
        self.recorder: Recorder | None = None
        self._alerts = stopping_by(alerts, self._stop)
        self._stopped = False
        self._trainer, self._make = trainer, make
        self._patch: PatchedMethod | None = None

    def __reduce__(self) -> tuple[type["InertCallback"], tuple[()]]:
        """A copy, with its trainer or alone, measures nothing: it was attached to another trainer."""
        return InertCallback, ()

    def read(self, probe: str) -> Table:
        """The rows of one probe so far; see `Recorder.read`."""
        if self.recorder is None:
            raise ValueError("there are no rows before the training starts: call trainer.train() first.")
        return self.recorder.read(probe)

    def on_train_begin(self, _args: Any, state: Any, *_call: Any, **_kwargs: Any) -> None:
        self.on_train_end()  # removes the patch of a training that ended in an error
        trainer = self._trainer
        _check(trainer)
        loss_fn = partial(_loss, trainer)
        options: Any = {"optimizer": trainer.optimizer, "alerts": self._alerts, "start": state.global_step}
        self._stopped = False
        self.recorder = self._make(trainer.model, loss_fn, **options)
        self._patch = PatchedMethod(trainer, "training_step", self._step)

    def _step(self, training_step: Any, model: nn.Module, *arguments: Any, **named_arguments: Any) -> Tensor:
        if self.recorder and not isinstance(self._trainer.accelerator, _Measuring):
            self.recorder.step((arguments, named_arguments))
        return training_step(model, *arguments, **named_arguments)

    def on_step_end(self, _args: Any, _state: Any, control: Any, **_kwargs: Any) -> None:
        if self.recorder:
            self.recorder.drop()  # the trainer counted a step that a gradient scaler skipped
        control.should_training_stop = control.should_training_stop or self._stopped

    def _stop(self) -> None:
        self._stopped = True

    def on_train_end(self, *_call: Any, **_kwargs: Any) -> None:
        if self.recorder and self._patch:
            self._patch.remove()
            self.recorder.drop()


class InertCallback(_TrainerCallback):
    """A copied or unpickled `LandscapeCallback`, which measures nothing, and says so where training begins."""

    def on_train_begin(self, *_call: Any, **_kwargs: Any) -> None:
        warn(f"{_COPY} This training is not measured: call attach() on the trainer that trains.")

    def read(self, _probe: str) -> Table:
        raise ValueError(f"there are no rows: {_COPY}")


def attach(
    trainer: Any,
    probes: Sequence[Probe] | Mapping[str, Probe],
    when: Schedule | Mapping[str, Schedule] | None = None,
    *,
    to: str | Path | None = None,
    precision: Precision = "float32",
    sinks: Sequence[Sink] = (),
    alerts: Sequence[Alert] = (),
) -> LandscapeCallback:
    """Measure the runs of a transformers `Trainer` while they train, and leave them bit-identical; see `Recorder`.

    Steps are those of the optimizer, numbered as `trainer.state.global_step` when they begin, also after a resume. The
    loss is what the trainer calls `.backward()` on, added up over the batches of a step. Measuring repeats
    neither the logs of the loss nor its changes to the trainer. Under torchrun the loss is the mean over processes, and
    rank 0 keeps the rows.

    Args:
        trainer: The trainer, before `trainer.train()`.
        probes: As for `Recorder`.
        when: A schedule, or one for each probe.
        to: A folder for `rows.sqlite`; memory by default.
        precision: `float32`, or `training`.
        sinks: Where else the rows go.
        alerts: As for `Recorder`. One that is to `stop` sets `control.should_training_stop`.

    Returns:
        A callback, added to the trainer's, whose `read(probe)` gives the rows.

    Raises:
        ValueError: when training starts, with several devices in one process, or several processes but by DDP.

    Example:
        >>> from clinometer import every, landscape
        >>> rows = attach(trainer, [landscape()], every(100), to="runs/mine")  # doctest: +SKIP
    """
    checked = check_alerts(alerts, ScheduledProbes(probes, when).by_name)  # before a model is loaded
    check_options(to, sinks, precision)
    options: Any = {"probes": probes, "when": when, "to": to, "precision": precision, "sinks": sinks}
    callback = LandscapeCallback(trainer, partial(Recorder, **options), checked)
    trainer.add_callback(callback)
    return callback


class _Measuring:
    """Wraps the trainer's accelerator with a `backward` that stores the loss and computes no gradients."""

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self.loss: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)

    def backward(self, loss: Tensor, **_kwargs: Any) -> None:
        self.loss = loss / self._accelerator.gradient_accumulation_steps


def _loss(trainer: Any, model: nn.Module, call: Any) -> Tensor:
    """The loss that the trainer calls `.backward()` on, computed without logging."""
    arguments, named_arguments = call
    accelerator = _Measuring(trainer.accelerator)
    if _is_wrapped(trainer):  # as in training: a loss may use `model.module`
        model = trainer.model_wrapped
    with temporary_attributes(trainer, _DATA, accelerator=accelerator, log=_nothing):
        trainer.training_step(model, *arguments, **named_arguments)
    return accelerator.loss


def _nothing(*_args: object, **_kwargs: object) -> None:
    pass


def _check(trainer: Any) -> None:
    """ValueError if calling `training_step` again would not give the loss of training."""
    kind, devices = trainer.accelerator.distributed_type, trainer.args.n_gpu
    if devices > 1 or (kind != "NO" and not _is_wrapped(trainer)):
        raise ValueError(
            "attach() measures one device, or several processes by DistributedDataParallel with one device each; found "
            f"{kind} and {devices} GPUs in this process. Launch with torchrun, without DeepSpeed and FSDP, or train on "
            "one device, for instance with CUDA_VISIBLE_DEVICES=0."
        )


def _is_wrapped(trainer: Any) -> bool:
    return isinstance(trainer.model_wrapped, DistributedDataParallel)
