"""Checks a recorder's arguments when it is made, as the first scheduled step may be hours away."""

import operator
from collections.abc import Sequence
from typing import Any

from torch import nn

from clinometer.objective.discover import reached_by
from clinometer.objective.distributed import Ranks, ranks_of, wrappers_around
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.module_state import modules_of
from clinometer.objective.objective import LossFn
from clinometer.objective.precision import check_precision
from clinometer.objective.trained_tensors import trained_tensors
from clinometer.recorder.optimizer_steps import parameters_of


def check_arguments(loss_fn: Any, precision: Any) -> None:
    """TypeError or ValueError unless they are what they should be."""
    if not callable(loss_fn):
        raise TypeError(f"loss_fn must be a function of model and batch; found {loss_fn!r}.")
    check_precision(precision)


def check_optimizers(optimizer: Any) -> list[Any]:
    """The optimizers as a list, without the wrappers that accelerate puts around them."""
    given = list(optimizer) if isinstance(optimizer, list | tuple) else [] if optimizer is None else [optimizer]
    unwrapped: list[Any] = []
    for each in given:
        while hasattr(getattr(each, "optimizer", None), "param_groups"):
            each = each.optimizer
        if not hasattr(each, "param_groups"):
            raise TypeError(f"optimizer must be a torch optimizer or a list of them; found {each!r}.")
        unwrapped.append(each)
    return unwrapped


def check_model(model: nn.Module, loss_fn: LossFn, optimizers: Sequence[Any]) -> Ranks:
    """The processes that train the model; ValueError if it has nothing to train, or parts that cannot be measured."""
    modules = modules_of([model, *reached_by(loss_fn).modules])
    Fsdp(modules)  # reshards: names then refer to shards, not to what an earlier forward pass gathered
    tensors, _ = trained_tensors(model, loss_fn, parameters_of(optimizers))
    return ranks_of(modules, tensors, wrappers_around(model))


def check_start(start: Any) -> int:
    """The index of the first step; ValueError if it is negative."""
    index = operator.index(start)
    if index < 0:
        raise ValueError(f"start must be 0 or more; found {index}.")
    return index
