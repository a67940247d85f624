"""Many products with one Hessian: the gradient's graph is built once and kept, or built again where memory is short."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from clinometer.objective.evaluation import Evaluated, Evaluation
from clinometer.objective.gradient_graph import GradientGraph
from clinometer.objective.interruptions import is_out_of_memory
from clinometer.objective.memory import has_room_for
from clinometer.objective.params import Point, check_direction
from clinometer.objective.snapshot import BatchSnapshot


class HessianProduct:
    """v ↦ ∇²L(at) v. Made by `Objective.linearized`, and of use inside its block alone.

    Cost of a product: one backward pass through the graph of the gradient, about 1.7 forward-backward passes. Without
    the graph, where memory was short, it is about 2.9, as for `Objective.hvp`.

    By double backward: forward-mode differentiation through BatchNorm is silently wrong (pytorch#196699). Attention
    and weight norm are computed by plain operations; `notes` says so of attention.

    Args:
        evaluation, snapshots: Of an objective.
        at: The point.
        total: The weighted sum of the batches' losses and vectors.
        average: Its mean over processes.
    """

    error = 0.0  # a product is exact but for rounding
    loss: Tensor  # (): L(at)
    gradient: dict[str, Tensor]  # ∇L(at), detached, in the memory that the graph uses: not to be changed in place
    retained: bool  # whether the graphs are kept from product to product, or each product builds them again

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
        self.retained = True
        self.loss, self.gradient = average(*total(self._start()))

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
        return self._average(*self._total(self._products(v)))[1]

    def close(self) -> None:
        """Free the graphs."""
        self._graphs, self._closed = [], True

    def _start(self) -> Iterator[Evaluated]:
        """The batches' losses and gradients. Their graphs are kept if there is memory for all of them."""
        for snapshot in self._snapshots:
            graph = self._built(snapshot)
            if self.retained:
                self._graphs.append(graph)
                self.retained = len(self._graphs) > 1 or self._has_room()
            if not self.retained:
                self._graphs = []
            yield graph.loss, graph.gradient
            del graph  # before the next is built

    def _products(self, v: Point) -> Iterator[Evaluated]:
        for place, snapshot in enumerate(self._snapshots):
            if self.retained:
                try:
                    yield self._graphs[place].loss, self._graphs[place].times(v)
                    continue
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                self.retained, self._graphs = False, []
            graph = self._graph(snapshot)
            yield graph.loss, graph.times(v, last=True)
            del graph

    def _built(self, snapshot: BatchSnapshot) -> GradientGraph:
        """A batch's graph; the others are given up if there is no memory for it beside them."""
        try:
            return self._graph(snapshot)
        except Exception as error:
            if not self._graphs or not is_out_of_memory(error):
                raise
        self.retained, self._graphs = False, []
        return self._graph(snapshot)

    def _graph(self, snapshot: BatchSnapshot) -> GradientGraph:
        graph = self._evaluation.gradient_graph(snapshot, self._at)
        self._notes |= dict.fromkeys(graph.notes)
        return graph

    def _has_room(self) -> bool:
        """Whether to try the other batches' graphs, too. A device tells when its memory ends; the machine does not."""
        others = len(self._snapshots) - 1
        return others == 0 or any(value.device.type != "cpu" for value in self._at.values()) or has_room_for(others)
