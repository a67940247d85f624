"""One batch at one moment of training: all that a loss depends on besides the parameters that are moved."""

import contextlib
import copy
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.bare_tensors import BareTensors
from clinometer.objective.batch import KeptBatch
from clinometer.objective.checks import check_graph, check_names, explain_devices
from clinometer.objective.copies import like
from clinometer.objective.discover import reached_by
from clinometer.objective.dtensor import is_dtensor
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.generators import Generators
from clinometer.objective.gradients import graph_nodes, is_checkpoint, needs_backward
from clinometer.objective.isolation import Isolation
from clinometer.objective.module_state import ModuleState
from clinometer.objective.params import Point
from clinometer.objective.rng import RngState


class BatchSnapshot:
    """The batch, the random streams, and the state of every module that the loss runs, as they are now.

    Args:
        roots: The model, and the modules that the loss function uses besides it.
        loss_fn: The loss function, of which generators are found.
        batch: The batch, kept already or not.
        live: The model's parameters that evaluations replace, by name.
        fsdp: The `fully_shard` modules, whose parameters are changed in place instead.
        isolation: Keeps evaluations apart from the program; shared by the snapshots of an objective.
        streams: The random draws to use.
    """

    def __init__(
        self,
        roots: Sequence[nn.Module],
        loss_fn: Any,
        batch: Any,
        live: Mapping[str, Tensor],
        fsdp: Fsdp,
        isolation: Isolation,
        streams: RngState,
    ) -> None:
        self.batch = batch if isinstance(batch, KeptBatch) else KeptBatch(batch)
        self._live = live
        self._fsdp = fsdp
        self._isolation = isolation
        self._streams = streams
        self._graph_seen = self._graph_checked = False
        self.checkpoints = False  # activations are checkpointed with use_reentrant=True
        self.needs_backward = False  # only `.backward()` computes all gradients
        fsdp.reshard()
        reached = reached_by(loss_fn, *roots)
        generators = [*reached.generators, *reached_by(batch).generators]
        self._generators = Generators(generators)
        self._state = ModuleState(roots, live, [*fsdp.parameters, *generators])
        self._bare = BareTensors([t for t in reached.tensors if id(t) not in self._state.registered], live)
        self.bystanders = self._bystanders()

    @contextlib.contextmanager
    def at(self, point: Point, again: Point | None = None) -> Generator[Point]:
        """Inside the block everything is as it was in training but the parameters, which are copies of `point`.

        Args:
            point: A value for each parameter.
            again: The copies of an earlier block at this point, in place of new ones: its graph ends in them.

        Raises:
            ValueError: if `point` has other names than the parameters, or the batch has changed, or what the block
                raises can be explained.
        """
        check_names(point, self._live)
        self.batch.check()
        # Copies: a forward pass may clamp its weights. All require gradients, as in training: a loss may ask for it.
        leaves = self._leaves(point) if again is None else again
        with (
            self._isolation.block(),
            self._fsdp.at(point, self._live),
            self._bare.at(point),
            torch.enable_grad(),
            self._state.installed(leaves),
            self._generators.replayed(),
        ):
            self._streams.restore()
            try:
                yield leaves
            except RuntimeError as error:
                explain_devices(error, leaves, self.batch.tensors)
                raise
        self.batch.check()

    def _leaves(self, point: Point) -> Point:
        in_place = {n for n, p in self._live.items() if is_dtensor(p)} | self._bare.moved.keys()
        return {n: p if n in in_place else like(p, point[n]).requires_grad_() for n, p in self._live.items()}

    def on(self, batches: Sequence[KeptBatch]) -> tuple["BatchSnapshot", ...]:
        """The same moment with other batches. The first has the draws that are kept here, each further one its own."""
        with self._streams.replayed():
            seeds = torch.randint(2**62, (len(batches),)).tolist()
        return tuple(
            self._with(batch, RngState.seeded(seed) if number else self._streams)
            for number, (batch, seed) in enumerate(zip(batches, seeds, strict=True))
        )

    def by(self, loss_fn: Any, roots: Sequence[nn.Module], fsdp: Fsdp, live: Mapping[str, Tensor]) -> "BatchSnapshot":
        """The same batch and draws for another loss function, with the modules as they are now."""
        return BatchSnapshot(roots, loss_fn, self.batch, live, fsdp, self._isolation, self._streams)

    @property
    def not_restored(self) -> list[str]:
        """What modules keep that cannot be copied, and that evaluations therefore share with training."""
        return self._state.not_restored

    def look_at_graph(self, loss: Tensor, leaves: Point, *, check: bool) -> None:
        """Learn from the first loss how its gradient must be computed.

        Args:
            loss: A loss on this batch.
            leaves: The parameters that it was evaluated at.
            check: Raise ValueError unless it depends on the leaves and on none of the model's own parameters.
        """
        if self._graph_seen and (self._graph_checked or not check):
            return
        nodes = graph_nodes(loss)
        if check:
            own = {n: p for n, p in self._live.items() if n not in self._bare.moved}
            check_graph(loss, nodes, {} if self._fsdp else own, self.batch.tensors)
        self.checkpoints = any(map(is_checkpoint, nodes))
        self.needs_backward = needs_backward(nodes)
        if check and not self.needs_backward:  # otherwise parameters may be used within what hides them
            self._bare.check_used(nodes, leaves)
        self._graph_seen, self._graph_checked = True, self._graph_checked or check

    def _with(self, batch: KeptBatch, streams: RngState) -> "BatchSnapshot":
        other = copy.copy(self)
        other.batch, other._streams = batch, streams
        other._generators = self._generators.and_those(reached_by(batch.fresh()).generators)
        other._graph_seen = other._graph_checked = False
        other.bystanders = other._bystanders()
        return other

    def _bystanders(self) -> list[Tensor]:
        return [t for t in self.batch.tensors if t.requires_grad and t.is_leaf]
