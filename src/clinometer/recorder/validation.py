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
from clinometer.recorder.first_mistakes import (
    check_folder,
    check_loss_fn,
    check_model_kind,
    check_optimizer_kind,
    check_sinks,
)
from clinometer.recorder.optimizer_steps import parameters_of


def check_arguments(model: Any, params: Any, loss_fn: Any, to: Any, sinks: Any, precision: Any) -> None:
    """TypeError or ValueError unless they are what they should be, each by itself."""
    if model is not None:
        check_model_kind(model)
    check_loss_fn(loss_fn, "model" if params is None else "params")
    check_options(to, sinks, precision)


def check_options(to: Any, sinks: Any, precision: Any) -> None:
    """TypeError or ValueError unless they are what they should be."""
    check_folder(to)
    check_sinks(sinks)
    check_precision(precision)


def check_optimizers(optimizer: Any) -> list[Any]:
    """The optimizers as a list, without the wrappers that accelerate puts around them."""
    given = list(optimizer) if isinstance(optimizer, list | tuple) else [] if optimizer is None else [optimizer]
    unwrapped: list[Any] = []
    for each in given:
        while hasattr(getattr(each, "optimizer", None), "param_groups"):
            each = each.optimizer
        check_optimizer_kind(each)
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
