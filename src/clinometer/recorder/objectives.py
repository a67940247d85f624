"""Makes the objective of each step that is measured; where nothing is evaluated, without keeping the batch."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from clinometer.objective.distributed import Ranks
from clinometer.objective.not_kept import NOT_KEPT
from clinometer.objective.objective import Batch, LossFn, Objective
from clinometer.objective.params_module import ParamsModule, trained_by_default
from clinometer.objective.precision import Precision
from clinometer.recorder.first_mistakes import check_batch_kind
from clinometer.recorder.optimizer_steps import parameters_of


class Objectives:
    """The objectives of one recorder.

    Args:
        model: The model in training.
        loss_fn: Its loss function.
        optimizers: Those that move its parameters.
        precision: As for `Objective`.
        ranks: The processes that measure together.
    """

    def __init__(
        self, model: nn.Module, loss_fn: LossFn, optimizers: Sequence[Any], precision: Precision, ranks: Ranks
    ) -> None:
        self._model = model
        self._loss_fn = loss_fn
        self._optimizers = optimizers
        self._precision: Precision = precision
        self._ranks = ranks
        self._changes = isinstance(model, ParamsModule) or any(hasattr(m, "_get_fsdp_state") for m in model.modules())
        self._without: Objective | None = None  # the last one that keeps no batch
        self._moved: Any = None  # what tells whether the same tensors would be moved now

    def on(self, batch: Batch) -> Objective:
        """The loss on a batch, with modules and random streams as they are now."""
        check_batch_kind(batch)
        return self._made(batch)

    def without(self, batch: Batch) -> Objective:
        """What knows the parameters, and keeps no batch. It is made again only where others are trained than before."""
        check_batch_kind(batch)
        if self._changes:
            return self._made(NOT_KEPT)
        now = self._trained()
        if self._without is None or now != self._moved:
            self._without, self._moved = self._made(NOT_KEPT), now
        return self._without

    def _made(self, batch: Batch) -> Objective:
        held = parameters_of(self._optimizers)
        return Objective(
            self._model, self._loss_fn, batch, parameters=held, precision=self._precision, ranks=self._ranks
        )

    def _trained(self) -> tuple[Any, ...]:
        """Which tensors are trained now. Those that an objective moves live as long as it does, and keep their ids."""
        held: list[Tensor] = parameters_of(self._optimizers) or []
        named = trained_by_default(self._model).items()
        return (*((name, id(p)) for name, p in named), *((id(p), p.requires_grad) for p in held))
