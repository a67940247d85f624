"""What may be done at an alarm, where it is asked for: end the training, or lower the learning rate."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.base import Alert, Then

_RATES = ("lr", "initial_lr", "max_lr", "min_lr")  # what torch's schedulers keep among an optimizer's settings


class StopTraining(Exception):  # noqa: N818, as StopIteration: it is asked for, and no fault
    """Ends the training at an alarm, since `then=stop` asked for it."""

    def __init__(self, alarm: Alarm) -> None:
        super().__init__(str(alarm))
        self.alarm = alarm


def stop(alarm: Alarm) -> NoReturn:
    """Ends the training: raises `StopTraining` out of `recorder.step`'s block, after the step's rows were written.

    Example:
        >>> from clinometer import alert
        >>> stopping = alert("headroom/loss", below=1, then=stop)
    """
    raise StopTraining(alarm)


class lower_lr:  # noqa: N801, used as a function
    """Multiplies the learning rates of the recorder's optimizers at an alarm, after the step.

    A scheduler that computes rates from a base of its own would undo that at its next step: pass it.

    Args:
        factor: Between 0 and 1.
        scheduler: The torch scheduler, whose base rates are multiplied as well.

    Raises:
        ValueError: if the factor does not lie between 0 and 1.

    Example:
        >>> from clinometer import alert
        >>> careful = alert("step_norms/update_ratio", rises=True, then=lower_lr(0.5))
    """

    def __init__(self, factor: float, *, scheduler: Any = None) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"lower_lr takes a factor between 0 and 1; found {factor}. 0.5 halves the rates.")
        self.factor, self.scheduler = factor, scheduler

    def __call__(self, alarm: Alarm) -> None:
        raise ValueError(f"lower_lr has no optimizer at step {alarm.step}: pass optimizer= to the Recorder.")

    def on(self, optimizers: Sequence[Any]) -> Then:
        """The same for these optimizers."""

        def lower(_alarm: Alarm) -> None:
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group.update({key: _scaled(group[key], self.factor) for key in _RATES if key in group})
            if self.scheduler is not None:
                self.scheduler.base_lrs = [base * self.factor for base in self.scheduler.base_lrs]

        return lower


def stopping_by(alerts: Sequence[Alert], stop_trainer: Callable[[], object]) -> list[Alert]:
    """The alerts, where what would raise `StopTraining` tells a trainer to end in its own way."""
    return [_with_then(alert, stop_trainer) for alert in alerts]


def _with_then(alert: Alert, stop_trainer: Callable[[], object]) -> Alert:
    asked, other = alert.then, alert.fresh()

    def then(alarm: Alarm) -> None:
        try:
            if asked:
                asked(alarm)
        except StopTraining:
            stop_trainer()

    if asked and not isinstance(asked, lower_lr):
        other.then = then
    return other


def _scaled(rate: Any, factor: float) -> Any:
    if isinstance(rate, Tensor):  # a captured graph reads it in place
        with torch.no_grad():
            return rate.mul_(factor)
    return rate * factor
