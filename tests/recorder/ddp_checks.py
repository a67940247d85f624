"""Run by test_ranks.py on two processes: what a recorder sees of a model in DistributedDataParallel."""

import contextlib
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from models import Everything
from ranks import RANK, batches, bits, cross_entropy, from_all, half, network, recorded, rows, run, sgd, squares
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clinometer import (
    Objective,
    Recorder,
    alert,
    density,
    every,
    headroom,
    internal_shift,
    landscape,
    noise_floor,
    noise_scale,
    plane,
    scale_free,
    step_norms,
    trace,
    within_budget,
)
from clinometer.measures.directions import random_directions
from clinometer.objective.params import flattened
from clinometer.recorder import budget
from clinometer.recorder.alerts.actions import StopTraining, lower_lr, stop

PROBES = [
    landscape(),
    headroom(),
    headroom(direction="gradient", angle=True, blocks=["*0.*", "*5.*"], loss_fn=squares),
    internal_shift(),
    noise_floor(),
    landscape(direction="random"),
    trace(products=8),
    density(steps=4),
    scale_free(),
    step_norms(),
]
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {"find_unused_parameters": True},
    "buffers of their own": {"find_unused_parameters": True, "broadcast_buffers": False},
    "bucket views": {"find_unused_parameters": True, "gradient_as_bucket_view": True},
    "static graph": {"static_graph": True},
    "accumulation": {"find_unused_parameters": True},
}


def walk_on_both_halves() -> Any:
    """Each rank seeds differently, as one does for dropout; the run on one process takes rank 0's seed."""
    model = DistributedDataParallel(network())
    torch.manual_seed(10 + RANK)
    ours = recorded(model, [half(batch) for batch in batches()], PROBES)
    torch.manual_seed(10)
    seed = torch.initial_seed()
    alone = network()
    torch.manual_seed(seed)
    return {"two": rows(ours), "one": rows(recorded(alone, batches(), PROBES))}


def norms_alone() -> Any:
    """At steps at which nothing else is due, so that no batch is kept."""
    model = DistributedDataParallel(network())
    two = recorded(model, [half(batch) for batch in batches()], [step_norms()])
    return {"two": rows(two), "one": rows(recorded(network(), batches(), [step_norms()]))}


def batchnorm() -> Any:
    """The one process runs the halves one after the other, each with its own statistics, and takes the mean."""

    def in_halves(model: nn.Module, batch: Any) -> Tensor:
        return (cross_entropy(model, half(batch, 0)) + cross_entropy(model, half(batch, 1))) / 2

    model = DistributedDataParallel(network(nn.BatchNorm1d))
    two = recorded(model, [half(batch) for batch in batches()], [landscape()])
    one = recorded(network(nn.BatchNorm1d), batches(), [landscape()], in_halves)
    joined = recorded(network(nn.BatchNorm1d), batches(), [landscape()])
    return {"two": rows(two), "one": rows(one), "joined": rows(joined)}


def no_trace() -> Any:
    """The bits of a run at its end, and the mean of the losses that each of its passes had, measured and not."""
    return {name: [_trained(name, measured) for measured in (False, True)] for name in OPTIONS}


def _trained(name: str, measured: bool) -> Any:
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # broadcast_buffers is called otherwise from torch 2.13 on
        model = DistributedDataParallel(Everything(), **OPTIONS[name])
    torch.manual_seed(5 + RANK)
    optimizer = sgd(model)
    probes = [landscape(), headroom()]
    recorder = Recorder(model, cross_entropy, probes, every(2), optimizer=optimizer) if measured else None
    losses: list[float] = []
    parts = 2 if name == "accumulation" else 1
    for index, batch in enumerate(batches(4 * parts)):
        last = (index + 1) % parts == 0
        with recorder.step(half(batch)) if recorder else contextlib.nullcontext():
            with contextlib.nullcontext() if last else model.no_sync():
                loss = cross_entropy(model, half(batch)) / parts
                loss.backward()
                losses.append(loss.item())
            if last:
                optimizer.step()
                if index + 1 < 4 * parts:
                    optimizer.zero_grad()
    mean = [sum(each) / 2 for each in zip(*from_all(losses), strict=True)]
    taken = [sum(mean[i : i + parts]) for i in range(0, len(mean), parts)]
    seen = recorder.read("landscape")["loss"].tolist() if recorder and RANK == 0 else []
    return {"bits": bits(model, optimizer), "losses": taken[::2], "seen": seen}


