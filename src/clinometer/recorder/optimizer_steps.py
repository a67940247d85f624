"""Detects when the optimizers step, which is when a training step is over.

Batches do not show it. A batch may be one of several whose gradients accumulate; a scaler may skip the step; another
optimizer than the recorder's may take it.
"""

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

_MANY = 1000  # batches in one step: more than anybody accumulates


class OptimizerSteps:
    """Reports each step of some optimizers, by a hook that torch calls after every optimizer's step.

    Args:
        optimizers: The optimizers. The step of an optimizer inside one of them, as in SAM, is the outer one's.
        report: A method to call with each step: with the optimizer, the one of ours that it is part of, and whether all
            of ours have stepped since `begin`. Its object is not kept alive.
    """

    def __init__(self, optimizers: Sequence[Any], report: Callable[[Any, Any, bool], None]) -> None:
        self.batches = 0  # of the present step, so far
        self.most_batches = 1  # of any step so far
        self.foreign_optimizer: str | None = None  # the class of another optimizer that moves our parameters
        method: Any = report
        self._listener, self._report = weakref.ref(method.__self__), method.__func__  # a WeakMethod is slow to call
        self._ours = [each for each in optimizers if isinstance(each, Optimizer)]
        self._number = len(self._ours)
        self._owner: dict[int, Optimizer] = {}  # of each of ours, and of each inside one of them
        for each in self._ours:
            inner = [part for part in vars(each).values() if isinstance(part, Optimizer)]
            self._owner |= {id(part): each for part in (each, *inner)}
        self._before: weakref.WeakMethod[Callable[[Any], None]] | None = None
        self._last_hooks: dict[int, Any] = {}  # ours behind those that users have registered on one optimizer
        self._stepped: set[int] = set()
        self._unrelated: weakref.WeakSet[Optimizer] = weakref.WeakSet()  # they move none of our parameters
        self.enabled = bool(self._ours)  # otherwise each batch counts as one step
        if self.enabled:
            _listen(self)

    def watch(self, before: Callable[[Any], None] | None) -> None:
        """Call a method with each of ours that is about to step, until the next call. Its object is not kept alive."""
        if before is None:
            _watching.pop(id(self), None)
        elif self._owner:
            _watching[id(self)] = weakref.ref(self)
        self._before = before and weakref.WeakMethod(before)
        while self._last_hooks:
            self._last_hooks.popitem()[1].remove()

    def on_about_to_step(self, optimizer: Optimizer) -> None:
        """Tell the watching method that an optimizer is about to step, if it is one of ours.

        torch calls the hooks that users have registered on this optimizer afterwards. They may change its gradients, so
        the method is then called by one more hook, behind them.
        """
        before = self._before and self._before()
        if not before or id(optimizer) not in self._owner:
            return
        if not getattr(optimizer, "_optimizer_step_pre_hooks", None):
            before(optimizer)
        elif id(optimizer) not in self._last_hooks:
            last = optimizer.register_step_pre_hook(lambda stepping, _args, _kwargs: before(stepping))
            self._last_hooks[id(optimizer)] = last

    def begin(self) -> None:
        """A step begins, with its first batch."""
        self.batches = 1
        self._stepped.clear()

    def join(self) -> None:
        """Another batch belongs to the same step."""
        self.batches += 1
        self.most_batches = max(self.most_batches, self.batches)

    def leave(self) -> None:
        """The last batch does not belong to the step."""
        self.batches -= 1

    def on_step(self, optimizer: Optimizer) -> None:
        """Report that an optimizer, of ours or not, has stepped."""
        if self._last_hooks and (last_hook := self._last_hooks.pop(id(optimizer), None)):
            last_hook.remove()
        owner = self._owner.get(id(optimizer))
        if owner is not None:
            self._stepped.add(id(owner))
        elif not self._moves_ours(optimizer):
            return
        listener = self._listener()
        if listener is not None:
            last = owner is not None and len(self._stepped) == self._number
            self._report(listener, optimizer, optimizer if owner is None else owner, last)

    def timed_out(self) -> bool:
        """Whether so many batches have passed without a step that none will come."""
        return self.batches >= _MANY

    def disable(self) -> None:
        """Report nothing from here on: each batch counts as one step."""
        self.enabled = False
        _listening.pop(id(self), None)

    def _moves_ours(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer that we were not given moves our parameters, itself and not by one of ours inside it."""
        if optimizer in self._unrelated:
            return False
        held = {id(p) for ours in self._ours for p in _parameters(ours)}
        wraps_ours = any(part is ours for part in vars(optimizer).values() for ours in self._ours)
        if not wraps_ours and not held.isdisjoint(map(id, _parameters(optimizer))):
            self.foreign_optimizer = type(optimizer).__name__
            return True
        self._unrelated.add(optimizer)
        return False


def parameters_of(optimizers: Sequence[Any]) -> list[Tensor] | None:
    """The parameters that these optimizers move; None, which stands for all, without an optimizer."""
    return [p for optimizer in optimizers for p in _parameters(optimizer)] if optimizers else None


def _parameters(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _listen(steps: OptimizerSteps) -> None:
    global _hooked, _tell
    if not _hooked:
        # Once and for good: torch runs through its hooks while an optimizer steps, and a recorder that is collected
        # just then would take one out from under it. A compiled step would compile what its hooks do: `disable`, whose
        # wrapper costs as much as a step that is not scheduled, and is left out where there is nothing to compile.
        uncompiled: Any = torch.compiler.disable
        _tell = uncompiled(_tell_watching)
        register_optimizer_step_pre_hook(uncompiled(_before_step, recursive=False))
        register_optimizer_step_post_hook(uncompiled(_after_step))
        _hooked = True
    key = id(steps)
    _listening[key] = weakref.ref(steps, functools.partial(_let_go, key))


def _let_go(key: int, _reference: object) -> None:
    # At any moment: the hooks below copy into lists, since the collector may run while a tuple is made.
    _listening.pop(key, None)
    _watching.pop(key, None)


_hooked = False
_tell: Any = None  # `_tell_watching`, uncompiled
_listening: dict[int, weakref.ref[OptimizerSteps]] = {}  # a WeakSet takes a microsecond to go through
_watching: dict[int, weakref.ref[OptimizerSteps]] = {}  # those with a scheduled step under way


def _before_step(optimizer: Optimizer, _args: object, _kwargs: object) -> None:
    if _watching:
        _tell(optimizer)


def _tell_watching(optimizer: Optimizer) -> None:
    for reference in list(_watching.values()):
        steps = reference()
        if steps is not None:
            steps.on_about_to_step(optimizer)


def _after_step(optimizer: Optimizer, _args: object, _kwargs: object) -> None:
    for reference in list(_listening.values()):
        steps = reference()
        if steps is not None:
            steps.on_step(optimizer)
