"""The loss on one frozen batch, as a function of the parameters alone.

Everything else that the training step saw (batch, dropout and noise draws, buffers, train/eval flags, frozen
parameters) is held as it was when the objective was made, so that two evaluations differ only by where they
are. This is the one file that evaluates an `nn.Module`, and it leaves the model as it found it.
"""

import contextlib
from collections.abc import Callable, Collection, Generator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clinometer.measure.contract import check_graph, explain_devices, scalar
from clinometer.measure.point import Point, dot
from clinometer.measure.rng import RngState

Batch = Any
LossFn = Callable[[nn.Module, Batch], Tensor]


class Objective:
    """L(x): the loss of `model` on `batch` with its trainable parameters at x.

    BatchNorm in train mode normalises with the batch's own statistics, as the training step did, and its
    running statistics stay put: every evaluation works on clones of the buffers. Dropout and noise draw the
    same at every point. A parameter that does not take part in the loss has gradient zero; parameters with
    `requires_grad=False` are held where they are. Memory: one copy of buffers and frozen parameters.

    State that a module keeps outside parameters and buffers (a Python counter, say), and forward hooks of
    the user's own, see these evaluations: torch offers no way to tell such hooks from those a model needs.

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
        self.names = tuple(name for name, p in model.named_parameters() if p.requires_grad)
        if not self.names:
            raise ValueError(
                "the model has no trainable parameter (requires_grad=True); found "
                f"{sum(1 for _ in model.parameters())} parameters in {type(model).__name__}. "
                "A landscape needs at least one direction: pass the network itself, unfrozen."
            )
        self._program = _Program(model, loss_fn)
        # Cloned, not referenced: a momentum encoder or an EMA copy is a frozen parameter that moves.
        self._fixed = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
        self._buffers = {name: b.detach().clone() for name, b in model.named_buffers()}
        self._slots = _slots(model)
        self._modes = [(module, module.training) for module in model.modules()]
        self._holding = False
        self._rng = RngState.seeded(seed) if isinstance(seed, int) else seed or RngState.now()

    def here(self) -> dict[str, Tensor]:
        """The model's present trainable parameters, as detached copies."""
        trainable = dict(self.model.named_parameters())
        return {name: trainable[name].detach().clone() for name in self.names}

    def loss(self, at: Point) -> Tensor:
        """L(at), a tensor of shape (). Cost: one forward pass."""
        return self._evaluate(_leaves(at, ())).detach()

    @torch.enable_grad()  # the caller may be under no_grad
    def loss_and_grad(self, at: Point, wrt: Collection[str] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """L(at) and ∇L(at), bit for bit what `loss.backward()` would leave there.

        Cost: one forward-backward pass; with `wrt`, the backward pass ends at the first layer it names.

        Args:
            at: A value for every trainable parameter.
            wrt: The parameters to differentiate by; all of them by default.
        """
        leaves = _leaves(at, self.names if wrt is None else wrt)
        loss = self._evaluate(leaves)
        if wrt is None:
            check_graph(loss)
        return loss.detach(), _gradient(loss, leaves)

    @torch.enable_grad()
    def hvp(self, at: Point, v: Point) -> dict[str, Tensor]:
        """The Hessian-vector product ∇²L(at) v. Cost: about two forward-backward passes.

        By double backward: forward-mode differentiation through BatchNorm is silently wrong
        (pytorch#196699).
        """
        leaves = _leaves(at, self.names)
        loss = self._evaluate(leaves)
        check_graph(loss)
        return _gradient(dot(_gradient(loss, leaves, create_graph=True), v), leaves)

    def outputs(self, at: Point, modules: Sequence[str]) -> dict[str, Tensor]:
        """What the named submodules return at `at`, detached. Cost: one forward pass.

        A module that returns several values gives its first; one that is called twice gives its last call.
        """
        seen: dict[str, Tensor] = {}
        with contextlib.ExitStack() as hooks:
            for name in modules:
                hooks.callback(_submodule(self.model, name).register_forward_hook(_keep(name, seen)).remove)
            self.loss(at)
        silent = [name for name in modules if name not in seen]
        if silent:
            raise ValueError(f"{silent[0]!r} returned no tensor during the forward pass; choose a module that does.")
        return seen

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Set the program's random streams aside once for all evaluations inside the block, not at each.

        Evaluations do so by themselves; around many of a small network it saves some time.
        """
        if self._holding:
            yield
            return
        self._holding = True
        try:
            with RngState.now().replayed():
                yield
        finally:
            self._holding = False

    def _evaluate(self, leaves: Point) -> Tensor:
        if set(leaves) != set(self.names):
            odd = sorted(set(leaves) ^ set(self.names))
            raise ValueError(
                f"a point needs a value for each of the {len(self.names)} trainable parameters and no other; "
                f"found a difference at {odd[0]!r}. Start from `objective.here()`."
            )
        state = {**leaves, **self._fixed, **{name: b.clone() for name, b in self._buffers.items()}}
        placed = {slot: state[name] for slot, name in self._slots.items()}
        with self._as_in_training():
            try:
                loss = functional_call(self._program, placed, (self.batch,), tie_weights=False)
            except RuntimeError as error:
                explain_devices(error, state, self.batch)
                raise
        return scalar(loss)

    @contextlib.contextmanager
    def _as_in_training(self) -> Generator[None]:
        present = [(module, module.training) for module, _ in self._modes]
        with self.held(), torch.enable_grad():
            self._rng.restore()
            try:
                _set_modes(self._modes)
                yield
            finally:
                _set_modes(present)


class _Program(nn.Module):
    """`loss_fn` as a module, so that `functional_call` swaps the parameters under all that `loss_fn` does."""

    def __init__(self, model: nn.Module, loss_fn: LossFn) -> None:
        super().__init__()
        self.model = model
        self.loss_fn = loss_fn

    def forward(self, batch: Batch) -> Tensor:
        return self.loss_fn(self.model, batch)


def _slots(model: nn.Module) -> dict[str, str]:
    """Where each value belongs in `_Program`, and its name; a tied one belongs in several places.

    `functional_call` can find ties too, at every call, which costs small networks more than the swap itself.
    """
    first: dict[Tensor, str] = {}
    every = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {f"model.{name}": first.setdefault(tensor, name) for name, tensor in every}


def _gradient(value: Tensor, leaves: Point, create_graph: bool = False) -> dict[str, Tensor]:
    wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    if not value.requires_grad:  # a constant: an unused layer's loss, or the slope of a linear one
        return {name: torch.zeros_like(leaf) for name, leaf in wanted.items()}
    grads = torch.autograd.grad(
        value, list(wanted.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return dict(zip(wanted, grads, strict=True))


def _leaves(at: Point, wrt: Collection[str]) -> dict[str, Tensor]:
    return {name: value.detach().requires_grad_(name in wrt) for name, value in at.items()}


def _set_modes(modes: list[tuple[nn.Module, bool]]) -> None:
    for module, training in modes:
        if module.training != training:
            module.training = training  # not .train(): it recurses, and models override it


def _submodule(model: nn.Module, name: str) -> nn.Module:
    modules = dict(model.named_modules())
    if name not in modules:
        known = ", ".join(repr(n) for n in list(modules)[1:9])
        raise ValueError(f"{type(model).__name__} has no module {name!r}; it has {known}, ...")
    return modules[name]


def _keep(name: str, seen: dict[str, Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        if isinstance(first, Tensor):
            seen[name] = first.detach().clone()  # an in-place ReLU after it would overwrite it

    return hook
