"""Builds what a run trains from its config: import paths are followed, and called with the settings that they take."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from clinometer.objective.rng import RngState
from clinometer.probes.base import Probe
from clinometer.probes.registry import PROBES
from clinometer.store import Row
from clinometer.training.config import ProbeSpec, RunConfig
from clinometer.training.data.datasets import DATASETS
from clinometer.training.errors import SpecError, check_choice
from clinometer.training.imports import followed, needs, passed, takes, where_raised
from clinometer.training.own_settings import own_settings
from clinometer.training.parts import Samples, Training, batches_of, seed_all, tested_on

_CALLED = ("model", "data", "loss", "optimizer", "scheduler")
# Arguments that the trainer passes first: outputs and targets; parameters; the optimizer.
_GIVEN = {"loss": 2, "optimizer": 1, "scheduler": 1}


@dataclass(frozen=True)
class Data:
    """What there is to train on, and to test on if there is anything."""

    train: Samples
    test: Samples | None
    digest: str = ""  # that of a bundled data set; "" where it was not taken


@dataclass(frozen=True)
class Call:
    """A function of the user's with its arguments, but for those that the loop passes."""

    key: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    def __call__(self, *given: Any) -> Any:
        """SpecError, naming key and line, if it raises."""
        try:
            return self.function(*given, **self.arguments)
        except (Exception, SystemExit) as error:
            said = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
            raise SpecError(self.key, f"called with {said or 'nothing'}, it raised {where_raised(error)}") from error


def calls(config: RunConfig) -> dict[str, Call]:
    """The model, data, loss, optimizer and scheduler of a config as calls with their arguments.

    A setting goes to each function that has a parameter of its name; if none has, and the trainer does not read it
    itself, to those that take any name. So does the config's `seed`; and to a scheduler's parameter of that name,
    `steps`.

    Raises:
        SpecError: if no function takes a setting, or one needs what is no setting.
    """
    paths = _paths(config)
    functions = {key: followed(key, path) for key, path in paths.items() if ":" in path}
    taken = {key: takes(function, _GIVEN.get(key, 0)) for key, function in functions.items()}
    named = dict.fromkeys(name for parameters, _ in taken.values() for name in parameters)
    named |= dict.fromkeys(own_settings(followed("trainer", config.trainer)))
    unnamed = [name for name in config.settings if name not in named]
    if not any(anything for _, anything in taken.values()):
        for name in unnamed:
            check_choice(
                f"parameter of {', '.join(paths[key] for key in functions)} called", name, named, f"factors.{name}"
            )
    found: dict[str, Call] = {}
    for key, (parameters, anything) in taken.items():
        chosen = {n: v for n, v in config.settings.items() if n in parameters or (anything and n in unnamed)}
        if "seed" in parameters:
            chosen["seed"] = config.seed
        if key == "scheduler" and "steps" in parameters:
            chosen["steps"] = config.steps
        if missing := needs(functions[key], chosen, _GIVEN.get(key, 0)):
            raise SpecError(key, f"{paths[key]} needs {missing[0]!r}, which is no factor. Add it to factors.")
        found[key] = Call(key, functions[key], passed(parameters, chosen))
    return found


def parameters(config: RunConfig) -> list[str]:
    """The names that settings can have: the parameters of its functions, but for those that the trainer passes."""
    found = [takes(followed(key, path), _GIVEN.get(key, 0))[0] for key, path in _paths(config).items() if ":" in path]
    return [name for each in found for name in each if name not in ("seed", "steps")]


def _paths(config: RunConfig) -> dict[str, str]:
    return {key: path for key in _CALLED if (path := getattr(config, key)) is not None}


def data_of(config: RunConfig) -> Data:
    """The data of a config: bundled, or what its function returns. All runs draw alike unless it takes the seed."""
    if ":" not in config.data:
        bundled = DATASETS[check_choice("bundled data", config.data, DATASETS, "data")]()
        train = Samples(bundled.train_images, bundled.train_labels, bundled.normalized)
        return Data(train, Samples(bundled.test_images, bundled.test_labels, bundled.normalized), bundled.digest)
    seed_all(0)
    given = calls(config)["data"]()
    pairs = given if _is_pair(given) and all(_is_pair(each) for each in given) else (given,)
    train, *test = (_samples(config.data, pair) for pair in pairs)
    return Data(train, test[0] if test else None)


