"""One batch at one moment of training: all that a loss depends on besides the parameters that are moved."""

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from clinometer.objective.checks import (
    check_batch,
    check_content,
    content,
    explain_checkpoint,
    explain_devices,
    versions,
)
from clinometer.objective.dtensor import is_dtensor
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.module_state import ModuleState, like
from clinometer.objective.params import Point
from clinometer.objective.rng import RngState
from clinometer.objective.torchscript import Scripted

T = TypeVar("T")


class BatchSnapshot:
    """The batch, the random streams, and the state of every module that the loss runs, as they are now.

    Args:
        roots: The model, and the modules that the loss reaches by itself.
        batch: What it takes.
        live: The parameters that evaluations supply, by name.
        shards: Those that are moved where they lie.
        streams: The random draws to use.
    """

    def __init__(
        self, roots: Sequence[nn.Module], batch: Any, live: Mapping[str, Tensor], shards: Fsdp, streams: RngState
    ) -> None:
        self.batch = batch
        self._live = dict(live)
        self._shards = shards
        self._streams = streams
        self._seen = versions(batch)
        self._content: list[float] | None = content(batch)
        shards.reshard()
        self._replica = ModuleState(roots, live, shards.parameters)
        self._scripted = Scripted(roots[0])

    def evaluate(self, at: Point, work: Callable[[Point], T]) -> T:
        """`work(leaves)` while everything is as it was then, with `leaves`, copies of `at`, as the parameters."""
        check_batch(self.batch, self._seen)
        if self._content is not None:  # once, after the training step: it costs a pass over the batch
            check_content(self.batch, self._content)
            self._content = None
        # Copies: a forward pass may clamp its weights. All require gradients, as in training: a loss may ask for it.
        leaves = {name: p if is_dtensor(p) else like(p, at[name]) for name, p in self._live.items()}
        with self._shards.at(at, self._live), self._installed(leaves):
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
