"""The loss on one frozen batch, as a function of the parameters alone.

Everything else that the training step saw (batch, dropout and noise draws, buffers, train/eval flags, frozen
parameters) is held as it was when the objective was made, so that two evaluations differ only by where they
are. This is the one file that evaluates an `nn.Module`, and it leaves the model as it found it.
"""

import contextlib
import operator
from collections.abc import Callable, Collection, Generator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from clinometer.measure.contract import check_batch, check_graph, explain_devices, scalar, versions
from clinometer.measure.hooks import Signal, keep, submodule, tap, tracked
from clinometer.measure.point import Point, dot
from clinometer.measure.replica import Replica, like
from clinometer.measure.rng import RngState
from clinometer.measure.scripted import Scripted

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

    Raises:
        ValueError: if the model has no trainable parameter.
    Source: Santurkar et al. (2018), §3.1: every quantity is taken on one training minibatch.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, x: m(x).square().sum(), torch.tensor([[2.0]]))
        >>> objective.loss({"weight": torch.tensor([[3.0]])})    # (3 · 2)²
        tensor(36.)
    """

    def __init__(self, model: nn.Module, loss_fn: LossFn, batch: Batch, *, seed: int | RngState | None = None) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.batch = batch
        self._live = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.names = tuple(self._live)
        if not self.names:
            raise ValueError(
                "the model has no trainable parameter (requires_grad=True); found "
                f"{sum(1 for _ in model.parameters())} parameters in {type(model).__name__}. "
                "A landscape needs at least one direction: pass the network itself, unfrozen."
            )
        self._replica = Replica(model, self._live)
        self._scripted = Scripted(model)
        self._seen = versions(batch)
        self._graph_checked = False
        self._holding = False
        self._rng = _streams(seed)

    def here(self) -> dict[str, Tensor]:
        """The model's present trainable parameters, as detached copies."""
        return {name: p.detach().clone() for name, p in self._live.items()}

    def loss(self, at: Point) -> Tensor:
        """L(at), a tensor of shape (). Cost: one forward pass."""
        return self._evaluate(at, (), lambda loss, _wanted: loss.detach())

    def loss_and_grad(self, at: Point, wrt: Collection[str] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """L(at) and ∇L(at), bit for bit what `loss.backward()` would leave there but for hooks on parameters.

        Cost: one forward-backward pass; with `wrt`, the backward pass ends at the first layer it names.

        Args:
            at: A value for every trainable parameter.
            wrt: The parameters to differentiate by; all of them by default.
        """

        def differentiated(loss: Tensor, wanted: Point) -> tuple[Tensor, dict[str, Tensor]]:
            if wrt is None and not self._graph_checked:
                check_graph(loss, self._live)
                self._graph_checked = True
            return loss.detach(), _gradient(loss, wanted)

        return self._evaluate(at, self.names if wrt is None else wrt, differentiated)

    def hvp(self, at: Point, v: Point) -> dict[str, Tensor]:
        """The Hessian-vector product ∇²L(at) v. Cost: about two forward-backward passes.

        By double backward: forward-mode differentiation through BatchNorm is silently wrong
        (pytorch#196699).
        """

        def differentiated_twice(loss: Tensor, wanted: Point) -> dict[str, Tensor]:
            check_graph(loss, self._live)
            return _gradient(dot(_gradient(loss, wanted, create_graph=True), v), wanted)

        return self._evaluate(at, self.names, differentiated_twice)

    def outputs(self, at: Point, modules: Sequence[str]) -> dict[str, Tensor]:
        """What the named submodules return at `at`, detached. Cost: one forward pass.

        A module that returns several values gives its first; one that is called twice gives its last call.
        """
        seen: dict[str, Tensor] = {}
        with contextlib.ExitStack() as hooks:
            for name in modules:
                hooks.callback(submodule(self.model, name).register_forward_hook(keep(name, seen)).remove)
            self.loss(at)
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
            return self._evaluate(at, (), differentiated)

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Set the program's random streams aside once for all evaluations inside the block, not at each.

        Evaluations do so by themselves; around many of a small network it saves some time.
        """
        if self._holding:
            yield
            return
        try:
            self._holding = True
            with RngState.now().replayed():
                yield
        finally:
            self._holding = False

    def _evaluate(self, at: Point, wrt: Collection[str], then: Callable[[Tensor, Point], T]) -> T:
        """`then(loss, wanted)` while everything is as in training; `wanted` are the parameters of `wrt`.

        Differentiation belongs inside: checkpointed activations are computed again in the backward pass, and must
        meet the same parameters, buffers and draws.
        """
        if set(at) != set(self.names):
            odd = sorted(set(at) ^ set(self.names))
            raise ValueError(
                f"a point needs a value for each of the {len(self.names)} trainable parameters and no other; "
                f"found a difference at {odd[0]!r}. Start from `objective.here()`."
            )
        check_batch(self.batch, self._seen)
        # Copies: a forward pass may clamp its weights. All require gradients, as in training: a loss may ask for it.
        leaves = {name: like(live, at[name]) for name, live in self._live.items()}
        wanted = {name: leaves[name] for name in wrt}

        def work() -> T:
            return then(scalar(self.loss_fn(self.model, self.batch)), wanted)

        with self.held(), torch.enable_grad(), self._replica.installed(leaves):
            self._rng.restore()
            try:
                result = self._scripted.run(work, leaves)
            except RuntimeError as error:
                explain_devices(error, leaves, self.batch)
                raise
        check_batch(self.batch, self._seen)
        return result


def _streams(seed: int | RngState | None) -> RngState:
    if isinstance(seed, RngState):
        return seed
    return RngState.now() if seed is None else RngState.seeded(operator.index(seed))


def _gradient(value: Tensor, wanted: Point, create_graph: bool = False) -> dict[str, Tensor]:
    if not value.requires_grad:  # a constant: the slope of a linear loss
        return {name: torch.zeros_like(leaf, requires_grad=False) for name, leaf in wanted.items()}
    grads = torch.autograd.grad(
        value, list(wanted.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return {name: grad.to_dense() if grad.is_sparse else grad for name, grad in zip(wanted, grads, strict=True)}
