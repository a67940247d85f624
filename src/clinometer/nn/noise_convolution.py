"""Gradient noise convolution: each worker takes its gradient at a point that gradient noise has moved."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import LBFGS, Optimizer

from clinometer.nn.gradient_noise import isotropic_noise, noise_about_mean
from clinometer.nn.workers import Gradients, Processes, SimulatedWorkers

Noise = Literal["own", "permuted", "isotropic"]
Closure = Callable[[Any], Tensor]
_OURS = "noise_convolution"


class NoiseConvolution(Optimizer):
    """An optimizer around another: M workers share a batch, and each sees the loss where noise has moved its weights.

        w_i = w + s η n_i        where worker i takes its gradient
        g_i = ∇L_i(w_i)          L_i is the loss on its part of the batch
        ḡ = Σ g_i / M            by which the inner optimizer steps from w
        n_i = g_i − ḡ            the noise, Σ n_i = 0, of the step before (`lag` 1) or taken at w first (`lag` 0)

    With `scale` 0 that is, bit for bit, the inner optimizer on the mean of the parts' gradients: plain data-parallel
    training. So is the first step with `lag` 1. The abstract of the paper fixes neither scale, lag, whose noise a
    worker gets, nor a schedule: all are options here, and no default is claimed to be the paper's.

    Workers are simulated one after the other, or are the processes of a `DistributedDataParallel` model. Then each
    process passes its own part as `batch`; its gradients are averaged here and not by the model, on any backend.

    BatchNorm in train mode normalises by the worker's part and at the worker's point. Running statistics are updated by
    each pass: in one process by M passes a step (2 M with `lag` 0), at the moved points; with several processes each
    has its own, and the model does not broadcast them.

    Parameter groups are those of the inner optimizer: η is a group's own `lr`, and each has its own `scale`, which a
    schedule may change between steps. Schedulers take this optimizer or the inner one. Loss scaling by `GradScaler` is
    not supported. Cost: the passes of one step on the batch, in M parts; twice that with `lag` 0. Memory in copies of
    the parameters: up to 3 M + 2 within a step and, with `lag` 1, M between steps; with processes as for M = 1 on each.

    With `lag` 1 the noise feeds back: it was taken where noise had moved the weights, n' = s η H n + new noise. Keep
    s η below 1 / λ, with λ the largest eigenvalue of the Hessian: training at the edge of stability has λ = 2 / η.

    Args:
        optimizer: The inner one, such as `torch.optim.SGD`.
        workers: How many to simulate, or the `DistributedDataParallel` model that `closure` trains.
        scale: s, at least 0.
        lag: 1 takes the noise of the step before, 0 that of gradients at w, by another pass.
        noise: Each worker's `own`; that of its neighbour, `permuted`; or, for comparison, `isotropic`: Gaussian, drawn
            anew for each worker and as long as its own in each group.
        seed: Of isotropic draws.

    Raises:
        TypeError: unless `optimizer` and `workers` are such.
        ValueError: for one worker with a scale above 0, who has no noise, or another argument that is not as described.
    Source: Haruki, Suzuki, Hamakawa, Toda, Sakai, Ozawa and Kimura (2019), arXiv:1906.10822; its abstract was read.

    Example:
        >>> model = torch.nn.Linear(3, 1)
        >>> optimizer = NoiseConvolution(torch.optim.SGD(model.parameters(), lr=0.1), workers=4)
        >>> def closure(part):
        ...     loss = model(part[0]).sub(part[1]).square().mean()
        ...     loss.backward()
        ...     return loss
        >>> for batch in [(torch.ones(8, 3), torch.zeros(8, 1))] * 2:
        ...     loss = optimizer.step(closure, batch)
        >>> loss.shape
        torch.Size([])
    """

    looks_around = True  # for recorders of steps: the closure's passes are not at the weights that the step starts from

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        workers: int | DistributedDataParallel,
        scale: float = 1.0,
        lag: Literal[0, 1] = 1,
        noise: Noise = "own",
        seed: int = 0,
    ) -> None:
        _check_optimizer(optimizer)
        if lag not in (0, 1):
            raise ValueError(f"`lag` must be 0 or 1; found {lag!r}.")
        if noise not in get_args(Noise):
            raise ValueError(f"`noise` must be one of {', '.join(get_args(Noise))}; found {noise!r}.")
        of_processes = isinstance(workers, DistributedDataParallel)
        self.workers = Processes(workers) if of_processes else SimulatedWorkers(workers)
        if self.workers.count == 1 and _checked_scale(scale) > 0:
            raise ValueError(
                "one worker has no gradient noise, as its gradient is the mean: this would be plain training. Expected "
                "at least 2 workers; pass scale=0 to train plainly on purpose."
            )
        self.base_optimizer = optimizer
        self.lag, self.noise, self.seed = lag, noise, seed
        self.steps = 0  # taken so far
        self._noise: list[Gradients] = []  # that each worker of this process will be moved by
        super().__init__(optimizer.param_groups, {"scale": _checked_scale(scale)})
        self.param_groups = optimizer.param_groups

    @torch.no_grad()
    def step(self, closure: Closure, batch: Any, noise_batch: Any = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take one step, and return the mean of the workers' losses, each at the point where its gradient was taken.

        Args:
            closure: Called with each part of the batch: it computes the loss, calls `backward` and returns the loss.
                Gradients are cleared before.
            batch: A tensor, or tuples, lists and mappings of tensors, that divide into M parts along their first
                dimension. With processes, this process's part, as a whole.
            noise_batch: With `lag` 0, a fresh batch for the gradients that the noise is made of, in place of `batch`.

        Raises:
            ValueError: for a batch that does not divide, or a rate or scale that is not finite; nothing has moved then.
            RuntimeError: if the closure leaves no gradient. Whatever it raises itself, the parameters are back at w.
        """
        parts = self.workers.parts(batch)
        others = parts if noise_batch is None else self.workers.parts(noise_batch)
        if self.lag and noise_batch is not None:
            raise ValueError("`noise_batch` is for lag=0; with lag=1 the noise is that of the step before.")
        self.param_groups = self.base_optimizer.param_groups  # that it may have loaded since
        moved_by = self._moved_by()
        moves = any(moved_by.values())
        if moves and not self.lag:
            gradients = self._passes(closure, others, [], {})[1]
            self._noise = self._noise_of(gradients, self.workers.mean(gradients, self._parameters()))
        losses, gradients = self._passes(closure, parts, self._noise, moved_by)
        mean = self.workers.mean(gradients, self._parameters())
        if not mean:
            raise RuntimeError("the closure left no gradient; expected it to call loss.backward().")
        self._noise = self._noise_of(gradients, mean) if moves and self.lag else []
        for p in self._parameters():
            p.grad = mean.get(p)
        self.base_optimizer.step()
        self.steps += 1
        return self.workers.mean_loss(losses)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the inner optimizer, with this one's `scale` unless it has its own."""
        if self.param_groups is self.base_optimizer.param_groups:
            self.base_optimizer.add_param_group({**self.defaults, **param_group})
        else:  # while this optimizer is made, of the inner one's groups
            super().add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """The inner optimizer's state and, in an entry of its own, this process's noise for the next step.

        With several processes each must save and load its own.
        """
        places = {p: place for place, p in enumerate(self._parameters())}
        ours = {
            "workers": self.workers.count,
            "first": self.workers.first,
            "steps": self.steps,
            "noise": [{places[p]: value.clone() for p, value in each.items()} for each in self._noise],
        }
        return {**self.base_optimizer.state_dict(), _OURS: ours}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state, also from one of the inner optimizer alone: then the next step is like a first one.

        The noise of another worker, or of another number of workers, is left out with a warning.
        """
        rest = dict(state_dict)
        ours = rest.pop(_OURS, {"steps": 0, "noise": []})
        self.base_optimizer.load_state_dict(rest)
        self.param_groups = self.base_optimizer.param_groups
        for group in self.param_groups:
            group.setdefault("scale", self.defaults["scale"])
        self.steps = ours["steps"]
        parameters = self._parameters()
        if ours["noise"] and (ours["workers"], ours["first"]) != (self.workers.count, self.workers.first):
            warnings.warn(
                f"the state has the noise of worker {ours['first']} of {ours['workers']}, and this is worker "
                f"{self.workers.first} of {self.workers.count}: its next step is taken without noise.",
                stacklevel=2,
            )
            ours = {**ours, "noise": []}
        self._noise = [{parameters[place]: v.to(parameters[place]) for place, v in n.items()} for n in ours["noise"]]

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _moved_by(self) -> dict[Tensor, float]:
        """How far each parameter moves along the noise, s η; ValueError unless that is finite."""
        found: dict[Tensor, float] = {}
        for group in self.param_groups:
            factor = _checked_scale(group["scale"]) * float(group["lr"])
            if not math.isfinite(factor):
                raise ValueError(f"expected a finite learning rate; found {float(group['lr'])}.")
            found |= dict.fromkeys(group["params"], factor)
        return found

    def _passes(
        self, closure: Closure, parts: Sequence[Any], noise: Sequence[Gradients], moved_by: Mapping[Tensor, float]
    ) -> tuple[list[Tensor], list[Gradients]]:
        """The loss and gradients of each worker of this process, at the point where its noise moves it."""
        losses: list[Tensor] = []
        gradients: list[Gradients] = []
        origin = {p: p.clone() for p, factor in moved_by.items() if factor and any(p in each for each in noise)}
        try:
            for place, part in enumerate(parts):
                for p, value in origin.items():
                    p.copy_(value).add_(noise[place][p], alpha=moved_by[p])
                self.base_optimizer.zero_grad(set_to_none=True)
                with torch.enable_grad(), self.workers.alone():
                    losses.append(_checked_loss(closure(part)))
                gradients.append(self._taken())
        finally:
            for p, value in origin.items():
                p.copy_(value)
        return losses, gradients

    def _taken(self) -> Gradients:
        """The gradients that a pass has left, which are the optimizer's no more."""
        found = {p: p.grad for p in self._parameters() if p.grad is not None}
        if any(gradient.is_sparse for gradient in found.values()):
            raise TypeError("a parameter has a sparse gradient, which has no noise; expected dense gradients.")
        self.base_optimizer.zero_grad(set_to_none=True)
        return found

    def _noise_of(self, gradients: Sequence[Gradients], mean: Gradients) -> list[Gradients]:
        """What each worker of this process will be moved by, made of all workers' g − ḡ."""
        noise = noise_about_mean(gradients, mean)
        if self.noise == "permuted":
            return self.workers.of_neighbours(noise)
        if self.noise == "isotropic":
            groups = [group["params"] for group in self.param_groups]
            first = (self.seed * 1_000_003 + self.steps) * self.workers.count + self.workers.first
            return [isotropic_noise(each, groups, first + place) for place, each in enumerate(noise)]
        return noise


def _checked_loss(loss: Any) -> Tensor:
    if not isinstance(loss, Tensor):
        raise TypeError(f"expected the closure to return the loss, a tensor; found {type(loss).__name__}.")
    return loss.detach()


def _checked_scale(scale: float) -> float:
    if isinstance(scale, bool) or not 0 <= float(scale) < math.inf:
        raise ValueError(f"`scale` must be finite and at least 0; found {scale}.")
    return float(scale)


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"expected a torch optimizer; found {type(optimizer).__name__}.")
    if isinstance(optimizer, LBFGS | NoiseConvolution) or any("lr" not in group for group in optimizer.param_groups):
        raise ValueError(
            f"expected an optimizer that steps once by a gradient, with a learning rate; found "
            f"{type(optimizer).__name__}."
        )
