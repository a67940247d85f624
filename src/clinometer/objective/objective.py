"""The loss on one frozen batch, as a function of the parameters alone.

Everything else that the training step saw (batch, dropout and noise draws, buffers, train/eval flags, frozen
parameters) is held as it was when the objective was made, so that two evaluations differ only by where they
are. This is the one file that evaluates an `nn.Module`, and it leaves the model as it found it.
"""

import contextlib
import operator
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from clinometer.objective.checks import check_graph, scalar, trainable_of
from clinometer.objective.discover import modules_used_by
from clinometer.objective.distributed import ProcessGroup, ranks_of
from clinometer.objective.dtensor import local
from clinometer.objective.failures import LossFailures
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.gradients import accumulated, asked
from clinometer.objective.hooks import Signal, keep, submodule, tap, tracked
from clinometer.objective.module_state import modules_of
from clinometer.objective.params import Point, dot, scale
from clinometer.objective.precision import Precision, check_precision, conditions
from clinometer.objective.rng import RngState
from clinometer.objective.snapshot import BatchSnapshot

T = TypeVar("T")
Batch = Any
LossFn = Callable[[nn.Module, Batch], Tensor]


class Objective:
    """L(x): the loss of `model` on `batch` with its trainable parameters at x.

    BatchNorm in train mode normalises with the batch's own statistics, as the training step did, and its
    running statistics stay put: every evaluation works on copies of the buffers. Dropout and noise draw the
    same at every point. A parameter that does not take part in the loss has gradient zero; parameters with
    `requires_grad=False` are held where they are. Memory: two copies of buffers and frozen parameters.

    What a module keeps in plain attributes (numbers, lists, tensors, generators) is as it was, too. Forward hooks of
    the user's own see these evaluations: torch offers no way to tell them from those a model needs.

    Args:
        model: Any module. It is used where it lies, not copied.
        loss_fn: `loss_fn(model, batch)` returns the scalar that training minimises.
        batch: Whatever `loss_fn` takes; it must not change while the objective is in use.
        seed: The random draws to use: an int, a captured `RngState`, or None for the streams as they stand,
            which are those of the training step if the objective is made just before it.
        parameters: Those that a point is made of, such as an optimizer's; the model's trainable ones by default.
        precision: `float32` switches autocast off, in `loss_fn` and around it; `training` leaves it as it is.
        ranks: The processes whose mean loss it is; by default those of the DDP wrapper or of `fully_shard` in the
            model. All of them must make it, and evaluate it alike.

    Raises:
        ValueError: if the model has no trainable parameter, or none of those that were chosen.
    Source: Santurkar et al. (2018), §3.1: every quantity is taken on one training minibatch.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, x: m(x).square().sum(), torch.tensor([[2.0]]))
        >>> objective.loss({"weight": torch.tensor([[3.0]])})    # (3 · 2)²
        tensor(36.)
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        batch: Batch,
        *,
        seed: int | RngState | None = None,
        parameters: Iterable[Tensor] | None = None,
        precision: Precision = "float32",
        ranks: ProcessGroup | None = None,
    ) -> None:
        check_precision(precision)
        self.model = model
        self.loss_fn = loss_fn
        self.precision: Precision = precision
        self.weight = 1.0
        self._roots = [model, *modules_used_by(loss_fn), *(ranks.wrappers if ranks else ())]
        modules = modules_of(self._roots)
        self._shards = Fsdp(modules)
        self.live: Point = trainable_of(model, parameters)
        self.names = tuple(self.live)
        self.ranks = ranks_of(modules, self.live) if ranks is None else ranks
        self._moments = [BatchSnapshot(self._roots, batch, self.live, self._shards, _streams(seed))]
        self._graph_checked = False
        self._holding = False
        self.domain = LossFailures()

    @property
    def batches(self) -> int:
        """How many batches the loss is the mean of."""
        return len(self._moments)

    def also(self, batch: Batch) -> None:
        """Add another batch of the same training step, with buffers and random streams as they are now.

        With gradient accumulation a step is taken on several; the loss is the mean of theirs.
        """
        self._moments.append(BatchSnapshot(self._roots, batch, self.live, self._shards, RngState.now()))

    def leaves(self) -> list[Tensor]:
        """The tensors that training's graphs end in: the parameters, or what `fully_shard` gathers them into."""
        return [*self.live.values(), *self._shards.gathered(self.live)]

    def gradients(self) -> list[Tensor]:
        """What training holds of gradients on this process now."""
        held = [p.grad.detach() for p in self.live.values() if p.grad is not None]
        return [*map(local, held), *self._shards.unreduced(self.live)]

    def here(self) -> dict[str, Tensor]:
        """The model's present trainable parameters, as detached copies."""
        return {name: p.detach().clone() for name, p in self.live.items()}

    def loss(self, at: Point) -> Tensor:
        """L(at), a tensor of shape (). Cost: one forward pass."""
        return self._mean(at, (), lambda loss, _wanted: (loss.detach(), {}))[0]

    def loss_and_grad(self, at: Point, wrt: Collection[str] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """L(at) and ∇L(at), bit for bit what `loss.backward()` would leave there but for hooks on parameters.

        Cost: one forward-backward pass; with `wrt`, the backward pass ends at the first layer it names.

        Args:
            at: A value for every trainable parameter.
            wrt: The parameters to differentiate by; all of them by default.
        """

        def differentiated(loss: Tensor, wanted: Point) -> tuple[Tensor, dict[str, Tensor]]:
            if wrt is None and not self._graph_checked:
                check_graph(loss, {} if self._shards else self.live)
                self._graph_checked = True
            return loss.detach(), (accumulated if self._shards else asked)(loss, wanted)

        return self._mean(at, self.names if wrt is None else wrt, differentiated)

    def hvp(self, at: Point, v: Point) -> dict[str, Tensor]:
        """The Hessian-vector product ∇²L(at) v. Cost: about two forward-backward passes.

        By double backward: forward-mode differentiation through BatchNorm is silently wrong
        (pytorch#196699).

        Raises:
            ValueError: with `fully_shard`, whose gradients have no graph.
        """
        if self._shards:
            raise ValueError(
                "hvp needs gradients that can be differentiated again, and those of fully_shard cannot; "
                "compare the gradients at two points instead."
            )

        def differentiated_twice(loss: Tensor, wanted: Point) -> tuple[Tensor, dict[str, Tensor]]:
            check_graph(loss, self.live)
            return loss.detach(), asked(dot(asked(loss, wanted, create_graph=True), v), wanted)

        return self._mean(at, self.names, differentiated_twice)[1]

    def outputs(self, at: Point, modules: Sequence[str]) -> dict[str, Tensor]:
        """What the named submodules return at `at`, detached. Cost: one forward pass.

        A module that returns several values gives its first; one that is called twice gives its last call.
        """
        seen: dict[str, Tensor] = {}
        with contextlib.ExitStack() as hooks:
            for name in modules:
                hooks.callback(submodule(self.model, name).register_forward_hook(keep(name, seen)).remove)
            self._evaluate(self._moments[0], at, (), lambda _loss, _wanted: None)
        silent = [name for name in modules if name not in seen]
        if silent:
            raise ValueError(f"{silent[0]!r} returned no tensor during the forward pass; choose a module that does.")
        return seen

    def signals(self, at: Point, modules: Sequence[str]) -> dict[str, Signal]:
        """What goes into and comes out of the named submodules at `at`, with the loss's gradients by either.

        Cost: one forward-backward pass. A module must take and return one tensor; of several calls the last counts.
        """
        seen: dict[str, tuple[Tensor, Tensor]] = {}

        def differentiated(loss: Tensor, _wanted: Point) -> dict[str, Signal]:
            silent = [name for name in modules if name not in seen]
            if silent:
                raise ValueError(f"{silent[0]!r} took no part in the loss, or returned no tensor.")
            inputs, outputs = zip(*(seen[name] for name in modules), strict=True)
            grads = torch.autograd.grad(loss, [*inputs, *outputs], allow_unused=True, materialize_grads=True)
            by_input, by_output = grads[: len(inputs)], grads[len(inputs) :]
            return {
                name: Signal(into.detach(), out.detach(), by_into, by_out)
                for name, into, out, by_into, by_out in zip(modules, inputs, outputs, by_input, by_output, strict=True)
            }

        with contextlib.ExitStack() as hooks:
            for name in modules:
                module = submodule(self.model, name)
                hooks.callback(module.register_forward_pre_hook(tracked).remove)
                hooks.callback(module.register_forward_hook(tap(name, seen)).remove)
            return self._evaluate(self._moments[0], at, (), differentiated)

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Set random streams, autocast and compilation aside once for all evaluations inside the block, not at each.

        Evaluations do so by themselves; around many of a small network it saves some time.
        """
        if self._holding:
            yield
            return
        try:
            self._holding = True
            with RngState.now().replayed(), conditions(self.precision):
                yield
        finally:
            self._holding = False

    def _mean(
        self, at: Point, wrt: Collection[str], then: Callable[[Tensor, Point], tuple[Tensor, dict[str, Tensor]]]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over batches and processes of a loss and what belongs to it; one batch's own, bit for bit."""
        loss, others = self._evaluate(self._moments[0], at, wrt, then)
        share = self.weight / self.batches
        if self.batches > 1 or share != 1:
            loss, others = loss * share, scale(others, share)
        for moment in self._moments[1:]:
            more, gradient = self._evaluate(moment, at, wrt, then)
            loss = loss + share * more
            for name, value in gradient.items():
                others[name].add_(value, alpha=share)
        self.domain.known = not self._shards  # whose other processes would wait for a forward pass cut short
        return self.ranks.average(loss, others)

    def _evaluate(
        self, moment: BatchSnapshot, at: Point, wrt: Collection[str], then: Callable[[Tensor, Point], T]
    ) -> T:
        """`then(loss, wanted)` on one batch while all is as in training; `wanted` are the parameters of `wrt`.

        Differentiation belongs inside: checkpointed activations are computed again in the backward pass, and must
        meet the same parameters, buffers and draws.
        """
        if set(at) != set(self.names):
            odd = sorted(set(at) ^ set(self.names))
            raise ValueError(
                f"a point needs a value for each of the {len(self.names)} trainable parameters and no other; "
                f"found a difference at {odd[0]!r}. Start from `objective.here()`."
            )

        def work(leaves: Point) -> T:
            loss = self.domain.loss(lambda: scalar(self.loss_fn(self.model, moment.batch)), leaves)
            return then(loss, {name: leaves[name] for name in wrt})

        with self.held():
            return moment.evaluate(at, work)


def _streams(seed: int | RngState | None) -> RngState:
    if isinstance(seed, RngState):
        return seed
    return RngState.now() if seed is None else RngState.seeded(operator.index(seed))
