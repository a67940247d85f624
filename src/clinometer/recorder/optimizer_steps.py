"""The optimizer's steps, as they are heard: whether the one that was begun has been taken.

A batch does not tell. It may be one of several whose gradients accumulate; a scaler may skip the step, or another
optimizer take it than the one that is listened to.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

_MANY = 1000  # batches in one step: more than anybody accumulates


class OptimizerSteps:
    """Listens to optimizers: torch tells of each step that any of them has taken.

    Args:
        optimizers: Whom to listen to, and to those inside them: the step of a SAM is that of the optimizer it holds.
        then: A method to call when all have stepped. It is not kept alive.
    """

    def __init__(self, optimizers: Sequence[Any], then: Callable[[], None]) -> None:
        self.taken = True  # the step that was begun last is over
        self.batches = 0  # of that step, so far
        self.usual = 1  # the most batches that a step has had
        self.stranger: str | None = None  # the class of another optimizer that moves our parameters
        self._then = weakref.WeakMethod(then)
        self._telling = False  # it is to be called after this step
        self._stepped: set[int] = set()
        self._ours = [each for each in optimizers if isinstance(each, Optimizer)]
        self._number = len(self._ours)
        self._owner = {id(each): each for each in self._ours}
        for each in self._ours:
            self._owner |= {id(held): each for held in vars(each).values() if isinstance(held, Optimizer)}
        self._known: weakref.WeakSet[Optimizer] = weakref.WeakSet()  # others, that move nothing of ours
        if self._ours:
            _listen(self)

    @property
    def audible(self) -> bool:
        """Whether a step can be heard; where not, each batch is taken for one step."""
        return self._number > 0

    def begin(self, telling: bool) -> None:
        """A step begins, on its first batch; whether to call `then` after it."""
        self.taken = False
        self.batches = 1
        self._telling = telling
        if telling:
            self._stepped.clear()

    def join(self) -> None:
        """Another batch for the same step."""
        self.batches += 1
        self.usual = max(self.usual, self.batches)

    def heard(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped, be it ours or not."""
        owner = self._owner.get(id(optimizer))
        if owner is None:
            self._overheard(optimizer)
            return
        self.taken = True
        if self._telling:
            self._stepped.add(id(owner))
            then = self._then()
            if then and len(self._stepped) == self._number:
                then()

    def _overheard(self, optimizer: Optimizer) -> None:
        if optimizer in self._known:
            return
        if _held(optimizer) & set[int]().union(*map(_held, self._ours)):
            self.stranger = type(optimizer).__name__
            self.taken = True
        else:
            self._known.add(optimizer)

    def lost(self) -> bool:
        """Whether no step has been heard for so many batches that none will be."""
        return self.batches >= _MANY

    def deafen(self) -> None:
        """Listen no more: from here on each batch is one step."""
        self._number = 0


def same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors hold the same values, NaN being one: a run that has diverged stands still."""
    return torch.equal(first, second) or torch.allclose(first, second, rtol=0.0, atol=0.0, equal_nan=True)


def _held(optimizer: Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def _listen(footsteps: OptimizerSteps) -> None:
    global _hooked
    if not _hooked:
        # Once and for good: torch runs through its hooks while an optimizer steps, and a recorder that is collected
        # just then would take one out from under it. A compiled step would compile what its hooks do: `disable`.
        uncompiled: Any = torch.compiler.disable(_stepped)
        register_optimizer_step_post_hook(uncompiled)
        _hooked = True
    name = id(footsteps)
    _listening[name] = weakref.ref(footsteps, lambda _: _listening.pop(name, None))


_hooked = False
_listening: dict[int, weakref.ref[OptimizerSteps]] = {}  # a WeakSet takes a microsecond to go through


def _stepped(optimizer: Optimizer, _args: object, _kwargs: object) -> None:
    for known in tuple(_listening.values()):
        found = known()
        if found is not None:
            found.heard(optimizer)
