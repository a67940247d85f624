"""Trains large batches by simulated workers, plainly or with noise, and holds the noise against the Hessian."""

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from clinometer.nn.noise_convolution import NoiseConvolution
from clinometer.nn.workers import split
from clinometer.objective.objective import Objective
from clinometer.papers.haruki2019.geometry import Geometry, geometry
from clinometer.store import Row
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.own_settings import reads_settings
from clinometer.training.parts import Batch, Samples, Training, samples_of, seed_all, tested_on

TOP = 10  # eigenvectors: as many as classes
OTHERS = 256  # images of the Hessian's loss, or as many as there are


@reads_settings("workers", "noise", "scale", "lag", "geometry")
def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the network of each config.

    Rows: `train`, loss and accuracy of each step's batch, each worker's part where its gradient was taken; `test`, loss
    and accuracy over the test images, and `train_loss` and `train_accuracy` over the training images; and, with the
    setting `geometry`, `noise`, a `Geometry` at each measured step. An interrupted run is made again.
    """
    for config, keeper in runs.items():
        data = keeper.data or data_of(config)
        training = build_training(config, device, data)
        optimizer = convolved(config, training.optimizer)
        rows, diverged = _steps(config, training, optimizer, data.train)
        with keeper.rows() as store:
            for number, row in enumerate(rows):
                store.append(number, row)
            if diverged:
                store.set_meta(diverged_at=len(rows) - 1)


def convolved(config: RunConfig, optimizer: torch.optim.Optimizer) -> NoiseConvolution:
    """The optimizer that a config asks for; with `noise` "none" it moves no worker."""
    plain = config["noise"] == "none"
    return NoiseConvolution(
        optimizer,
        workers=config["workers"],
        scale=0.0 if plain else config["scale"],
        lag=config["lag"],
        noise="own" if plain else config["noise"],
        seed=config.seed,
    )


def _steps(
    config: RunConfig, training: Training, optimizer: NoiseConvolution, train_on: Samples
) -> tuple[list[dict[str, Row]], bool]:
    """The rows of each step, and whether the last one's loss is not finite."""
    split(torch.empty(config.batch_size), config["workers"])  # a batch that does not divide is refused before training
    rows: list[dict[str, Row]] = []
    tested, measured = set(config.steps_of("test")), set(config.steps_of("noise")) if config["geometry"] else set[int]()
    seed_all(config.seed)
    order = samples_of(len(train_on.targets), config.batch_size, config.steps, config.seed)
    for number, (chosen, batch) in enumerate(zip(order, training.batches(0), strict=True)):
        row: dict[str, Row] = {}
        if number in measured:
            row["noise"] = _measured(config, training, batch, _left_out(train_on, chosen)).row()
        right: list[Tensor] = []
        loss = optimizer.step(_closure(training, right), batch)
        row["train"] = {"loss": loss, "accuracy": torch.cat(right).double().mean()}
        if number in tested and training.test:
            fit = tested_on(training.model, training.criterion, train_on, "cpu")
            row["test"] = {**training.test(), **{f"train_{name}": value for name, value in fit.items()}}
        rows.append(row)
        if not math.isfinite(float(loss)):
            return rows, True
    return rows, False


def _closure(training: Training, right: list[Tensor]) -> Callable[[Batch], Tensor]:
    """The backward pass of a worker's part, which notes the answers of the step's last pass over each."""

    def closure(part: Batch) -> Tensor:
        outputs = training.model(part[0])
        loss = training.criterion(outputs, part[1])
        loss.backward()
        right.append(outputs.detach().argmax(1) == part[1])
        return loss

    return closure


def _left_out(samples: Samples, chosen: Tensor) -> Batch:
    """Training samples that the step's batch leaves out."""
    free = torch.ones(len(samples.targets), dtype=torch.bool)
    free[chosen] = False
    others = free.nonzero()[:OTHERS, 0]
    return samples.prepared(samples.inputs[others]), samples.targets[others]


def _measured(config: RunConfig, training: Training, batch: Batch, others: Batch) -> Geometry:
    """The noise of the workers' gradients at w, against the Hessian of other training images; in float64.

    Single precision would lose the differences of the loss that a short reach makes.
    """
    model = copy.deepcopy(training.model).double()

    def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
        return training.criterion(model(batch[0].double()), batch[1])

    at = {name: p.detach().clone() for name, p in model.named_parameters()}
    gradients = [
        Objective(model, loss_fn, part).loss_and_grad(at)[1] for part in split(batch, max(config["workers"], 2))
    ]
    mean = {name: sum(each[name] for each in gradients) / len(gradients) for name in at}
    noise = [{name: each[name] - mean[name] for name in at} for each in gradients]
    objective = Objective(model, loss_fn, others)
    return geometry(objective, at, noise, config["scale"] * config["lr"], TOP, config.seed)
