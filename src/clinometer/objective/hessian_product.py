"""Many products with one Hessian: the gradient's graph is built once and kept, or built again where memory is short."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from clinometer.objective.evaluation import Evaluated, Evaluation
from clinometer.objective.gradient_graph import GradientGraph
from clinometer.objective.interruptions import is_out_of_memory
from clinometer.objective.params import Point, check_direction
from clinometer.objective.snapshot import BatchSnapshot


class HessianProduct:
    """v ↦ ∇²L(at) v. Made by `Objective.linearized`, and of use inside its block alone.

    Cost of a product: one backward pass through the graph of the gradient, about 1.7 forward-backward passes. Without
    the graph, where memory was short, it is about 2.6, as for `Objective.hvp`.

    Args:
        evaluation, snapshots: Of an objective.
        at: The point.
        total: The weighted sum of the batches' losses and vectors.
        average: Its mean over processes.
    """

    loss: Tensor  # (): L(at)
    gradient: dict[str, Tensor]  # ∇L(at), detached, in the memory that the graph uses: not to be changed in place

    def __init__(
        self,
        evaluation: Evaluation,
        snapshots: Sequence[BatchSnapshot],
        at: Point,
        total: Callable[[Iterator[Evaluated]], Evaluated],
        average: Callable[[Tensor, Point], Evaluated],
    ) -> None:
        self._evaluation, self._snapshots, self._at = evaluation, snapshots, at
        self._total, self._average = total, average
        self._graphs: list[GradientGraph] = []
        self._notes: dict[str, None] = {}  # in the order of the batches
        self._closed = False
        self.loss, self.gradient = average(*self._start())

    @property
    def retained(self) -> bool:
        """Whether the graphs are kept from product to product; otherwise each product builds them again."""
        return bool(self._graphs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is other than in training, in words: attention that training computes by a fused kernel."""
        return tuple(self._notes)

    def __call__(self, v: Point) -> dict[str, Tensor]:
        """∇²L(at) v.

        Args:
            v: A direction; names that it lacks count as zero.

        Raises:
            ValueError: for a direction of other names or shapes, or outside the block.
        """
        check_direction(self._at, v)
        if self._closed:
            raise ValueError("the block of `with objective.linearized(at) as product` has ended; multiply inside it.")
        return self._average(*self._product(v))[1]

    def close(self) -> None:
        """Free the graphs."""
        self._graphs, self._closed = [], True

    def _start(self) -> Evaluated:
        """The loss and its gradient; the graphs are kept if there is memory for all of them."""
        try:
            self._graphs = [self._graph(snapshot) for snapshot in self._snapshots]
            return self._total((graph.loss, graph.gradient) for graph in self._graphs)
        except Exception as error:
            if len(self._snapshots) == 1 or not is_out_of_memory(error):  # alone it is built again for each product
                raise
        self._graphs = []
        return self._total(self._evaluation.loss_and_gradient(each, self._at, None) for each in self._snapshots)

    def _product(self, v: Point) -> Evaluated:
        if self._graphs:
            try:
                return self._total((graph.loss, graph.times(v)) for graph in self._graphs)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
        self._graphs = []
        graphs = (self._graph(snapshot) for snapshot in self._snapshots)
        return self._total((graph.loss, graph.times(v, last=True)) for graph in graphs)

    def _graph(self, snapshot: BatchSnapshot) -> GradientGraph:
        graph = self._evaluation.gradient_graph(snapshot, self._at)
        self._notes |= dict.fromkeys(graph.notes)
        return graph
