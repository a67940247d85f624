"""Full-batch gradient descent on deep linear networks, the seeds of an arm together where exact statistics allow it.

Their parameters are stacked along a leading axis, and one loss and one gradient serve them all. Each seed has a
network whose parameters are views of its slice, so that the instrument sees an ordinary network in training.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clinometer.nn import linear_statistics as exact
from clinometer.nn.deep_linear import READINGS, DeepLinear, squared_error
from clinometer.nn.vgg import glorot_
from clinometer.objective.objective import LossFn, Objective
from clinometer.objective.params import Point
from clinometer.probes.base import Probe, Step
from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import at
from clinometer.store import Row
from clinometer.training.checkpoint import Checkpoint, Keeper
from clinometer.training.config import Config
from clinometer.training.gaussian import Regression, gaussian
from clinometer.training.loop import end, probes_of, steps_of

SIZES = (1 / 100, 1 / 10, 1.0, 10.0, 30.0)  # in multiples of the learning rate: the points of Figure 11(b)


@dataclass(frozen=True)
class Task:
    """One loss in two forms, which agree bit for bit: of all seeds at once to train, of one network to measure."""

    stacked: Callable[[Point], Tensor]  # parameters with a leading axis -> (seeds,)
    single: LossFn
    batches: list[Any]  # each seed's, as `single` takes it


@dataclass(frozen=True)
class Slice:
    """One network's part of the optimizer that moves all of them."""

    optimizer: torch.optim.Optimizer
    index: int

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state of this network alone, parameter by parameter."""
        states = [self.optimizer.state.get(p, {}) for p in self._parameters]
        return {"state": [{name: value[self.index] for name, value in state.items()} for state in states]}

    def load_state_dict(self, known: Mapping[str, Any], /) -> None:
        """Give it back; the other networks' parts stay."""
        for parameter, state in zip(self._parameters, known["state"], strict=True):
            for name, value in state.items():
                held = self.optimizer.state[parameter].setdefault(name, torch.zeros_like(parameter))
                held[self.index] = value

    @property
    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def stacks(config: Config) -> bool:
    """Whether runs of this config that differ in their seed train as one computation."""
    return config.model in READINGS and config.norm in exact.EXACT


def train_together(
    runs: Mapping[Config, Path], device: str = "cpu", keepers: Mapping[Config, Keeper] | None = None
) -> None:
    """Train the networks of `runs`, which differ in their seed alone, each with its rows in a folder of its own.

    Those whose last checkpoints are of the same step go on together from there.

    Rows: `train` (the loss before each step), and the probes. The measured loss is the trained one, bit for bit: both
    are evaluated by the same operations, and a seed's numbers do not depend on which seeds train beside it. A seed
    whose loss is no longer finite ends there, with `diverged_at` among the store's facts, and the others go on.
    """
    keepers = keepers or {config: Keeper(folder) for config, folder in runs.items()}
    starts = {config: kept.step if (kept := keepers[config].found) else 0 for config in runs}
    for start in sorted(set(starts.values())):
        _train_from(start, {c: folder for c, folder in runs.items() if starts[c] == start}, device, keepers)


def _train_from(start: int, runs: Mapping[Config, Path], device: str, keepers: Mapping[Config, Keeper]) -> None:
    config = next(iter(runs))
    data = [gaussian(c.seed, c.batch_size, _width(c), device) for c in runs]
    models = [build(c).to(device) for c in runs]
    task = _exact(config, data) if stacks(config) else _plain(config, models, data)
    point = _stack(models)
    optimizer = torch.optim.SGD(point.values(), lr=config.lr, momentum=config.momentum)
    training = {
        index: _recorder(c, task.single, models[index], data[index], folder, start)
        for index, (c, folder) in enumerate(runs.items())
    }
    kept = [keepers[config] for config in runs]
    torch.manual_seed(config.seed)  # the noise layers' draws
    slices = [Slice(optimizer, index) for index in training]
    for index, keeper in enumerate(kept):
        if keeper.found:
            keeper.found.restore(models[index], slices[index], training[index])
    for step in range(start, config.steps):
        with contextlib.ExitStack() as measured:
            for index, recorder in training.items():
                measured.enter_context(recorder.step(task.batches[index]))
            losses = task.stacked(point)
            losses.sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        found = losses.tolist()
        for index in list(training):
            training[index].store.append(step, {"train": {"loss": found[index]}})
            if not math.isfinite(found[index]):
                end(training.pop(index), diverged_at=step)
        if not training:
            break
        if kept[min(training)].due():
            for index, recorder in training.items():
                kept[index].save(Checkpoint.of(step + 1, models[index], slices[index], recorder))
    for recorder in training.values():
        end(recorder)


