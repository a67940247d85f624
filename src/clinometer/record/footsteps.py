"""The optimizer's steps, as they are heard: whether the one that was begun has been taken.

A batch does not tell. It may be one of several whose gradients accumulate; a scaler may skip the step, or another
optimizer take it than the one that is listened to.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_MANY = 1000  # batches in one step: more than anybody accumulates


class Footsteps:
    """Listens to optimizers, which tell by a hook when they have stepped.

    Args:
        optimizers: Whom to listen to, and to those inside them: the step of a SAM is that of the optimizer it holds.
        first: A parameter that they move.
        then: A method to call when all have stepped. It is not kept alive.
    """

    def __init__(self, optimizers: Sequence[Any], first: Tensor, then: Callable[[], None]) -> None:
        self.taken = True  # the step that was begun last is over
        self.batches = 0  # of that step, so far
        self.usual = 1  # the most batches that a step has had
        self._first = first
        self._version = first._version  # tells of moves, and of forward passes that clamp their weights
        self._met: Tensor | None = None
        self._then = weakref.WeakMethod(then)
        self._stepped: set[int] = set()
        able = [each for each in optimizers if hasattr(each, "register_step_post_hook")]
        self._number = len(able)
        for each in able:
            _hook(self, each)

    @property
    def audible(self) -> bool:
        """Whether a step can be heard; where not, each batch is taken for one step."""
        return self._number > 0

    def begin(self) -> None:
        """A step begins, on its first batch."""
        self.taken = False
        self.batches = 1
        self._version = self._first._version
        self._met = None
        self._stepped.clear()

    def join(self) -> None:
        """Another batch for the same step."""
        self.batches += 1
        self.usual = max(self.usual, self.batches)

    def heard(self, optimizer: int) -> None:
        """An optimizer has stepped; of several, others may be yet to come."""
        self.taken = True
        self._stepped.add(optimizer)
        then = self._then()
        if then and len(self._stepped) == self._number:
            then()

    def strayed(self) -> bool:
        """Whether the parameter was moved by somebody who is not heard: it has been elsewhere, and elsewhere again."""
        if self._version == self._first._version:
            return False
        self._version, before = self._first._version, self._met
        self._met = self._first.detach().clone()
        return before is not None and not same(before, self._met)

    def lost(self) -> bool:
        """Whether no step has been heard for so many batches that none will be."""
        return self.batches >= _MANY

    def deafen(self) -> None:
        """Listen no more: from here on each batch is one step."""
        self._number = 0


def same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors hold the same values, NaN being one: a run that has diverged stands still."""
    return torch.equal(first, second) or torch.allclose(first, second, rtol=0.0, atol=0.0, equal_nan=True)


def _hook(footsteps: Footsteps, optimizer: Any) -> None:
    known = weakref.ref(footsteps)  # an optimizer that outlives the recorder does not keep it
    name = id(optimizer)

    def stepped(_optimizer: Any, _args: object, _kwargs: object) -> None:
        found = known()
        if found:
            found.heard(name)

    inside = [held for held in vars(optimizer).values() if hasattr(held, "register_step_post_hook")]
    for each in (optimizer, *inside):
        weakref.finalize(footsteps, each.register_step_post_hook(stepped).remove)
