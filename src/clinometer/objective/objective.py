"""The loss on one frozen batch, as a function of the parameters alone.

The batch, dropout and noise draws, buffers, train/eval flags and frozen parameters stay as they were when the objective
was made, so two evaluations differ only in their parameters. The model is left as it was found.
"""

import contextlib
import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from clinometer.objective.batches import Batches, Progress
from clinometer.objective.discover import reached_by
from clinometer.objective.distributed import Ranks, ranks_of
from clinometer.objective.dtensor import to_local
from clinometer.objective.evaluation import Evaluated, Evaluation, Show, weighted_sum
from clinometer.objective.failures import LossFailures
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.gradient_differences import GradientDifferences
from clinometer.objective.hessian_product import HessianProduct
from clinometer.objective.hooks import Signal
from clinometer.objective.isolation import Isolation
from clinometer.objective.module_state import modules_of
from clinometer.objective.not_kept import snapshot_of
from clinometer.objective.params import Point, check_direction
from clinometer.objective.params_module import Params, ParamsLossFn, as_module, present_tensors
from clinometer.objective.precision import Precision
from clinometer.objective.rng import RngState
from clinometer.objective.snapshot import BatchSnapshot
from clinometer.objective.trained_tensors import trained_tensors
from clinometer.readable.results import readable

Batch = Any
AnyProduct = HessianProduct | GradientDifferences
LossFn = Callable[[nn.Module, Batch], Tensor]


