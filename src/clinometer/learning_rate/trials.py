"""Short trainings that really move a model, on copies: where they end, nothing of them is left.

A trial runs in a block in which every module holds copies of its parameters and buffers (`BatchSnapshot.at`), so the
model's own tensors, gradients and modes, the optimizer and the random streams are never touched.
"""

import contextlib
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.learning_rate.trial_optimizer import TrialOptimizer
from clinometer.objective.batch import KeptBatch
from clinometer.objective.checks import scalar
from clinometer.objective.discover import reached_by
from clinometer.objective.distributed import ranks_of, wrappers_around
from clinometer.objective.failures import is_divergence
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.gradients import gradient_by_backward
from clinometer.objective.isolation import Isolation
from clinometer.objective.module_state import modules_of
from clinometer.objective.objective import LossFn, Objective
from clinometer.objective.rng import RngState
from clinometer.objective.snapshot import BatchSnapshot
from clinometer.objective.trained_tensors import trained_tensors

FORWARD = 0.45  # of a forward-backward pass


class Trials:
    """Trainings from where a model and its optimizer are now, with the same batches and random draws in each.

    Memory: two copies of the model and its optimizer's state, and a third in a trial.

    Args:
        model, loss_fn: As for `Objective`.
        batches: The batches, the first of which is the first of every trial; after the last comes the first again.
        optimizer: An optimizer, or a function that makes one of parameters.

    Raises:
        ValueError: if nothing is trainable, or several processes train the model.
        TypeError: if `optimizer` is neither.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> loss_fn = lambda model, x: model(x).square().sum() / 2
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> trials, start = Trials(model, loss_fn, [KeptBatch(torch.ones(1, 1))], optimizer), model.weight.item()
        >>> with trials.run() as trial:
        ...     first, second = trial.step(0.5), trial.step(0.5)
        >>> round(second / first, 4), model.weight.item() == start, trials.passes
        (0.25, True, 2.0)
    """

    def __init__(self, model: nn.Module, loss_fn: LossFn, batches: Sequence[KeptBatch], optimizer: Any) -> None:
        roots = [model, *reached_by(loss_fn).modules]
        modules = modules_of(roots)
        self.model, self.loss_fn, self.batches = model, loss_fn, batches
        self.passes = 0.0  # forward-backward passes so far
        self.optimizer = TrialOptimizer(optimizer, modules)
        fsdp = Fsdp(modules)
        self._live, _ = trained_tensors(model, loss_fn, self.optimizer.parameters)
        if fsdp or ranks_of(modules, self._live, wrappers_around(model)).size > 1:
            raise ValueError(
                "trial steps are taken in one process; found a model that several train. Find the learning rate before "
                "the model is wrapped, with batches as large as those of all processes together."
            )
        self._roots, self._fsdp, self._isolation = roots, fsdp, Isolation("training")
        self._snapshot = BatchSnapshot(roots, loss_fn, batches[0], self._live, fsdp, self._isolation, RngState.now())
        self._start = {name: p.detach().clone() for name, p in self._live.items()}
        self._evaluated: set[int] = set()  # batches that have had a loss

    @contextlib.contextmanager
    def run(self) -> Generator["Trial"]:
        """A block in which the model is that of a trial, which begins where the model was."""
        with self._snapshot.at(self._start) as leaves:
            yield Trial(self, leaves, self.optimizer.make(self._live, leaves))

    def loss(self, number: int) -> Tensor:
        """The loss of a batch where the model is, in the block of a trial that of the trial."""
        return scalar(self.loss_fn(self.model, self.batches[number].fresh()))

    def first_losses(self, numbers: Iterable[int]) -> list[float]:
        """The losses of some batches at the start, with draws that go on from one to the next. Cost: forward passes."""
        losses: list[float] = []
        with self._snapshot.at(self._start), torch.no_grad():
            for number in numbers:
                losses.append(float(self.loss(number)))
                self.passes += FORWARD
                self._evaluated.add(number)
        return losses

    def loss_or_nan(self, number: int) -> Tensor | None:
        """The loss of a batch; None where it diverges so far that `loss_fn` raises, which it does not at the start."""
        try:
            loss = self.loss(number)
        except Exception as error:
            if not is_divergence(error):
                raise
            if number not in self._evaluated:
                self.first_losses([number])  # raises if it is the batch, and not the place
            return None
        self._evaluated.add(number)
        return loss


class Trial:
    """One training, while its block lasts."""

    def __init__(self, trials: Trials, leaves: Mapping[str, Tensor], optimizer: Any) -> None:
        self.optimizer = optimizer
        self.losses: list[float] = []  # of each step, before it moved
        self._trials = trials
        self.leaves = leaves  # its parameters themselves

    def step(self, rate: float) -> float:
        """Train on the next batch; returns its loss before that, NaN where `loss_fn` or its derivative fails."""
        trials, number = self._trials, len(self.losses) % len(self._trials.batches)
        trials.passes += 1
        loss = trials.loss_or_nan(number)
        found = math.nan if loss is None else float(loss.detach())
        self.losses.append(found)
        if loss is None or not math.isfinite(found):
            return found
        self.optimizer.zero_grad(set_to_none=True)
        batch = trials.batches[number]
        gradient_by_backward(loss, self.leaves, [t for t in batch.tensors if t.requires_grad and t.is_leaf])
        trials.optimizer.set_rate(self.optimizer, rate)
        self.optimizer.step()
        return found

    def here(self) -> dict[str, Tensor]:
        """The trial's parameters, as copies."""
        return {name: leaf.detach().clone() for name, leaf in self.leaves.items()}

    def objective(self, number: int) -> Objective:
        """The loss of a batch as a function of the parameters, with modules as the trial has left them."""
        trials = self._trials
        return Objective(
            trials.model,
            trials.loss_fn,
            trials.batches[number % len(trials.batches)].fresh(),
            parameters=list(self.leaves.values()),
            precision="training",
        )
