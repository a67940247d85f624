"""How much memory measuring takes beside the run, in copies of the parameters.

    python benchmarks/memory.py [--repeats 3]

Counts the live memory of tensors, and its highest point, from what torch's operations return: slack of the allocator is
not in it, and the figures are the same on every machine. A perceptron with one sample per batch has next to no
activations, so that what is left is copies of parameters, gradients and directions. A bare training step by SGD
(weights, gradients, activations) is taken off; so is what the caller of a measurement holds himself: the point, the
direction, and the gradient at the point, where it is given.
"""

import argparse
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from clinometer import (
    Objective,
    Recorder,
    critical_step,
    every,
    headroom,
    landscape,
    noise_floor,
    plane,
    sharpness,
    top_eigenpairs,
    walk,
)
from clinometer.objective.params import scale

WIDTH, DEPTH = 512, 16  # square layers: the largest one is a sixteenth of the parameters


class LiveMemory(TorchDispatchMode):
    """Inside the block, counts the bytes of tensors that operations have made and that are still referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for storage in _storages((args, kwargs)):
            self._add(storage, 0)  # it was there before the block, or it is counted already
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):
            self._add(storage, storage.nbytes())
        return result

    def _add(self, storage: Any, size: int) -> None:
        key = storage._cdata
        if key in self._known:
            return

        def freed(_reference: Any) -> None:
            self._known.pop(key, None)
            self.bytes -= size

        self._known[key] = weakref.ref(storage, freed)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)


def _storages(tree: Any) -> list[Any]:
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*[layer for _ in range(DEPTH) for layer in (nn.Linear(WIDTH, WIDTH), nn.ReLU())])


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


BATCH = torch.ones(1, WIDTH), torch.zeros(1, dtype=torch.int64)


def size(model: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters())


def of_a_step(probes: Callable[[], Any] | None = None, steps: int = 3) -> float:
    """The highest memory of training steps, in copies of the parameters, beside the weights themselves."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    recorder = probes and Recorder(model, loss_fn, probes(), every(1), optimizer=optimizer)
    with LiveMemory() as memory:
        for _ in range(steps):
            optimizer.zero_grad()
            if recorder:
                recorder.step(BATCH)
            loss_fn(model, BATCH).backward()
            optimizer.step()
    return memory.peak / size(model)


def of_a_measure(measure: Callable[[Objective, Any, Any, Any], Any]) -> float:
    """The highest memory of one measurement, in copies, beside the point, the direction and the start it is given."""
    model = network()
    objective = Objective(model, loss_fn, BATCH)
    here = objective.here()
    start = objective.loss_and_grad(here)
    direction = scale(start[1], -1.0)
    with LiveMemory() as memory:
        measure(objective, here, direction, start)
    return memory.peak / size(model)


def _two_products(objective: Objective, here: Any, direction: Any) -> None:
    with objective.linearized(here) as product:
        for _ in range(2):
            product(direction)


MEASURES: dict[str, Callable[[Objective, Any, Any, Any], Any]] = {
    "loss": lambda o, x, _d, _s: o.loss(x),
    "loss_and_grad": lambda o, x, _d, _s: o.loss_and_grad(x),
    "hvp": lambda o, x, d, _s: o.hvp(x, d),
    "walk": lambda o, x, d, s: walk(o, x, d, [1e-3, 2e-3], start=s),
    "critical_step": lambda o, x, d, s: critical_step(o, x, d, loss=s[0], gradient=s[1]),
    "plane of one direction twice": lambda o, x, d, _s: plane(o, x, d, d, [0.0, 1e-3]),
    "linearized, two products": lambda o, x, d, _s: _two_products(o, x, d),
    "top_eigenpairs, basis of 3": lambda o, x, _d, _s: top_eigenpairs(o, x, 1, basis=3, max_products=12),
    "top_eigenpairs, basis of 7": lambda o, x, _d, _s: top_eigenpairs(o, x, 1, basis=7, max_products=12),
}
PROBES: dict[str, Callable[[], Any]] = {
    "landscape()": lambda: [landscape()],
    'landscape(direction="update")': lambda: [landscape(direction="update")],
    "headroom()": lambda: [headroom()],
    "noise_floor()": lambda: [noise_floor()],
    "sharpness()": lambda: [sharpness()],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="steps")
    steps = parser.parse_args().repeats
    torch.set_num_threads(1)
    bare = of_a_step(steps=steps)
    print(f"torch {torch.__version__}; the highest of n = {steps} steps, in copies of the parameters")
    print(f"{bare:6.2f}   a bare step by SGD, beside the weights; the following are beside that")
    for name, make in PROBES.items():
        print(f"{of_a_step(make, steps) - bare:+6.2f}   recorder with {name}", flush=True)
    for name, measure in MEASURES.items():
        print(f"{of_a_measure(measure):+6.2f}   {name}", flush=True)


if __name__ == "__main__":
    main()