def wherever_the_wrapper_is() -> Any:
    """The wrapper itself, inside a module, and around the module that was handed over."""
    data = [half(batch) for batch in batches(2)]
    itself = rows(recorded(DistributedDataParallel(network()), data, [landscape()]))
    inside = rows(recorded(nn.Sequential(DistributedDataParallel(network()), nn.Identity()), data, [landscape()]))
    model = DistributedDataParallel(network())
    model.device_ids, model.device_type = [0], "cpu"  # as on a GPU, where the wrapper moves its inputs
    optimizer = sgd(model)
    recorder = Recorder(model.module, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    for batch in data:
        with recorder.step(batch):
            cross_entropy(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
    return {"itself": itself, "inside": inside, "around": rows(recorder)}


def a_criterion_in_a_wrapper_of_its_own() -> Any:
    """Its weights are trained with the model's; the one process trains both without a wrapper."""

    def trained(model: nn.Module, head: nn.Module, data: Any) -> Recorder:
        def loss_fn(model: nn.Module, batch: Any) -> Tensor:
            return nn.functional.cross_entropy(head(model(batch[0])), batch[1])

        optimizer = torch.optim.SGD([*model.parameters(), *head.parameters()], lr=0.3)
        recorder = Recorder(model, loss_fn, [landscape(), headroom()], every(1), optimizer=optimizer)
        for batch in data:
            with recorder.step(batch):
                loss_fn(model, batch).backward()
                optimizer.step()
                optimizer.zero_grad()
        return recorder

    def head() -> nn.Module:
        torch.manual_seed(4)
        return nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))

    halves = [half(batch) for batch in batches()]
    two = trained(DistributedDataParallel(network()), DistributedDataParallel(head()), halves)
    return {"two": rows(two), "one": rows(trained(network(), head(), batches()))}


def a_probe_that_raises_on_one_rank() -> Any:
    """Before an exchange that the other takes part in, and after the last one; the run then goes on."""

    def early(step: Any) -> Any:
        if RANK == 1:
            raise ArithmeticError("rank 1 is unwell")
        return {"loss": step.loss}

    def late(step: Any) -> Any:
        return {"loss": step.loss} | early(step)

    found = []
    for probe in (early, late):
        model = DistributedDataParallel(network())
        optimizer = sgd(model)
        recorder = Recorder(model, cross_entropy, [probe], every(1), optimizer=optimizer)
        said = None
        try:
            with recorder.step(half(batches()[0])):
                cross_entropy(model, half(batches()[0])).backward()
                optimizer.step()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        optimizer.zero_grad()
        cross_entropy(
            model, half(batches()[1])
        ).backward()  # hangs, or mixes up gradients, if an exchange was left open
        found.append({"said": said, "kept": recorder.store.probes(), "gradient": model.module[0].weight.grad.tolist()})
    model = DistributedDataParallel(network())
    optimizer = sgd(model)
    cross_entropy(model, half(batches()[0])).backward()
    optimizer.step()
    optimizer.zero_grad()
    cross_entropy(model, half(batches()[1])).backward()
    return {"cases": found, "unmeasured": model.module[0].weight.grad.tolist()}


def budget_by_rank_0() -> Any:
    """Two clocks that tell different stories: on rank 1 measuring seems to cost a hundred times as much."""
    now = [0.0]

    class Clock:
        @staticmethod
        def perf_counter() -> float:
            return now[0]

    def probe(step: Any) -> Any:
        measured.append(step.index)
        now[0] += 2.0 + 200.0 * RANK
        return {"loss": step.loss}

    measured: list[int] = []
    clock, budget.time = budget.time, Clock
    try:
        model = DistributedDataParallel(network())
        optimizer = sgd(model)
        recorder = Recorder(model, cross_entropy, [probe], within_budget(0.2), optimizer=optimizer)
        for index in range(60):
            now[0] += 1.0 + RANK
            with recorder.step(half(batches()[index % 4])):
                cross_entropy(model, half(batches()[index % 4])).backward()
                optimizer.step()
                optimizer.zero_grad()
    finally:
        budget.time = clock
    return measured