@readable
@dataclass(frozen=True, init=False, eq=False, repr=False)
class Objective:
    """L(x): the loss of `model` on `batch` with its trainable parameters at x. Frozen: no attribute can be assigned.

    BatchNorm in train mode normalises with the batch's own statistics, as the training step did, and its running
    statistics stay put: every evaluation works on copies of the buffers, and of what modules keep in plain attributes
    (numbers, lists, tensors, generators). Dropout and noise draw the same at every point. A parameter that does not
    take part in the loss has gradient zero; parameters with `requires_grad=False` are held where they are. Memory: two
    copies of buffers and frozen parameters.

    The user's own forward hooks see these evaluations: torch offers no way to tell them from hooks that a model needs.

    Args:
        model: Any module but a TorchScript one. It is evaluated in place, not copied.
        loss_fn: `loss_fn(model, batch)` returns the scalar that training minimises.
        batch: Whatever `loss_fn` takes, or `Batches` of it; it must not change while the objective is in use.
        params: In place of a model, a mapping of tensors by name, nested or not, or a function that returns the present
            one; then it is `loss_fn(params, batch)`. Those that require gradients are moved, or all if none does.
        seed: The random draws to use: an int, a captured `RngState`, or None for those that the training step will see.
        parameters: The tensors that make up a point, such as an optimizer's: the model's, and others that `loss_fn`
            reaches, such as a criterion's or a bare one. By default the model's trainable ones. See `names`.
        precision: `float32` switches autocast off, in `loss_fn` and around it; `training` leaves it as it is.
        ranks: The processes whose losses are averaged; by default those of the DDP wrapper or of `fully_shard` in the
            model. All of them must make the objective, and evaluate it alike.

    Raises:
        TypeError: unless there is either a model or `params`.
        ValueError: if no parameter is trainable, or none that was chosen; or for a TorchScript module.
    Source: Santurkar et al. (2018), §3.1: every quantity is taken on one training minibatch.

    Example:
        >>> import torch
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, x: m(x).square().sum(), torch.tensor([[2.0]]))
        >>> objective.loss({"weight": torch.tensor([[3.0]])})    # (3 · 2)²
        tensor(36.)
    """

    model: nn.Module
    loss_fn: LossFn
    precision: Precision
    left_out: int  # how many of `parameters` neither the model nor loss_fn leads to
    ranks: Ranks
    _evaluation: Evaluation
    _live: Point  # the tensors that evaluations replace
    _roots: list[nn.Module]
    _fsdp: Fsdp
    _isolation: Isolation
    _snapshots: tuple[BatchSnapshot, ...]
    weights: tuple[float, ...] | None = None  # of the batches in the sum of their losses; their mean without
    progress: Progress | None = None  # told of each batch of an evaluation

    def __init__(
        self,
        model: nn.Module | None = None,
        loss_fn: LossFn | ParamsLossFn | None = None,
        batch: Batch = None,
        *,
        params: Params | None = None,
        seed: int | RngState | None = None,
        parameters: Iterable[Tensor] | None = None,
        precision: Precision = "float32",
        ranks: Ranks | None = None,
    ) -> None:
        model, loss_fn = as_module(model, params, loss_fn)
        roots = [model, *reached_by(loss_fn).modules, *(ranks.wrappers if ranks else ())]
        modules = modules_of(roots)
        fsdp = Fsdp(modules)
        live, left_out = trained_tensors(model, loss_fn, parameters)
        isolation = Isolation(precision)
        several = batch if isinstance(batch, Batches) else None
        first = several.read()[0] if several else batch
        vars(self).update(
            model=model,
            loss_fn=loss_fn,
            precision=precision,
            left_out=left_out,
            ranks=ranks_of(modules, live) if ranks is None else ranks,
            _live=live,
            _evaluation=Evaluation(model, loss_fn, sharded=bool(fsdp)),
            _roots=roots,
            _fsdp=fsdp,
            _isolation=isolation,
            _snapshots=(snapshot_of(first)(roots, loss_fn, first, live, fsdp, isolation, RngState.of(seed)),),
        )
        if several:
            vars(self).update(vars(self.on(several)))

    @property
    def live(self) -> Point:
        """The tensors themselves that training moves, as it holds them now."""
        return present_tensors(self.model, self._live)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors that make up a point; of those outside the model, where `loss_fn` reaches them."""
        return tuple(self._live)

    @property
    def failures(self) -> LossFailures:
        """The points at which `loss_fn` raised."""
        return self._evaluation.failures

    @property
    def not_restored(self) -> list[str]:
        """What modules keep that cannot be copied, and that evaluations therefore share with training."""
        return list(dict.fromkeys(each for snapshot in self._snapshots for each in snapshot.not_restored))

    @property
    def batches(self) -> int:
        """How many batches the loss is the mean of."""
        return len(self._snapshots)

    def with_batch(self, batch: Batch) -> "Objective":
        """The mean loss over one more batch of the step, with buffers and random streams as they are now."""
        kind = type(self._snapshots[0])
        more = kind(self._roots, self.loss_fn, batch, self.live, self._fsdp, self._isolation, RngState.now())
        return self._replace(_snapshots=(*self._snapshots, more))

    def each_batch(self) -> list[Batch]:
        """The batches, in containers that may be changed; ValueError if a tensor in one was changed in place."""
        return [snapshot.batch.checked() for snapshot in self._snapshots]

    def on(self, batches: Batches) -> "Objective":
        """The mean loss over other batches, with modules and draws as they were at this objective's first batch.

        Each batch after the first has draws of its own; those of generators that the program keeps are alike in all.
        """
        kept = self._snapshots[0].on(batches.read())
        return self._replace(_snapshots=kept, weights=batches.weights(self.ranks), progress=batches.progress)

    def only(self, batches: Iterable[int]) -> "Objective":
        """The mean loss over some of the batches, by their numbers from 0."""
        return self._replace(_snapshots=tuple(self._snapshots[number] for number in batches), weights=None)

    def weighted(self, weights: Sequence[float]) -> "Objective":
        """The sum of the batches' losses with other weights, such as ones for a loop that adds them up."""
        return self._replace(weights=tuple(weights))

    def graph_leaves(self) -> list[Tensor]:
        """The tensors that training's graphs end in: the parameters, or what `fully_shard` gathers them into."""
        return [*self.live.values(), *self._fsdp.gathered(self.live)]

    def training_gradients(self) -> list[Tensor]:
        """The gradients that training holds on this process now."""
        present = [p.grad.detach() for p in self.live.values() if p.grad is not None]
        return [*map(to_local, present), *self._fsdp.unreduced(self.live)]

    def here(self) -> dict[str, Tensor]:
        """The model's present trainable parameters, as detached copies."""
        return {name: p.detach().clone() for name, p in self.live.items()}

    def loss(self, at: Point) -> Tensor:
        """L(at), a tensor of shape (). Cost: one forward pass."""
        return self._mean(self._evaluation.loss(snapshot, at) for snapshot in self._snapshots)[0]

    def loss_and_grad(self, at: Point, wrt: Collection[str] | None = None, show: Show | None = None) -> Evaluated:
        """L(at) and ∇L(at), bit for bit what `loss.backward()` would leave there but for hooks on parameters.

        Cost: one forward-backward pass; with `wrt`, the backward pass ends at the first layer it names.

        Args:
            at: A value for every trainable parameter.
            wrt: The parameters to differentiate by; all of them by default.
            show: Called with the gradient of each batch alone, on this process; it must not keep them.
        """
        return self._mean(self._evaluation.loss_and_gradient(each, at, wrt, show) for each in self._snapshots)

    def hvp(self, at: Point, v: Point) -> dict[str, Tensor]:
        """∇²L(at) v, as `linearized` gives for many v; not with `fully_shard`. Cost: 2.9 forward-backward passes."""
        check_direction(at, v)
        return self._mean(self._evaluation.loss_and_hvp(snapshot, at, v) for snapshot in self._snapshots)[1]

    def linearized(self, at: Point, *, differences: bool = False) -> contextlib.AbstractContextManager[AnyProduct]:
        """A block in which `product(v)` is ∇²L(at) v, from one graph of the gradient that is kept for all products.

        With `fully_shard` gradients have no graph: with `differences` products are then `GradientDifferences`.
        Cost: about one forward-backward pass at first, then 1.7 a product; memory: the graph, as long as the block.

        Raises:
            ValueError: for a loss that cannot be differentiated twice, with the operation's name; or `fully_shard`.

        Example:
            >>> import torch
            >>> objective = Objective(params={"w": torch.tensor([1.0, 2.0])}, loss_fn=lambda p, _: p["w"].pow(3).sum())
            >>> with objective.linearized(objective.here()) as product:
            ...     product.gradient["w"], product({"w": torch.tensor([1.0, 0.0])})["w"]
            (tensor([ 3., 12.]), tensor([6., 0.]))
        """
        if self._fsdp and differences:
            return contextlib.nullcontext(GradientDifferences(self.loss_and_grad, at))
        product = HessianProduct(self._evaluation, self._snapshots, at, self._total, self.ranks.average)
        return contextlib.closing(product)

    def outputs(self, at: Point, modules: Sequence[str]) -> dict[str, Tensor]:
        """What submodules return at `at`: of several values the first, of the last call. Cost: one forward pass."""
        return self._evaluation.outputs(self._snapshots[0], at, modules)

    def signals(self, at: Point, modules: Sequence[str]) -> dict[str, Signal]:
        """What goes into and comes out of the named submodules at `at`, with the loss's gradients by either.

        Cost: one forward-backward pass. A module must take and return one tensor; of several calls the last counts.
        """
        return self._evaluation.signals(self._snapshots[0], at, modules)

    def isolated(self) -> contextlib.AbstractContextManager[None]:
        """Set random streams, autocast and compilation aside once for all evaluations inside the block, for speed."""
        return self._isolation.block()

    def _mean(self, batches: Iterator[Evaluated]) -> Evaluated:
        return self.ranks.average(*self._total(batches))

    def _total(self, batches: Iterator[Evaluated]) -> Evaluated:
        return weighted_sum(self.weights or (1 / self.batches,) * self.batches, batches, self.progress)

    def _replace(self, **changes: Any) -> "Objective":
        changed = copy.copy(self)
        vars(changed).update(changes)
        return changed
