"""The recorder as a callback of Lightning's `Trainer`.

Lightning calls `training_step` through its strategy, inside the optimizer's step. A step of the recorder begins there,
with the arguments and the random state that `training_step` gets. It ends in the optimizer's step hook, before
Lightning counts the step: the module is then called again, with attributes that are discarded afterwards and a `log`
that does nothing.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
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
from clinometer.recorder.patching import PatchedMethod
from clinometer.recorder.recorder import Recorder, Sink
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.schedules import Schedule
from clinometer.recorder.validation import check_options
from clinometer.store import Table

# One library under two names: importing the second beside the first would take seconds.
_OLD = "pytorch_lightning" in sys.modules or bool(find_spec("pytorch_lightning") and not find_spec("lightning"))
_NAME = "pytorch_lightning" if _OLD else "lightning.pytorch"
_Callback: Any = need(_NAME, "trainers").Callback
_SilentLogger: Any = need(f"{_NAME}.loggers.logger", "trainers").DummyLogger


_UNPICKLED = "this LandscapeCallback was unpickled, and measures nothing."


class LandscapeCallback(_Callback):
    """Measures a Lightning run while it trains, and leaves it bit-identical; see `Recorder`.

    Steps are those of the optimizer, numbered as `trainer.global_step` when they begin, also after a resume. The loss
    is what Lightning calls `.backward()` on: with `accumulate_grad_batches=n`, a step's losses over n, added up.
    Measuring repeats neither the logs of `training_step` nor its changes to the module. Under `strategy="ddp"` the loss
    is the mean over processes, and rank 0 keeps the rows.

    Args:
        probes, when, to, precision, sinks, alerts: As for `Recorder`. An alert that is to `stop` sets
            `trainer.should_stop`, and `fit` ends in its own way.

    Raises:
        ValueError: when training starts, with manual optimization, several optimizers, several processes but by DDP,
            or a `training_step` that fetches its batches itself.

    Example:
        >>> from clinometer import every, landscape
        >>> callback = LandscapeCallback([landscape()], every(100), to="runs/mine")  # Trainer(callbacks=[callback])
    """

    def __init__(
        self,
        probes: Sequence[Probe] | Mapping[str, Probe],
        when: Schedule | Mapping[str, Schedule] | None = None,
        *,
        to: str | Path | None = None,
        precision: Precision = "float32",
        sinks: Sequence[Sink] = (),
        alerts: Sequence[Alert] = (),
    ) -> None:
        super().__init__()
        by_name = ScheduledProbes(probes, when).by_name  # wrong arguments raise before data are prepared
        self._alerts = check_alerts(alerts, by_name)
        check_options(to, sinks, precision)
        self._options: Any = {"probes": probes, "when": when, "to": to, "precision": precision, "sinks": sinks}
        self.recorder: Recorder | None = None
        self._begins = False  # a batch is about to be trained on for the first time
        self._skipped: int | None = None  # the step in which a batch had no loss
        self._patch: PatchedMethod | None = None

    def __deepcopy__(self, _memo: Any) -> "LandscapeCallback":
        """One that is as this was before training."""
        return type(self)(**self._options, alerts=self._alerts)

    def __reduce__(self) -> tuple[type["InertCallback"], tuple[()]]:
        """What is unpickled measures nothing: probes are closures, which cannot be pickled."""
        return InertCallback, ()

    def read(self, probe: str) -> Table:
        """The rows of one probe so far; see `Recorder.read`."""
        if self.recorder is None:
            raise ValueError(
                "there are no rows in this process: call trainer.fit with this callback first. Under ddp_fork they end "
                'with the processes that trained: pass to="folder" and read Store("folder/rows.sqlite").'
            )
        return self.recorder.read(probe)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        _check(trainer, pl_module)
        optimizer, start = trainer.optimizers[0], trainer.global_step
        alerts = stopping_by(self._alerts, partial(setattr, trainer, "should_stop", True))
        self.recorder = Recorder(pl_module, _loss, **self._options, alerts=alerts, optimizer=optimizer, start=start)
        self._patch = PatchedMethod(trainer.strategy, "training_step", partial(self._step, trainer))
        self._skipped = None

    def on_train_batch_start(self, *_call: Any) -> None:
        self._begins = True

    def _step(self, trainer: Any, training_step: Any, *arguments: Any) -> Any:
        """Begin a step of the recorder, then call the strategy's own `training_step`."""
        # False when a measurement calls, and when LBFGS calls again in the same step.
        begins, self._begins = self._begins and trainer.global_step != self._skipped, False
        if begins and self.recorder:
            self.recorder.step(arguments)
        output = training_step(*arguments)
        if begins and self.recorder and _loss_in(output) is None:  # Lightning still steps, and counts the step
            self._skipped = trainer.global_step
            self.recorder.drop()
        return output

    def on_train_batch_end(self, trainer: Any, *_call: Any) -> None:
        if self.recorder and trainer.global_step == self.recorder.index:
            self.recorder.drop()  # Lightning counted a step that a gradient scaler skipped

    def on_train_end(self, *_call: Any) -> None:
        if self.recorder and self._patch:
            self._patch.remove()
            self.recorder.drop()

    def on_exception(self, *_call: Any) -> None:
        self.on_train_end()


class InertCallback(_Callback):
    """An unpickled `LandscapeCallback`, which measures nothing, and says so where training starts."""

    def on_train_start(self, *_call: Any) -> None:
        warn(f"{_UNPICKLED} This training is not measured: make a new LandscapeCallback in the process that trains.")

    def read(self, _probe: str) -> Table:
        raise ValueError(f"there are no rows: {_UNPICKLED}")


def _loss(module: nn.Module, arguments: Any) -> Tensor:
    """The loss that Lightning calls `.backward()` on, computed without logging."""
    for part in module.modules():
        if hasattr(type(part), "log_dict"):  # a LightningModule; its attributes are restored afterwards
            vars(part).update(log=_nothing, log_dict=_nothing, print=_nothing)
    trainer: Any = module.trainer
    loggers, trainer.loggers = trainer.loggers, [_SilentLogger() for _ in trainer.loggers]
    try:
        loss = _loss_in(trainer.strategy.training_step(*arguments))
    finally:
        trainer.loggers = loggers
    return loss / trainer.accumulate_grad_batches


def _loss_in(output: Any) -> Any:
    return output.get("loss") if isinstance(output, Mapping) else output


def _nothing(*_args: object, **_kwargs: object) -> None:
    pass


def _check(trainer: Any, module: Any) -> None:
    """ValueError if calling `training_step` again would not give the loss of training, or would do harm."""
    refused = "LandscapeCallback calls training_step again to measure"
    instead = "Use a Recorder inside training_step: self.recorder.step(batch) as a line before the forward pass."
    if not module.automatic_optimization:
        raise ValueError(f"{refused}; with automatic_optimization=False that would step your optimizers. {instead}")
    if len(trainer.optimizers) != 1:
        raise ValueError(f"{refused} and needs one optimizer; found {len(trainer.optimizers)}. {instead}")
    if "dataloader_iter" in inspect.signature(module.training_step).parameters:
        raise ValueError(f"{refused}; with dataloader_iter it would fetch other batches. {instead}")
    if trainer.world_size != 1 and not isinstance(trainer.strategy.model, DistributedDataParallel):
        raise ValueError(
            f"{refused}, and of several processes it measures those of DistributedDataParallel; found "
            f"{trainer.world_size} of {type(trainer.strategy).__name__}. Train with strategy='ddp', or with devices=1."
        )
