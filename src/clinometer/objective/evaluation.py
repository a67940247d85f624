"""One batch's loss at a point, with its gradient or a Hessian-vector product: the only place that runs `loss_fn`."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from clinometer.objective.checks import refuse_checkpoint
from clinometer.objective.failures import LossFailures
from clinometer.objective.gradients import gradient, gradient_by_backward
from clinometer.objective.hooks import Signal, capture_inputs_and_outputs, signals_of
from clinometer.objective.params import Point, dot
from clinometer.objective.snapshot import BatchSnapshot

Evaluated = tuple[Tensor, dict[str, Tensor]]  # a loss, and a gradient or something else by parameters' names


class Evaluation:
    """Evaluates `loss_fn` on the batches of one objective.

    Args:
        model, loss_fn: As for `Objective`.
        sharded: Whether the parameters are those of `fully_shard`, which reduces gradients in `.backward()` alone.
    """

    def __init__(self, model: nn.Module, loss_fn: Callable[[Any, Any], Tensor], *, sharded: bool) -> None:
        self.failures = LossFailures(tolerated=not sharded)  # other processes would wait for a pass cut short
        self._model = model
        self._loss_fn = loss_fn
        self._sharded = sharded

    def loss(self, snapshot: BatchSnapshot, at: Point) -> Evaluated:
        """The loss, and nothing beside it. One forward pass."""
        with snapshot.at(at) as leaves:
            return self._loss(snapshot, leaves).detach(), {}

    def loss_and_gradient(self, snapshot: BatchSnapshot, at: Point, wrt: Collection[str] | None) -> Evaluated:
        """The loss and its gradient by all parameters, or by some. One forward-backward pass."""
        # Inside the block: checkpointed activations are computed again in the backward pass, and must meet the same
        # parameters, buffers and draws.
        with snapshot.at(at) as leaves:
            loss = self._loss(snapshot, leaves)
            snapshot.look_at_graph(loss, leaves, check=wrt is None)
            wanted = leaves if wrt is None else {name: leaves[name] for name in wrt}
            return loss.detach(), self.failures.gradient(
                lambda: self._gradient(snapshot, loss, wanted), snapshot, wanted
            )

    def loss_and_hvp(self, snapshot: BatchSnapshot, at: Point, v: Point) -> Evaluated:
        """The loss and ∇²L(at) v. About two forward-backward passes."""
        # The fused kernels of attention have no second derivative; the one that is made of plain operations has.
        with snapshot.at(at) as leaves, sdpa_kernel(SDPBackend.MATH):
            loss = self._loss(snapshot, leaves)
            snapshot.look_at_graph(loss, leaves, check=True)
            refuse_checkpoint(snapshot.checkpoints, "hvp")
            slope = dot(gradient(loss, leaves, create_graph=True), v)
            return loss.detach(), gradient(slope, leaves)

    def signals(self, snapshot: BatchSnapshot, at: Point, modules: Sequence[str]) -> dict[str, Signal]:
        """What goes into and comes out of submodules, and the loss's gradients by either. One forward-backward pass."""
        with capture_inputs_and_outputs(self._model, modules) as captured, snapshot.at(at) as leaves:
            loss = self._loss(snapshot, leaves)
            snapshot.look_at_graph(loss, leaves, check=False)
            refuse_checkpoint(snapshot.checkpoints, "this measurement")
            return signals_of(loss, captured, modules)

    def _loss(self, snapshot: BatchSnapshot, leaves: Point) -> Tensor:
        return self.failures.loss(lambda: self._loss_fn(self._model, snapshot.batch.fresh()), snapshot, leaves)

    def _gradient(self, snapshot: BatchSnapshot, loss: Tensor, wanted: Point) -> dict[str, Tensor]:
        if self._sharded:
            return gradient_by_backward(loss, wanted)
        if snapshot.needs_backward:
            return gradient_by_backward(loss, wanted, aside=snapshot.bystanders)
        return gradient(loss, wanted)
