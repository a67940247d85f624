"""What curvature costs, beside PyHessian, hessian-eigenthings, curvlinops and loss-landscapes, at equal true error.

    python benchmarks/curvature.py [--repeats 5] [--data PATH] [--only WORDS] [--trained 200]

Networks: VGG-11 at quarter width with BatchNorm (612,810 parameters), trained for 200 steps of batch 128 on 6,400
images of CIFAR-10, or on the bundled digits enlarged to 32×32 where that is absent; a GPT of two layers on this
repository's licence; a perceptron on the digits. In each round the network trains 10 more steps; then all ways to do
each work take their turns on copies of it and on one batch, on one thread. Columns, medians over rounds:

    units      CPU time over that of one train-mode forward-backward pass, timed before and after; least and most
    count      Hessian-vector products; of planes and critical steps forward passes, of shifts gradients
    error      the largest relative error of an eigenvalue, in any round; the truth is scipy's eigsh to 1e-6

A warm start begins from the eigenvectors of the round before, 10 steps and as many batches earlier.
"""

import argparse
import contextlib
import copy
import dataclasses
import functools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import curvature_rivals as rivals
import numpy as np
import torch
from curvature_networks import CASES, CRITERION, Batch, Case, loss_fn
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

from clinometer import Objective, covariate_shift, critical_step, layers_of, plane, top_eigenpairs
from clinometer.measures.filter_norm import normalised
from clinometer.objective.params import Point, flattened, unflattened
from clinometer.training.environment import environment

BETWEEN = 10  # steps between rounds
TOLERANCE = 1e-3  # the true error at which ways are compared
SIDE = 5  # points along each axis of a plane


@dataclass(frozen=True)
class Place:
    """Where the network stands in one round. Works are done on copies of it."""

    model: nn.Module
    batch: Batch
    before: Point  # where its last step began
    update: Point  # and what that step did
    train: bool  # the mode
    memory: dict[str, Any]  # where warm starts begin: what the last round found
    found: dict[str, Any]  # what this round finds

    def copy(self) -> nn.Module:
        return copy.deepcopy(self.model).train(self.train)

    def objective(self) -> Objective:
        return Objective(self.copy(), loss_fn, self.batch)

    def in_training(self) -> "Place":
        return dataclasses.replace(self, train=True)


Found = tuple[list[float], float]  # eigenvalues, and how many products or passes it took
Work = Callable[[], Found]
Prepare = Callable[[Place, contextlib.ExitStack], Work]  # what comes before is not timed


@dataclass
class Row:
    """One way to do one work, over the rounds."""

    work: str
    way: str
    units: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    failure: str = ""

    def add(self, units: float, found: Found, truth: list[float]) -> None:
        values, count = found
        self.units.append(units)
        self.counts.append(count)
        self.errors += [max(abs(v / t - 1) for v, t in zip(values, truth, strict=False))] if values else []

    def cells(self) -> list[str]:
        if not self.units:
            return [self.work, self.way, self.failure, "", ""]
        spread = f"{statistics.median(self.units):.2f} ({min(self.units):.2f} to {max(self.units):.2f})"
        return [
            self.work,
            self.way,
            spread,
            f"{statistics.median(self.counts):g}",
            f"{max(self.errors):.1e}" if self.errors else "",
        ]