def build_training(config: RunConfig, device: str = "cpu", data: Data | None = None) -> Training:
    """What a run trains, ready for its first step.

    Args:
        config: The run's config.
        device: Where it trains.
        data: Its data, if they are at hand.

    Raises:
        SpecError: if something that the config names cannot be used; it names the field.
    """
    data = data or data_of(config)
    model = build_model(config).to(device)
    if config.channels_last:  # torch's annotations lack this overload
        model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = build_optimizer(config, model.parameters())
    loss = calls(config)["loss"]
    criterion = functools.partial(loss.function, **loss.arguments)
    order = functools.partial(batches_of, data.train, config, device)
    test = functools.partial(_tested, model, criterion, data.test, device) if data.test else None
    scheduler = build_scheduler(config, optimizer)
    return Training(model, optimizer, criterion, order, build_probes(config), test, scheduler)


def build_model(config: RunConfig) -> nn.Module:
    """The network of a config, made right after all random streams began with its seed."""
    call = calls(config)["model"]
    seed_all(config.seed)
    model = call()
    if not isinstance(model, nn.Module):
        raise SpecError("model", f"expected {config.model} to return an nn.Module; found {type(model).__name__}.")
    return model


def build_optimizer(config: RunConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """The optimizer of a config for these parameters."""
    optimizer = calls(config)["optimizer"](parameters)
    if not isinstance(optimizer, torch.optim.Optimizer):
        found = type(optimizer).__name__
        raise SpecError("optimizer", f"expected {config.optimizer} to make a torch optimizer; found {found}.")
    return optimizer


def build_scheduler(config: RunConfig, optimizer: torch.optim.Optimizer) -> LRScheduler | None:
    """The scheduler of a config for this optimizer; None if it has none."""
    if config.scheduler is None:
        return None
    scheduler = calls(config)["scheduler"](optimizer)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise SpecError(
            "scheduler",
            "ReduceLROnPlateau needs a metric at each of its steps, and the loop has none to give; expected a "
            "scheduler whose rate depends on the number of steps alone.",
        )
    if not isinstance(scheduler, LRScheduler):
        found = type(scheduler).__name__
        raise SpecError("scheduler", f"expected {config.scheduler} to make a torch LRScheduler; found {found}.")
    return scheduler


def build_probes(config: RunConfig) -> dict[str, Probe]:
    """The probes of a config, by the names of their rows."""
    found = [_probe(f"probes[{index}]", each) for index, each in enumerate(config.probes)]
    names = names_of(config)
    for index, name in enumerate(config.consecutive):
        check_choice("probe with rows called", name, names, f"consecutive[{index}]")
    return dict(zip(names, found, strict=True))


def names_of(config: RunConfig) -> list[str]:
    """The names of its probes' rows; no import path is followed.

    Example:
        >>> names_of(RunConfig("nets:mlp", probes=(("landscape", {"direction": "random"}), ("mine:speed", None))))
        ['landscape_random', 'speed']
    """
    names: list[str] = []
    for index, (path, arguments) in enumerate(config.probes):
        key = f"probes[{index}]"
        mine = ":" in path
        name = path.rpartition(":")[2].rpartition(".")[2] if mine else _probe(key, (path, arguments)).__name__
        if name in (*names, "train", "test"):
            raise SpecError(key, f"rows of {name!r} are there already; two probes cannot share a name.")
        names.append(name)
    return names


def _probe(key: str, spec: ProbeSpec) -> Any:
    path, arguments = spec
    if ":" in path and arguments is None:
        return followed(key, path)  # the probe itself
    maker = followed(key, path) if ":" in path else PROBES[check_choice("probe", path, PROBES, key)]
    parameters, anything = takes(maker)
    for name in arguments or {}:
        if not anything:
            check_choice(f"argument of {path} called", name, parameters, key)
    return Call(key, maker, passed(parameters, arguments or {}))()


def _tested(model: nn.Module, criterion: Callable[..., Tensor], samples: Samples, device: str) -> Row:
    with RngState.put_back():  # or a network that draws in evaluation would train differently when tested
        return tested_on(model, criterion, samples, device)


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2


def _samples(path: str, pair: Any) -> Samples:
    if not _is_pair(pair) or not all(isinstance(each, Tensor) for each in pair):
        several = isinstance(pair, tuple | list)
        found = f"({', '.join(type(each).__name__ for each in pair)})" if several else type(pair).__name__
        raise SpecError(
            "data",
            f"expected {path} to return (inputs, targets), two tensors, or two such pairs, for training and test; "
            f"found {found}.",
        )
    inputs, targets = pair
    if inputs.ndim == 0 or targets.ndim == 0 or len(inputs) != len(targets) or not len(inputs):
        raise SpecError(
            "data",
            f"expected as many inputs as targets, and at least one; found shapes {tuple(inputs.shape)} and "
            f"{tuple(targets.shape)}.",
        )
    return Samples(inputs, targets)
