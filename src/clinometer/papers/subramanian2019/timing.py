"""The trainer that times: steps of mean spectral normalization and of BatchNorm in alternating pairs, by CPU time."""

import statistics
import time
from collections.abc import Callable, Mapping

from torch import no_grad

from clinometer.papers.subramanian2019.rows import STEP_TIME, VARIANTS
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.parts import Batch, Training

WARM = 3  # rounds before the first that counts: memory is allocated


def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Time steps of each variant beside BatchNorm's, on copies of the config's network, with the config's batches.

    A round has a pair for each variant, on one batch: a step of BatchNorm and one of the variant, in the other order
    in the next round. Times are of the process's CPU on the one thread that a run has, which other programs on the
    machine change less than the clock. "BatchNorm itself" is a second copy of it: how far a ratio is from 1 by chance.

    Rows: `train`, BatchNorm's loss at each round; and one of `step_time`: `variant` (v,) names, `ratio` (v,), the
    median over rounds of the variant's time over BatchNorm's, and `evaluation` (v,), the same of a forward pass in
    evaluation.
    """
    for config, keeper in runs.items():
        reference, others = trainings(config, device, keeper)
        steps, evaluations = (rounds(reference, others, do) for do in (trained, evaluated))
        row = {
            "variant": tuple(VARIANTS),
            "ratio": [statistics.median(steps[name]) for name in VARIANTS],
            "evaluation": [statistics.median(evaluations[name]) for name in VARIANTS],
        }
        losses = [reference.loss_fn(reference.model.train(), batch).item() for batch in reference.batches(0)]
        with keeper.rows() as store:
            for step, loss in enumerate(losses):
                store.append(step, {"train": {"loss": loss}, **({} if step else {STEP_TIME: row})})


def trainings(config: RunConfig, device: str, keeper: Keeper | None = None) -> tuple[Training, dict[str, Training]]:
    """BatchNorm's network, and those of the variants, each with its optimizer; they start from the same weights."""
    data = keeper.data if keeper and keeper.data else data_of(config)
    reference = build_training(config.vary(norm="batch"), device, data)
    return reference, {name: build_training(config.vary(**each), device, data) for name, each in VARIANTS.items()}


def rounds(
    reference: Training, others: Mapping[str, Training], do: Callable[[Training, Batch], None]
) -> dict[str, list[float]]:
    """Each variant's times over the reference's, one ratio for each round, which is a batch of the reference."""
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for number, batch in enumerate(reference.batches(0), -WARM):
        for name, other in others.items():
            pair = (reference, other) if number % 2 else (other, reference)
            taken = {id(each): seconds(do, each, batch) for each in pair}
            if number >= 0:
                ratios[name].append(taken[id(other)] / taken[id(reference)])
    return ratios


def seconds(do: Callable[[Training, Batch], None], training: Training, batch: Batch) -> float:
    """CPU seconds that something takes."""
    began = time.process_time()
    do(training, batch)
    return time.process_time() - began


def trained(training: Training, batch: Batch) -> None:
    """One step."""
    training.model.train()
    training.loss_fn(training.model, batch).backward()
    training.optimizer.step()
    training.optimizer.zero_grad()


def evaluated(training: Training, batch: Batch) -> None:
    """One forward pass in evaluation."""
    with no_grad():
        training.model.eval()(batch[0])
