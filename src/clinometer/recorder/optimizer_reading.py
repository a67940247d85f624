"""What the optimizers had when they stepped: the learning rates and the gradients that training really used."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from clinometer.objective.lengths import lengths
from clinometer.objective.params import Point

LearningRate = float | Callable[[], float]

_FACTORS = ("d",)  # settings that multiply the learning rate, at each step by another number: D-adaptation, Prodigy


class OptimizerReading:
    """Reads the optimizers of one step, before each of them steps and after.

    A class of optimizers may set its learning rate within its step, or change it there for the next step. Where the two
    readings differ, `rates` decides by the update, and where that cannot say, the rate is NaN.

    Args:
        live: The parameters, by name.
        lr: The learning rate where the optimizers' settings do not have it: a number, or a function that returns it.
        keeps_gradients: Whether to keep gradients, and not their norms alone.
    """

    def __init__(self, live: Mapping[str, Tensor], lr: LearningRate | None, *, keeps_gradients: bool) -> None:
        self.optimizers: list[Any] = []  # that have stepped
        self._live = live
        self._names = {id(p): name for name, p in live.items()}
        self._lr = lr
        self._gradient: dict[str, Tensor] = {}
        self._lengths: dict[str, float] = {}
        self._keeps_gradients = keeps_gradients
        self._at_start: dict[str, float] = {}
        self._before: dict[str, float] = {}
        self._after: dict[str, float] = {}

    def start(self, optimizers: Sequence[Any]) -> None:
        """The step begins: the learning rates of now count for optimizers that do not report their steps."""
        for optimizer in optimizers or [None]:
            self._at_start |= self._rates(optimizer)

    def before_step(self, optimizer: Any) -> None:
        """An optimizer is about to step. What it had at its first step of several counts."""
        rates = self._rates(optimizer)
        self._read_gradients(optimizer, [name for name in rates if name not in self._before])
        self._before = rates | self._before

    def after_step(self, optimizer: Any, owner: Any, computed_gradients: bool) -> None:
        """An optimizer has stepped, and has computed its gradients meanwhile where a closure did that.

        Args:
            optimizer: The one that stepped.
            owner: The one that it is a part of, or itself.
            computed_gradients: Whether a backward pass came within its step.
        """
        rates = self._rates(optimizer)
        if computed_gradients or not rates.keys() <= self._before.keys():
            self._read_gradients(optimizer, list(rates))
        self._after = rates | self._after
        if not any(each is owner for each in self.optimizers):
            self.optimizers.append(owner)

    def gradient(self) -> dict[str, Tensor] | None:
        """The gradient that the optimizers used, by the parameters that they move; None if none has reported a step."""
        if not self._gradient:
            return None
        return {
            name: self._gradient[name] if name in self._gradient else torch.zeros_like(self._live[name])
            for name in self._held()
        }

    def lengths(self) -> dict[str, float]:
        """The norm of each parameter's gradient; none if none has reported a step. All processes must ask."""
        found = self._lengths | lengths(self._gradient)
        return dict.fromkeys(self._held(), 0.0) | found if found else {}

    def release(self) -> None:
        """Let go of the gradients, once they have been asked for."""
        self._gradient = {}

    def rates(self, update: Callable[[], Point]) -> dict[str, float]:
        """The learning rate of each parameter, negative where its optimizer maximizes; NaN where it is unknown.

        Args:
            update: Gives what the step added to the parameters.
        """
        rates = dict.fromkeys(self._live, math.nan) | self._at_start | self._after | self._before
        differing = [name for name in self._before if self._after.get(name, rates[name]) != rates[name]]
        if differing:
            moved = update()
            rates |= {name: self._used(name, moved[name]) for name in differing}
        return rates

    def _held(self) -> dict[str, float]:
        return self._before | self._after

    def _used(self, name: str, update: Tensor) -> float:
        """Which of two rates gradient descent would have used for this update; NaN if it is neither's."""
        for rate in (self._before[name], self._after[name]):
            expected = self._gradient[name] * -rate if name in self._gradient else update * math.nan
            if float((update - expected).norm()) <= 1e-3 * float(update.norm()):
                return rate
        return math.nan

    def _rates(self, optimizer: Any) -> dict[str, float]:
        """The present rate of each parameter that an optimizer moves; with no optimizer, of all."""
        if optimizer is None:
            return dict.fromkeys(self._live, self._rate({}))
        rates: dict[str, float] = {}
        for group in optimizer.param_groups:
            rate = self._rate(group) * (-1.0 if group.get("maximize") else 1.0)
            rates |= {self._names[id(p)]: rate for p in group["params"] if id(p) in self._names}
        return rates

    def _rate(self, group: Mapping[str, Any]) -> float:
        given = self._lr() if callable(self._lr) else self._lr
        if given is not None:
            return float(given)
        if group.get("lr") is None or any(name in group for name in _FACTORS):
            return math.nan
        return float(group["lr"])

    def _read_gradients(self, optimizer: Any, names: list[str]) -> None:
        scale = getattr(optimizer, "grad_scale", None)  # a fused optimizer divides by it itself
        found: dict[str, Tensor] = {}
        for name in names:
            gradient = self._live[name].grad
            if gradient is not None:
                dense = gradient.detach().to_dense() if gradient.is_sparse else gradient.detach()
                found[name] = dense if scale is None else dense / scale
        if self._keeps_gradients:
            self._gradient |= {name: each.clone() for name, each in found.items()}
        else:
            self._lengths |= lengths(found)


def check_lr(lr: Any) -> LearningRate | None:
    """The learning rate as it is; TypeError unless it is a number or a function, ValueError if it is not finite."""
    if lr is None:
        return None
    if callable(lr):
        return cast("Callable[[], float]", lr)
    if isinstance(lr, bool) or not isinstance(lr, int | float):
        raise TypeError(f"lr must be a number, or a function without arguments that returns one; found {lr!r}.")
    if not math.isfinite(lr):
        raise ValueError(f"lr must be finite; found {lr}.")
    return lr
