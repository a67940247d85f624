"""Another loss of the same parameters: what a second task says about the steps of the first."""

import copy
from typing import Any

from clinometer.objective.discover import reached_by
from clinometer.objective.evaluation import Evaluation
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.module_state import modules_of
from clinometer.objective.objective import LossFn, Objective
from clinometer.objective.params_module import ParamsLossFn, loss_of


def other_loss(objective: Objective, loss_fn: LossFn | ParamsLossFn) -> Objective:
    """The loss by another function, of the same parameters, on the same batches and random draws.

    Modules, those that this function alone reaches too, are as they are now. A parameter that takes no part in this
    loss has gradient zero.

    Args:
        objective: The objective to take everything else from.
        loss_fn: As for `Objective`; with `params`, a function of these and the batch.

    Example:
        >>> import torch
        >>> first = Objective(params={"w": torch.tensor([1.0, 2.0])}, loss_fn=lambda p, _: p["w"].sum())
        >>> other_loss(first, lambda p, _: p["w"].prod()).loss_and_grad(first.here())
        (tensor(2.), {'w': tensor([2., 1.])})
    """
    own: dict[str, Any] = vars(objective)
    function = loss_of(objective.model, loss_fn)
    roots = [*own["_roots"], *reached_by(function).modules]
    fsdp = Fsdp(modules_of(roots))
    other = copy.copy(objective)
    vars(other).update(
        loss_fn=function,
        _evaluation=Evaluation(objective.model, function, sharded=bool(fsdp)),
        _roots=roots,
        _fsdp=fsdp,
        _snapshots=tuple(snapshot.by(function, roots, fsdp, objective.live) for snapshot in own["_snapshots"]),
    )
    return other