def true_values(place: Place, k: int) -> list[float]:
    """The largest eigenvalues, by scipy."""
    objective = place.objective()
    here = objective.here()
    with objective.linearized(here) as multiply:

        def by_vector(vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return flattened(multiply(unflattened(torch.from_numpy(vector.ravel()).float(), here))).numpy()

        n = len(flattened(here))
        operator = LinearOperator((n, n), matvec=by_vector, dtype=np.float32)  # type: ignore[call-overload]
        found = eigsh(operator, k=k, which="LA", tol=1e-6, ncv=4 * k + 8, return_eigenvectors=False)
    return sorted(found.tolist(), reverse=True)


def graph_product(place: Place, stack: contextlib.ExitStack) -> Work:
    objective = place.objective()
    here = objective.here()
    multiply = stack.enter_context(objective.linearized(here))
    return repeated(lambda: multiply(here))


def hessian_product(place: Place, _stack: contextlib.ExitStack) -> Work:
    objective = place.objective()
    here = objective.here()
    return repeated(lambda: objective.hvp(here, here))


def repeated(multiply: Callable[[], Any]) -> Work:
    """One product, after one that is not timed."""
    multiply()

    def work() -> Found:
        multiply()
        return [], 1

    return work


def their_product(make: Callable[..., Callable[[], Any]]) -> Prepare:
    def prepare(place: Place, _stack: contextlib.ExitStack) -> Work:
        return repeated(make(place.copy(), CRITERION, place.batch))

    return prepare


def our_values(place: Place, _stack: contextlib.ExitStack, *, k: int, warm: bool) -> Work:
    model, known = place.copy(), f"{k} vectors, train mode {place.train}"
    start = place.memory.get(known) if warm else None

    def work() -> Found:
        objective = Objective(model, loss_fn, place.batch)
        found = top_eigenpairs(objective, objective.here(), k, tolerance=TOLERANCE, start=start)
        place.found[known] = found.vectors
        return found.values.tolist(), found.products

    return work


def their_values(find: Callable[..., Found], k: int, setting: Any) -> Prepare:
    def prepare(place: Place, _stack: contextlib.ExitStack) -> Work:
        model = place.copy()
        return lambda: find(model, CRITERION, place.batch, k, setting)

    return prepare


def our_step(place: Place, _stack: contextlib.ExitStack, *, warm: bool) -> Work:
    """The step is the last one that the network made, on its own batch."""
    objective = place.in_training().objective()
    start = objective.loss_and_grad(place.before)
    multiple = place.memory.get("multiple", 1.0) if warm else 1.0

    def work() -> Found:
        found = critical_step(objective, place.before, place.update, start=multiple, loss=start[0], gradient=start[1])
        place.found["multiple"] = found.multiple
        return [], found.evaluations

    return work


def bare_losses(place: Place, _stack: contextlib.ExitStack) -> Work:
    model = place.in_training().copy()

    @torch.no_grad()
    def work() -> Found:
        for _ in range(SIDE * SIDE):
            loss_fn(model, place.batch)
        return [], SIDE * SIDE

    return work


def our_plane(place: Place, _stack: contextlib.ExitStack) -> Work:
    objective = place.in_training().objective()
    here = objective.here()
    drawn = [normalised({n: torch.randn_like(x) for n, x in here.items()}, here) for _ in range(2)]
    sizes = torch.linspace(-1.0, 1.0, SIDE).tolist()

    def work() -> Found:
        plane(objective, here, *drawn, sizes)
        return [], SIDE * SIDE

    return work


def their_plane(place: Place, _stack: contextlib.ExitStack) -> Work:
    model = place.in_training().copy()

    def work() -> Found:
        rivals.loss_landscapes_plane(model, CRITERION, place.batch, SIDE)
        return [], SIDE * SIDE

    return work


def naive_shift(place: Place, _stack: contextlib.ExitStack) -> Work:
    """A whole gradient for each layer but the first, with the layers before it moved."""
    model = place.in_training().copy()
    layers = list(layers_of(model))

    def work() -> Found:
        for _ in layers[1:]:
            model.zero_grad()
            loss_fn(model, place.batch).backward()
        return [], len(layers) - 1

    return work


def our_shift(place: Place, _stack: contextlib.ExitStack) -> Work:
    objective, layers = place.in_training().objective(), layers_of(place.model)
    start = objective.loss_and_grad(place.before)
    after = {name: place.before[name] + moved for name, moved in place.update.items()}

    def work() -> Found:
        covariate_shift(objective, place.before, after, layers, start=start)
        return [], len(layers) - 1

    return work


Ways = dict[str, dict[str, Prepare]]  # by work, and by who does it


def ways(train: bool, layered: bool) -> Ways:
    """What is timed. In train mode nobody else measures curvature and leaves BatchNorm's statistics alone."""
    found: Ways = {"one product": {"clinometer, retained": graph_product, "clinometer, rebuilt": hessian_product}}
    for k in (1, 5):
        found[f"{k} largest"] = {
            "clinometer, cold": functools.partial(our_values, k=k, warm=False),
            "clinometer, warm": functools.partial(our_values, k=k, warm=True),
        }
    if train:
        return {f"{work}, train mode": each for work, each in found.items()}
    found["one product"] |= {
        "PyHessian, retained": their_product(rivals.pyhessian_product),
        "hessian-eigenthings, rebuilt": their_product(rivals.eigenthings_product),
        "curvlinops, rebuilt": their_product(rivals.curvlinops_product),
    }
    for k in (1, 5):
        found[f"{k} largest"] |= {
            "PyHessian, as it comes": their_values(rivals.pyhessian_values, k, 1e-3),
            "PyHessian, ten times stricter": their_values(rivals.pyhessian_values, k, 1e-4),
            "hessian-eigenthings, as it comes": their_values(rivals.eigenthings_values, k, None),
            "hessian-eigenthings, 8 steps": their_values(rivals.eigenthings_values, k, 8),
            "hessian-eigenthings, 16 steps": their_values(rivals.eigenthings_values, k, 16),
            "curvlinops and eigsh, tol 1e-3": their_values(rivals.curvlinops_values, k, 1e-3),
        }
    found["critical step"] = {
        "clinometer, cold": functools.partial(our_step, warm=False),
        "clinometer, warm": functools.partial(our_step, warm=True),
    }
    found[f"plane of {SIDE * SIDE} points"] = {
        "bare forward passes": bare_losses,
        "clinometer": our_plane,
        "loss-landscapes": their_plane,
    }
    if layered:
        found["covariate shift of 11 layers"] = {"a gradient a layer": naive_shift, "clinometer": our_shift}
    return found


def compared(case: Case, repeats: int, only: str, trained: int) -> list[Row]:
    """All rows of one network. Before the first round there is one for our ways alone: warm starts begin from it."""
    rows: dict[tuple[str, str], Row] = {}
    memory: dict[str, Any] = {}
    case.train(trained)
    for turn in range(1 + repeats):
        batch, before, update = case.train(BETWEEN)
        found: dict[str, Any] = {}
        for train in case.modes:
            place = Place(case.model, batch, before, update, train, memory, found)
            all_works = ways(train, hasattr(case.model, "features")).items()
            chosen = {(work, way): prepare for work, each in all_works if only in work for way, prepare in each.items()}
            truth = true_values(place, 5) if turn and any("largest" in work for work, _ in chosen) else []
            for (work, way), prepare in chosen.items():
                row = rows.setdefault((work, way), Row(work, way))
                if not turn and not way.startswith("clinometer"):
                    continue
                try:
                    timed = timing(prepare, place)
                except Exception as error:  # that a library does not work on a network is a result
                    row.failure = f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
                    continue
                if turn:
                    row.add(*timed, truth)
        memory = found
    return list(rows.values())


def timing(prepare: Prepare, place: Place) -> tuple[float, Found]:
    """The CPU time of a work in units, which are timed before it and after it; and what it found."""
    model = copy.deepcopy(place.model).train()

    def unit() -> None:
        model.zero_grad()
        loss_fn(model, place.batch).backward()

    with contextlib.ExitStack() as stack:
        work = prepare(place, stack)
        before = min(seconds(unit)[0] for _ in range(2))
        took, found = seconds(work)
        after = min(seconds(unit)[0] for _ in range(2))
    return 2 * took / (before + after), found


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def table(rows: list[Row]) -> list[str]:
    lines = ["| work | way | units | count | error |", "|---" * 5 + "|"]
    return lines + [f"| {' | '.join(row.cells())} |" for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--data", default=os.environ.get("CLINOMETER_DATA"), help="CIFAR-10; by default CLINOMETER_DATA"
    )
    parser.add_argument("--only", default="", help="works whose name has these words in it")
    parser.add_argument("--trained", type=int, default=200, help="steps before the first round")
    options = parser.parse_args()
    torch.set_num_threads(1)
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, n = {options.repeats} rounds")
    for make in CASES:
        case = make(options.data)
        print(
            "",
            case.name,
            "",
            *table(compared(case, options.repeats, options.only, options.trained)),
            sep="\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
