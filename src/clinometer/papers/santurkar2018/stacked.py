"""The trainer of the deep linear network: gradient descent on all samples, on several seeds at once where possible.

Where the loss follows from the data's mean and covariance, the seeds' parameters are stacked along a leading axis, and
one loss and one gradient serve them all. Each seed has a network whose parameters are views of its slice, so that the
recorder sees an ordinary network in training.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clinometer.objective.objective import LossFn, Objective
from clinometer.objective.params import Point
from clinometer.papers.santurkar2018.configs import DEEP_LINEAR, GAUSSIAN, SITES
from clinometer.papers.santurkar2018.networks import linear_statistics as exact
from clinometer.papers.santurkar2018.networks.deep_linear import squared_error
from clinometer.papers.santurkar2018.networks.gaussian import Regression, gaussian
from clinometer.papers.santurkar2018.networks.readings import READINGS
from clinometer.probes.base import Probe, Step
from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import at
from clinometer.store import Row
from clinometer.training.checkpoint import Checkpoint
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_model, build_optimizer, build_probes
from clinometer.training.keeper import Keeper
from clinometer.training.loop import end
from clinometer.training.trainer import seeds_together

_ON_SAMPLES = (*SITES, "batchnorm_terms")  # probes that need more than the statistics


@dataclass(frozen=True)
class Task:
    """One loss in two forms, which agree bit for bit: of all seeds at once to train, of one network to measure."""

    stacked: Callable[[Point], Tensor]  # parameters with a leading axis -> (seeds,)
    single: LossFn
    batches: list[Any]  # each seed's, as `single` takes it


@dataclass(frozen=True)
class Slice:
    """One network's part of the optimizer's state, which is stacked."""

    optimizer: torch.optim.Optimizer
    index: int

    def state_dict(self) -> dict[str, Any]:
        """The state of this network alone, parameter by parameter."""
        states = [self.optimizer.state.get(p, {}) for p in self._parameters]
        return {"state": [{name: value[self.index] for name, value in state.items()} for state in states]}

    def load_state_dict(self, known: Mapping[str, Any], /) -> None:
        """Restore the state of this network; those of the others stay."""
        for parameter, state in zip(self._parameters, known["state"], strict=True):
            for name, value in state.items():
                held = self.optimizer.state[parameter].setdefault(name, torch.zeros_like(parameter))
                held[self.index] = value

    @property
    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def stacks(config: RunConfig) -> bool:
    """Whether runs of this config that differ in their seed train as one computation."""
    return config["norm"] in exact.EXACT


@seeds_together(stacks)
def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train deep linear networks, which differ in their seed alone, each with its rows in its own folder.

    Those whose last checkpoints are of the same step go on together from there.

    Rows: `train` (the loss before each step), and those of the probes. The measured loss is the trained one, bit for
    bit: both are computed by the same operations, and a seed's numbers do not depend on the seeds beside it. A seed
    whose loss is no longer finite ends there, with `diverged_at` among the store's facts, and the others go on.

    Raises:
        ValueError: if a config has another network or other data.
    """
    for config in runs:
        if (config.model, config.data) != (DEEP_LINEAR, GAUSSIAN):
            raise ValueError(
                f"the data {GAUSSIAN} and the model {DEEP_LINEAR} go with each other alone; "
                f"found {config.data!r} with {config.model!r}."
            )
    starts = {config: keeper.found.step if keeper.found else 0 for config, keeper in runs.items()}
    for start in sorted(set(starts.values())):
        _train_from(start, {c: keeper for c, keeper in runs.items() if starts[c] == start}, device)


def _train_from(start: int, runs: Mapping[RunConfig, Keeper], device: str) -> None:
    config = next(iter(runs))
    data = [gaussian(c.seed, c["samples"], c["width"], device) for c in runs]
    models = [build_model(c).to(device) for c in runs]
    task = _exact(config, data) if stacks(config) else _plain(config, models, data)
    point = _stack(models)
    optimizer = build_optimizer(config, point.values())
    training = {
        index: _recorder(c, task.single, models[index], data[index], keeper, start)
        for index, (c, keeper) in enumerate(runs.items())
    }
    kept = list(runs.values())
    torch.manual_seed(config.seed)  # of the noise layers
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


def _exact(config: RunConfig, data: Sequence[Regression]) -> Task:
    scale = _scale(config)
    batches = [exact.statistics(each.inputs, each.matrix, scale) for each in data]
    everything = exact.stacked(batches)

    def single(model: nn.Module, batch: exact.Statistics) -> Tensor:
        return exact.losses({name: p[None] for name, p in model.named_parameters()}, batch, config["norm"])[0]

    return Task(lambda point: exact.losses(point, everything, config["norm"]), single, batches)


def _plain(config: RunConfig, models: Sequence[nn.Module], data: Sequence[Regression]) -> Task:
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


def _scale(config: RunConfig) -> float:
    return READINGS[config["reading"]].scale(config["samples"], config["width"])


def _stack(models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The models' parameters along a leading axis, each model's own now views of its slice."""
    parts = [dict(model.named_parameters()) for model in models]
    point = {name: torch.stack([part[name].detach() for part in parts]).requires_grad_() for name in parts[0]}
    for index, part in enumerate(parts):
        for name, parameter in part.items():
            parameter.data = point[name].detach()[index]
    return point


def _recorder(
    config: RunConfig, loss_fn: LossFn, model: nn.Module, data: Regression, keeper: Keeper, start: int
) -> Recorder:
    probes = {name: _seeded(probe, config.seed) for name, probe in build_probes(config).items()}
    if stacks(config):  # histograms and the gradients of single samples are not among the statistics
        for name in set(_ON_SAMPLES) & set(probes):
            probes[name] = _on_objective(probes[name], _on_samples(_scale(config)), data)
    schedules = {name: at(*config.steps_of(name)) for name in probes}
    # The real optimizer holds the stacked parameters; the recorder asks this network's only for its learning rate.
    rate = SimpleNamespace(param_groups=[{"params": list(model.parameters()), "lr": config["lr"]}])
    optimizer = cast("torch.optim.Optimizer", rate)
    return Recorder(model, loss_fn, probes, schedules, optimizer=optimizer, to=keeper.run, start=start, strict=True)


def _on_objective(probe: Probe, loss_fn: LossFn, batch: Any) -> Probe:
    """The probe on the same network with another loss and batch."""

    @functools.wraps(probe)
    def measured(step: Step) -> Row:
        return probe(dataclasses.replace(step, objective=Objective(step.objective.model, loss_fn, batch)))

    return measured


def _seeded(probe: Probe, seed: int) -> Probe:
    """The probe with its draws from this seed: torch's own stream belongs to another seed of the stack."""

    @functools.wraps(probe)
    def seeded(step: Step) -> Row:
        torch.manual_seed(seed)  # the recorder restores the run's own streams
        return probe(step)

    return seeded
