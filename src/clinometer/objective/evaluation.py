"""One batch's loss at a point, with its gradient and the graph of that: the only place that runs `loss_fn`."""

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from clinometer.objective.checks import refuse_checkpoint
from clinometer.objective.failures import LossFailures
from clinometer.objective.forward_only import ActivationsNeededError, forward_only, with_activations
from clinometer.objective.gradient_graph import GradientGraph
from clinometer.objective.gradients import gradient, gradient_by_backward, graph_nodes
from clinometer.objective.hooks import Signal, capture_inputs_and_outputs, capture_outputs, signals_of
from clinometer.objective.params import Point, scale
from clinometer.objective.plain_operations import PlainOperations
from clinometer.objective.progress import Progress
from clinometer.objective.second_derivative import OwnBackwards, check_gradients_inside, explained
from clinometer.objective.snapshot import BatchSnapshot

Show = Callable[[Point], None]
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
        self._run = forward_only  # how a loss is evaluated that is not differentiated

    def loss(self, snapshot: BatchSnapshot, at: Point) -> Evaluated:
        """The loss, and nothing beside it. One forward pass, which keeps no activations unless the loss needs them."""
        try:
            with snapshot.at(at) as leaves:
                return self._loss(snapshot, leaves, self._run).detach(), {}
        except ActivationsNeededError:
            self._run = with_activations
        return self.loss(snapshot, at)

    def loss_and_gradient(
        self,
        snapshot: BatchSnapshot,
        at: Point,
        wrt: Collection[str] | None,
        show: Show | None = None,
    ) -> Evaluated:
        """The loss and its gradient by all parameters, or by some, which is shown. One forward-backward pass."""
        # Inside the block: checkpointed activations are computed again in the backward pass, and must meet the same
        # parameters, buffers and draws.
        with snapshot.at(at) as leaves:
            loss = self._loss(snapshot, leaves)
            snapshot.look_at_graph(loss, leaves, check=wrt is None)
            wanted = leaves if wrt is None else {name: leaves[name] for name in wrt}
            found = self.failures.gradient(lambda: self._gradient(snapshot, loss, wanted), snapshot, wanted)
        if show:
            show(found)
        return loss.detach(), found

    def gradient_graph(self, snapshot: BatchSnapshot, at: Point) -> GradientGraph:
        """The gradient with its graph. One forward pass, and a backward pass that autograd records."""
        if self._sharded:
            raise ValueError(
                "hvp needs gradients that can be differentiated again, and those of fully_shard cannot. Take "
                "`linearized(at, differences=True)` for differences of gradients, or measure under DDP."
            )
        with snapshot.at(at) as leaves, PlainOperations() as plain, explained():
            loss = self._loss(snapshot, leaves)
            snapshot.look_at_graph(loss, leaves, check=True)
            refuse_checkpoint(snapshot.checkpoints, "hvp")
            nodes = graph_nodes(loss)
            check_gradients_inside(nodes)
            own = OwnBackwards(nodes)
            with own.checked():
                slope = gradient(loss, leaves, create_graph=True)
            return GradientGraph(snapshot, at, leaves, loss, slope, [*plain.notes, *own.notes])

    def loss_and_hvp(self, snapshot: BatchSnapshot, at: Point, v: Point) -> Evaluated:
        """The loss and ∇²L(at) v. About 2.9 forward-backward passes."""
        graph = self.gradient_graph(snapshot, at)
        return graph.loss, graph.times(v, last=True)

    def outputs(self, snapshot: BatchSnapshot, at: Point, modules: Sequence[str]) -> dict[str, Tensor]:
        """What submodules return, detached. One forward pass."""
        with capture_outputs(self._model, modules) as outputs:
            self.loss(snapshot, at)
        silent = [name for name in modules if name not in outputs]
        if silent:
            raise ValueError(f"{silent[0]!r} returned no tensor during the forward pass; choose a module that does.")
        return outputs

    def signals(self, snapshot: BatchSnapshot, at: Point, modules: Sequence[str]) -> dict[str, Signal]:
        """What goes into and comes out of submodules, and the loss's gradients by either. One forward-backward pass."""
        with capture_inputs_and_outputs(self._model, modules) as captured, snapshot.at(at) as leaves:
            loss = self._loss(snapshot, leaves)
            snapshot.look_at_graph(loss, leaves, check=False)
            refuse_checkpoint(snapshot.checkpoints, "this measurement")
            return signals_of(loss, captured, modules)

    def _loss(
        self, snapshot: BatchSnapshot, leaves: Point, run: Callable[[Callable[[], Any]], Any] = with_activations
    ) -> Tensor:
        evaluate = functools.partial(run, lambda: self._loss_fn(self._model, snapshot.batch.fresh()))
        return self.failures.loss(evaluate, snapshot, leaves)

    def _gradient(self, snapshot: BatchSnapshot, loss: Tensor, wanted: Point) -> dict[str, Tensor]:
        if self._sharded:
            return gradient_by_backward(loss, wanted)
        if snapshot.needs_backward:
            return gradient_by_backward(loss, wanted, aside=snapshot.bystanders)
        return gradient(loss, wanted)


def weighted_sum(weights: Sequence[float], batches: Iterator[Evaluated], progress: Progress | None = None) -> Evaluated:
    """The weighted sum of the batches' losses and vectors; of one batch with weight 1 its bits.

    `progress(done, total)` is called after each batch.
    """
    first, *others = weights
    batches = _reported(batches, len(weights), progress) if progress else batches
    loss, total = next(batches)
    if others or first != 1:
        loss, total = loss * first, scale(total, first)
    for weight, (value, more) in zip(others, batches, strict=True):
        loss = loss + weight * value
        for name, part in more.items():
            total[name].add_(part, alpha=weight)
    return loss, total


def _reported(batches: Iterator[Evaluated], total: int, progress: Progress) -> Iterator[Evaluated]:
    for done, each in enumerate(batches, 1):
        progress(done, total)
        yield each
