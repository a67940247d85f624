"""One batch at one moment of training: all that a loss depends on besides the parameters that are moved."""

import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from clinometer.measure.contract import (
    check_batch,
    check_content,
    content,
    explain_checkpoint,
    explain_devices,
    versions,
)
from clinometer.measure.point import Point
from clinometer.measure.reached import modules_reached
from clinometer.measure.replica import Replica, like
from clinometer.measure.rng import RngState
from clinometer.measure.scripted import Scripted

T = TypeVar("T")


class Moment:
    """The batch, the random streams, and the state of every module that the loss runs, as they are now.

    Args:
        model: The model.
        loss_fn: The loss, for the modules that it reaches by itself.
        batch: What it takes.
        live: The parameters that evaluations supply, by name.
        streams: The random draws to use.
    """

    def __init__(self, model: nn.Module, loss_fn: Any, batch: Any, live: Mapping[str, Tensor], streams: RngState):
        self.batch = batch
        self._live = dict(live)
        self._streams = streams
        self._seen = versions(batch)
        self._content: list[float] | None = content(batch)
        self._replica = Replica([model, *modules_reached(loss_fn)], live)
        self._scripted = Scripted(model)

    def evaluate(self, at: Point, work: Callable[[Point], T]) -> T:
        """`work(leaves)` while everything is as it was then, with `leaves`, copies of `at`, as the parameters."""
        check_batch(self.batch, self._seen)
        if self._content is not None:  # once, after the training step: it costs a pass over the batch
            check_content(self.batch, self._content)
            self._content = None
        # Copies: a forward pass may clamp its weights. All require gradients, as in training: a loss may ask for it.
        leaves = {name: like(live, at[name]) for name, live in self._live.items()}
        with self._installed(leaves):
            try:
                result = self._scripted.run(lambda: work(leaves), leaves)
            except RuntimeError as error:
                explain_checkpoint(error)
                explain_devices(error, leaves, self.batch)
                raise
        check_batch(self.batch, self._seen)
        return result

    @contextlib.contextmanager
    def _installed(self, leaves: Point) -> Generator[None]:
        with torch.enable_grad(), self._replica.installed(leaves):
            self._streams.restore()
            yield