def build(config: Config) -> DeepLinear:
    """The network of a config, initialised from its seed."""
    model = DeepLinear(config.norm, width=_width(config), last_norm=READINGS[config.model].last_norm)
    glorot_(model, config.seed)
    return model


def _width(config: Config) -> int:
    return max(1, round(10 * config.width))


def _exact(config: Config, data: Sequence[Regression]) -> Task:
    scale = _scale(config)
    batches = [exact.statistics(each.inputs, each.matrix, scale) for each in data]
    everything = exact.stacked(batches)

    def single(model: nn.Module, batch: exact.Statistics) -> Tensor:
        return exact.losses({name: p[None] for name, p in model.named_parameters()}, batch, config.norm)[0]

    return Task(lambda point: exact.losses(point, everything, config.norm), single, batches)


def _plain(config: Config, models: Sequence[nn.Module], data: Sequence[Regression]) -> Task:
    scale = _scale(config)

    def stacked(point: Point) -> Tensor:
        outputs = [
            functional_call(model, {name: values[index] for name, values in point.items()}, (each.inputs,))
            for index, (model, each) in enumerate(zip(models, data, strict=True))
        ]
        return torch.stack([squared_error(y, each.targets, scale) for y, each in zip(outputs, data, strict=True)])

    return Task(stacked, _on_samples(scale), list(data))


def _on_samples(scale: float) -> LossFn:
    return lambda model, batch: squared_error(model(batch.inputs), batch.targets, scale)


def _scale(config: Config) -> float:
    return READINGS[config.model].scale(config.batch_size, _width(config))


def _stack(models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The models' parameters along a leading axis, each model's own now views of its slice."""
    parts = [dict(model.named_parameters()) for model in models]
    point = {name: torch.stack([part[name].detach() for part in parts]).requires_grad_() for name in parts[0]}
    for index, part in enumerate(parts):
        for name, parameter in part.items():
            parameter.data = point[name].detach()[index]
    return point


def _recorder(
    config: Config, loss_fn: LossFn, model: nn.Module, data: Regression, folder: Path, start: int
) -> Recorder:
    probes = {name: _seeded(probe, config.seed) for name, probe in probes_of(model, SIZES).items()}
    if stacks(config):  # histograms and the gradients of single samples are not among the statistics
        for name in {"activations", "batchnorm_terms"} & probes.keys():
            probes[name] = _looking_at(probes[name], _on_samples(_scale(config)), data)
    schedules = {name: at(*steps_of(config, name)) for name in probes}
    # The optimizer holds all networks' parameters along an axis; this one's learning rate is all that is asked of it.
    rate = SimpleNamespace(param_groups=[{"params": list(model.parameters()), "lr": config.lr}])
    optimizer = cast("torch.optim.Optimizer", rate)
    return Recorder(model, loss_fn, probes, schedules, optimizer=optimizer, to=folder, start=start)


def _looking_at(probe: Probe, loss_fn: LossFn, batch: Any) -> Probe:
    """The probe, shown the same network under another loss."""

    @functools.wraps(probe)
    def looking(step: Step) -> Row:
        return probe(dataclasses.replace(step, objective=Objective(step.objective.model, loss_fn, batch)))

    return looking


def _seeded(probe: Probe, seed: int) -> Probe:
    """The probe with its draws from this seed: the program's is another's where several train together."""

    @functools.wraps(probe)
    def seeded(step: Step) -> Row:
        torch.manual_seed(seed)  # the recorder puts the program's own streams back
        return probe(step)

    return seeded
