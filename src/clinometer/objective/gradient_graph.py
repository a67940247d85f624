"""One batch's gradient at a point, with the graph that it was computed by: each way back through it is a product."""

from collections.abc import Sequence

from torch import Tensor

from clinometer.objective.gradients import hessian_product
from clinometer.objective.params import Point
from clinometer.objective.plain_operations import PlainOperations
from clinometer.objective.second_derivative import explained
from clinometer.objective.snapshot import BatchSnapshot


class GradientGraph:
    """∇L(at) of one batch, ready to be differentiated again.

    Memory: the leaves, the gradient, and what autograd keeps of both passes.

    Args:
        snapshot: The batch.
        at: The point.
        leaves: The copies of `at` that the loss was evaluated at.
        loss: L(at).
        gradient: ∇L(at), made with `create_graph=True`.
        notes: What is other than in training, in words.
    """

    def __init__(
        self,
        snapshot: BatchSnapshot,
        at: Point,
        leaves: Point,
        loss: Tensor,
        gradient: Point,
        notes: Sequence[str] = (),
    ) -> None:
        self.loss = loss.detach()
        self.gradient = {name: grad.detach() for name, grad in gradient.items()}  # in the same memory
        self.notes = notes
        self._snapshot, self._at, self._leaves = snapshot, at, leaves
        self._differentiable = gradient
        self._finite = bool(loss.isfinite())

    def times(self, v: Point, *, last: bool = False) -> dict[str, Tensor]:
        """∇²L(at) v; NaN where the loss is not finite. One backward pass.

        Args:
            v: A direction; names that it lacks count as zero.
            last: Free what autograd has kept on the way.
        """
        if not self._finite:
            return {name: grad * float("nan") for name, grad in self.gradient.items()}
        # Activations that are checkpointed are computed again, and must meet the same leaves, buffers and draws.
        with self._snapshot.at(self._at, self._leaves), PlainOperations(), explained():
            return hessian_product(self._differentiable, self._leaves, v, retain_graph=not last)
