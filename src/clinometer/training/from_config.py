"""A recipe made into a training: its import paths followed, and called with the settings that they name."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.rng import RngState
from clinometer.probes.base import Probe
from clinometer.probes.registry import PROBES
from clinometer.store import Row
from clinometer.training.data.datasets import DATASETS
from clinometer.training.errors import SpecError, known
from clinometer.training.imports import followed, needs, passed, takes, where_raised
from clinometer.training.parts import Batch, Samples, Training, samples_of, seed_all, tested_on
from clinometer.training.recipe import Measured, Recipe

_GIVEN = {"loss": 2, "optimizer": 1}  # arguments that the loop passes first: outputs and targets; parameters


@dataclass(frozen=True)
class Data:
    """What there is to train on, and to test on if there is anything."""

    train: Samples
    test: Samples | None


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
        except Exception as error:
            said = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
            raise SpecError(self.key, f"called with {said or 'nothing'}, it raised {where_raised(error)}") from error


def calls(recipe: Recipe) -> dict[str, Call]:
    """The model, the data, the loss and the optimizer of a recipe, to be called.

    A setting goes to each that names it as a parameter; if none does, to those that take any name. So does `seed`.

    Raises:
        SpecError: if nothing takes a setting, or something needs what is no setting.
    """
    paths = {key: getattr(recipe, key) for key in ("model", "data", "loss", "optimizer")}
    functions = {key: followed(key, path) for key, path in paths.items() if ":" in path}
    taken = {key: takes(function, _GIVEN.get(key, 0)) for key, function in functions.items()}
    named = dict.fromkeys(name for parameters, _ in taken.values() for name in parameters)
    unnamed = [name for name in recipe.settings if name not in named]
    if not any(anything for _, anything in taken.values()):
        for name in unnamed:
            known(f"factors.{name}", f"parameter of {', '.join(paths[key] for key in functions)} called", name, named)
    found: dict[str, Call] = {}
    for key, (parameters, anything) in taken.items():
        chosen = {n: v for n, v in recipe.settings.items() if n in parameters or (anything and n in unnamed)}
        if "seed" in parameters:
            chosen["seed"] = recipe.seed
        if missing := needs(functions[key], chosen, _GIVEN.get(key, 0)):
            raise SpecError(key, f"{paths[key]} needs {missing[0]!r}, which is no factor. Add it to factors.")
        found[key] = Call(key, functions[key], passed(parameters, chosen))
    return found


def parameters(recipe: Recipe) -> list[str]:
    """The names that settings can have: the parameters of all its functions, but for those that the loop passes."""
    paths = {key: getattr(recipe, key) for key in ("model", "data", "loss", "optimizer")}
    found = [takes(followed(key, path), _GIVEN.get(key, 0))[0] for key, path in paths.items() if ":" in path]
    return [name for each in found for name in each if name != "seed"]


def data_of(recipe: Recipe) -> Data:
    """The data of a recipe: bundled, or what the user's function returns, drawn alike in every run unless by `seed`."""
    if ":" not in recipe.data:
        bundled = DATASETS[known("data", "bundled data", recipe.data, DATASETS)]()
        train = Samples(bundled.train_images, bundled.train_labels, bundled.normalized)
        return Data(train, Samples(bundled.test_images, bundled.test_labels, bundled.normalized))
    seed_all(0)
    given = calls(recipe)["data"]()
    pairs = given if _is_pair(given) and all(_is_pair(each) for each in given) else (given,)
    train, *test = (_samples(recipe.data, pair) for pair in pairs)
    return Data(train, test[0] if test else None)


def cooked(recipe: Recipe, device: str = "cpu", data: Data | None = None) -> Training:
    """What a run of a recipe consists of; the network is made right after all random streams began with the seed.

    Args:
        recipe: The run's config.
        device: Where it trains.
        data: Its data, if they are at hand.

    Raises:
        SpecError: if something of the user's cannot be used, naming the key.
    """
    data = data or data_of(recipe)
    made = calls(recipe)
    seed_all(recipe.seed)
    model = made["model"]()
    if not isinstance(model, nn.Module):
        raise SpecError("model", f"expected {recipe.model} to return an nn.Module; found {type(model).__name__}.")
    model = model.to(device)
    optimizer = made["optimizer"](model.parameters())
    if not isinstance(optimizer, torch.optim.Optimizer):
        found = type(optimizer).__name__
        raise SpecError("optimizer", f"expected {recipe.optimizer} to make a torch optimizer; found {found}.")
    loss = made["loss"]
    criterion = functools.partial(loss.function, **loss.arguments)
    order = functools.partial(_batches, recipe, data.train, device)
    test = functools.partial(_tested, model, criterion, data.test, device) if data.test else None
    return Training(model, optimizer, criterion, order, probes_of(recipe), test)


def probes_of(recipe: Recipe) -> dict[str, Probe]:
    """The recipe's probes, under the names of their rows."""
    found = [_probe(f"probes[{index}]", each) for index, each in enumerate(recipe.probes)]
    return dict(zip(names_of(recipe), found, strict=True))


def names_of(recipe: Recipe) -> list[str]:
    """The names of its probes' rows; nothing of the user's is imported.

    Example:
        >>> names_of(Recipe(model="nets:mlp", probes=(("landscape", {"direction": "random"}), ("mine:speed", None))))
        ['landscape_random', 'speed']
    """
    names: list[str] = []
    for index, (path, arguments) in enumerate(recipe.probes):
        key = f"probes[{index}]"
        mine = ":" in path
        name = path.rpartition(":")[2].rpartition(".")[2] if mine else _probe(key, (path, arguments)).__name__
        if name in (*names, "train", "test"):
            raise SpecError(key, f"rows of {name!r} are there already; two probes cannot share a name.")
        names.append(name)
    return names


def _probe(key: str, measured: Measured) -> Any:
    path, arguments = measured
    if ":" in path and arguments is None:
        return followed(key, path)  # the probe itself
    maker = followed(key, path) if ":" in path else PROBES[known(key, "probe", path, PROBES)]
    parameters, anything = takes(maker)
    for name in arguments or {}:
        if not anything:
            known(key, f"argument of {path} called", name, parameters)
    return Call(key, maker, passed(parameters, arguments or {}))()


def _batches(recipe: Recipe, samples: Samples, device: str, start: int) -> Iterator[Batch]:
    inputs, targets = samples.inputs.to(device), samples.targets.to(device)
    for chosen in samples_of(len(targets), recipe.batch_size, recipe.steps, recipe.seed, start):
        picked = chosen.to(device)
        yield samples.prepared(inputs[picked]), targets[picked]


def _tested(model: nn.Module, criterion: Callable[..., Tensor], samples: Samples, device: str) -> Row:
    with RngState.now().replayed():  # a network that draws in evaluation, too, trains as it would have untested
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