def gradients_of_one_rank_alone() -> Any:
    """Under no_sync rank 1's first loss is constant: its gradient is zero where rank 0 holds one."""

    def loss_fn(model: nn.Module, batch: Any) -> Tensor:
        return cross_entropy(model, batch[:2]) * batch[2]

    model = DistributedDataParallel(network())
    optimizer = sgd(model)
    recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)
    for index, batch in enumerate(batches(4)):
        given = (*half(batch), float(RANK == 0 or index % 2))
        with recorder.step(given):
            with contextlib.nullcontext() if index % 2 else model.no_sync():
                (loss_fn(model, given) / 2).backward()
            if index % 2:
                optimizer.step()
                optimizer.zero_grad()
    return len(rows(recorder).get("landscape.loss", []))


def doubt() -> Any:
    """What is said where loss_fn is twice the loss that is trained, and on whom."""
    model = DistributedDataParallel(network())
    optimizer = sgd(model)
    recorder = Recorder(model, lambda m, b: 2 * cross_entropy(m, b), [landscape()], every(1), optimizer=optimizer)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with recorder.step(half(batches()[0])):
            cross_entropy(model, half(batches()[0])).backward()
            optimizer.step()
    return [str(warning.message) for warning in said]


def who_writes() -> Any:
    """Files, rows and sinks."""
    told: list[int] = []
    folder = Path(sys.argv[1]) / f"run{RANK}"
    model = DistributedDataParallel(network())
    sinks = [lambda index, _rows: told.append(index)]
    recorder = recorded(model, [half(batch) for batch in batches(2)], [landscape()], to=folder, sinks=sinks)
    try:
        said = f"{len(recorder.read('landscape')['step'])} rows"
    except ValueError as error:
        said = str(error)
    return {"told": told, "files": folder.exists(), "said": said}


def hessian() -> Any:
    """Products on both halves, and on the joined batch by one process; one by one, and from graphs that are kept."""
    model, alone = DistributedDataParallel(network()), network()
    found = []
    for objective in (
        Objective(model, cross_entropy, half(batches()[0])),
        Objective(alone, cross_entropy, batches()[0]),
    ):
        here = objective.here()
        with objective.linearized(here) as product:
            found += [flattened(objective.hvp(here, here)), flattened(product(here)), flattened(product.gradient)]
            found.append(product.loss.reshape(1))
    return [each.tolist() for each in found]


def hessian_with_batchnorm() -> Any:
    """Two batches on two processes, and by one process as four, each with statistics of its own."""
    first, second = batches(2)
    model, alone = DistributedDataParallel(network(nn.BatchNorm1d)), network(nn.BatchNorm1d)
    two = Objective(model, cross_entropy, half(first)).with_batch(half(second))
    one = Objective(alone, cross_entropy, half(first, 0))
    for batch in (half(first, 1), half(second, 0), half(second, 1)):
        one = one.with_batch(batch)
    found = []
    for objective in (two, one):
        here = objective.here()
        with objective.linearized(here) as product:
            found.append(flattened(product(here)).tolist())
    return found


def a_plane() -> Any:
    """Losses on both halves and on the joined batch, the file of rank 0, and what either says of another's file."""
    calls = [0]

    def counted(model: nn.Module, batch: Any) -> Tensor:
        calls[0] += 1
        return cross_entropy(model, batch)

    file = Path(sys.argv[1]) / f"plane{RANK}.sqlite"
    halves = Objective(DistributedDataParallel(network()), counted, half(batches()[0]))
    joined = Objective(network(), cross_entropy, batches()[0])

    def losses(objective: Objective, to: Path | None, seed: int = 0) -> Any:
        here = objective.here()
        return plane(objective, here, *random_directions(here, seed), [-1.0, 0.0, 1.0], to=to).losses.tolist()

    found: dict[str, Any] = {"one": losses(joined, None), "two": losses(halves, file)}
    calls[0] = 0
    found |= {"again": losses(halves, file), "calls": calls[0], "written": file.exists()}
    try:
        losses(halves, file, seed=1)
    except (ValueError, RuntimeError) as error:
        found["refused"] = f"{type(error).__name__}: {error}"
    return found


