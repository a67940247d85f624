"""The mistakes that people make with their first recorder, refused in words before anything is trained."""

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.modules.loss import _Loss  # pyright: ignore[reportPrivateUsage]
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from clinometer.probes.registry import PROBES

_WRITE = "Write loss_fn = lambda model, batch: criterion(model(batch[0]), batch[1])."
_PREDICTIONS = {"input", "inputs", "output", "outputs", "logits", "pred", "preds", "prediction", "predictions"}
_TARGETS = {"target", "targets", "label", "labels", "y_true"}
_MODELS, _BATCHES = {"model", "net", "network", "module"}, {"batch", "data", "inputs", "x", "xy", "sample", "samples"}


def check_model_kind(model: Any) -> None:
    """TypeError or ValueError unless it is a module that has its parameters."""
    if isinstance(model, type):
        raise TypeError(f"model must be a module; found the class {model.__name__}. Make one: {model.__name__}(...).")
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module; found {_found(model)}. "
            "The order is Recorder(model, loss_fn, probes, when)."
        )
    lazy = [name for name, tensor in [*model.named_parameters(), *model.named_buffers()] if is_lazy(tensor)]
    if lazy:
        raise ValueError(
            f"the lazy layer of {lazy[0]!r} has no shape before it is called: call the model once on a batch, and make "
            "the optimizer and the Recorder after that."
        )


def check_loss_fn(loss_fn: Any, of: str = "model") -> None:
    """TypeError unless it can be called with the model, or `params`, and a batch, as far as can be seen."""
    if isinstance(loss_fn, type):
        raise TypeError(f"loss_fn must be a function of {of} and batch; found the class {loss_fn.__name__}. {_WRITE}")
    if not callable(loss_fn):
        raise TypeError(f"loss_fn must be a function of {of} and batch; found {_found(loss_fn)}.")
    function: Any = loss_fn
    if isinstance(function, _Loss):
        raise TypeError(f"loss_fn must be a function of {of} and batch; found the criterion {function!r}. {_WRITE}")
    try:
        signature = inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except (TypeError, ValueError):
        return  # written in C
    names = [each.name for each in signature.parameters.values() if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"loss_fn is called as loss_fn({of}, batch); found one that takes ({', '.join(names)}): {error}. "
            f"Let it take these two, as in loss_fn = lambda {of}, batch: ..."
        ) from error
    first, second = [*names, "", ""][:2]
    if first in _PREDICTIONS and second in _TARGETS:
        raise TypeError(f"loss_fn takes {of} and batch; found a criterion, of {first} and {second}. {_WRITE}")
    swapped = second in _MODELS and first in _BATCHES
    kinds = [signature.parameters[name].annotation for name in (first, second) if name in signature.parameters]
    if swapped or (len(kinds) == 2 and _is_module(kinds[1]) and not _is_module(kinds[0])):
        raise TypeError(f"loss_fn is called as loss_fn({of}, batch); found loss_fn({first}, {second}). Swap the two.")


def check_probe(name: str, probe: Any) -> None:
    """TypeError unless it is a function of one step, made by a call."""
    if any(probe is make for make in PROBES.values()) or isinstance(probe, type):
        raise TypeError(f"a probe is made by a call: probes=[{probe.__name__}()]; found {probe.__name__} itself.")
    if isinstance(probe, str):
        known = probe if probe in PROBES else "landscape"
        raise TypeError(
            f"probes are functions, not names; found {probe!r}. Write probes=[{known}()], after "
            f"from clinometer import {known}."
        )
    if not callable(probe):
        raise TypeError(f"the probe {name!r} must be a function of a Step; found {_found(probe)}.")
    try:
        inspect.signature(probe).bind(None)
    except ValueError:
        return  # written in C
    except TypeError as error:
        raise TypeError(f"the probe {name!r} is called with one argument, a Step: {error}.") from error


def check_optimizer_kind(optimizer: Any) -> None:
    """TypeError for an optimizer's class or something else."""
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        name = optimizer.__name__
        raise TypeError(f"optimizer must be made: {name}(model.parameters(), lr=...); found the class {name}.")
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"optimizer must be a torch optimizer or a list of them; found {_found(optimizer)}.")


def check_folder(to: Any) -> None:
    """ValueError if there is a file in the folder's place."""
    if to is not None and (path := Path(to)).is_file():
        instead = f"; pass its folder, {path.parent}, with start= to go on" if path.name == "rows.sqlite" else ""
        raise ValueError(f"to must be a folder, in which rows.sqlite is made; {path} is a file{instead}.")


def check_sinks(sinks: Any) -> None:
    """TypeError unless they are functions in a list."""
    if not isinstance(sinks, Iterable) or isinstance(sinks, str) or not all(map(callable, sinks)):
        raise TypeError(f"sinks must be a list of functions of a step and its rows; found {_found(sinks)}.")


def check_batch_kind(batch: Any) -> None:
    """TypeError for a loader of batches."""
    if isinstance(batch, DataLoader) or inspect.isgenerator(batch):
        raise TypeError(
            f"recorder.step takes one batch, as loss_fn does; found a {type(batch).__name__}. Call it inside the loop: "
            "for batch in loader: recorder.step(batch)."
        )


def _is_module(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.split(".")[-1] == "Module"
    return (
        isinstance(annotation, type) and annotation is not inspect.Parameter.empty and issubclass(annotation, nn.Module)
    )


def _found(value: Any) -> str:
    """The value in the words of a message: short ones as they are, others by their type."""
    return text if len(text := repr(value)) < 60 and "\n" not in text else f"a {type(value).__name__}"