def noise_of_each_half() -> Any:
    """Gradients of the ranks' halves, with one batch a step and with two; the one process has them one by one.

    And how often each rank calls loss_fn beside a probe that reads the loss alone.
    """
    calls = [0]

    def counted(model: nn.Module, batch: Any) -> Tensor:
        calls[0] += 1
        return cross_entropy(model, batch)

    def steps(model: nn.Module, parts: int, data: Any, probes: Any) -> tuple[Any, int]:
        optimizer, calls[0] = sgd(model), 0
        recorder = Recorder(model, counted, probes, every(1), optimizer=optimizer)
        for index, batch in enumerate(data):
            last = (index + 1) % parts == 0
            with recorder.step(batch):
                with contextlib.nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():
                    (counted(model, batch) / parts).backward()
                if last:
                    optimizer.step()
                    optimizer.zero_grad()
        return rows(recorder), calls[0]

    found: dict[str, Any] = {}
    for parts in (1, 2):
        halves = [half(batch) for batch in batches()]
        both = [half(batch, rank) for batch in batches() for rank in range(2)]
        two, passes = steps(DistributedDataParallel(network()), parts, halves, [noise_scale()])
        one, _ = steps(network(), 2 * parts, both, [noise_scale()])
        _, without = steps(DistributedDataParallel(network()), parts, halves, {"loss": lambda step: {"x": step.loss}})
        found[str(parts)] = {"two": two, "one": one, "passes": passes - without}
    return found


def alarms_of_rank_0() -> Any:
    """Rank 0 alone reads what is alarming, from the second step on; both lower the rate there, and end at the third."""
    model = DistributedDataParallel(network())
    optimizer = sgd(model)
    own = {"own": lambda step: {"x": float(step.index) if RANK == 0 else 0.0}}
    lower, end = (alert("own/x", above=limit, sustained=1, name=name) for limit, name in ((0.5, "lower"), (1.5, "end")))
    lower.then, end.then = lower_lr(0.5), stop
    recorder = Recorder(model, cross_entropy, own, every(1), optimizer=optimizer, alerts=[lower, end])
    logging.getLogger("clinometer").addHandler(logging.NullHandler())
    rates: list[float] = []
    said = ""
    try:
        for batch in batches():
            rates.append(optimizer.param_groups[0]["lr"])
            with recorder.step(half(batch)):
                cross_entropy(model, half(batch)).backward()
                optimizer.step()
                optimizer.zero_grad()
    except StopTraining as stopped:
        said = str(stopped)
    return {"rates": rates, "said": said, "kept": len(recorder.alarms) if RANK == 0 else None}


class FullyShardedDataParallel(nn.Sequential):
    """Known by its name alone: the real one needs a GPU."""


def refusals() -> Any:
    """What cannot be measured says so when the recorder is made."""
    mixed = DistributedDataParallel(network())
    mixed.mixed_precision = torch.float16
    said = []
    for model in (mixed, FullyShardedDataParallel(network())):
        try:
            Recorder(model, cross_entropy, [noise_floor()])
        except ValueError as error:
            said.append(str(error))
    return said


if __name__ == "__main__":
    run(
        [
            walk_on_both_halves,
            norms_alone,
            batchnorm,
            no_trace,
            wherever_the_wrapper_is,
            a_criterion_in_a_wrapper_of_its_own,
            a_probe_that_raises_on_one_rank,
            budget_by_rank_0,
            gradients_of_one_rank_alone,
            doubt,
            who_writes,
            hessian,
            a_plane,
            hessian_with_batchnorm,
            noise_of_each_half,
            alarms_of_rank_0,
            refusals,
        ],
        DistributedDataParallel,
    )
