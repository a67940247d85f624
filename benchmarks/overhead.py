"""What measuring at every step costs: our probes and Cockpit's presets beside a plain loop, in bare passes.

    python benchmarks/overhead.py [--repeats 11] [--only WORDS]

Networks: VGG-11 at quarter width, with BatchNorm and without, trained for 40 steps on the bundled digits enlarged to
32×32; batch 128, one thread. A bare pass is forward and backward in train mode. In each round a bare pass, a plain step
and a measured step take their turns, each on its own copy of the network; times are the process's CPU time, which other
programs on the machine hardly change. Columns, medians over rounds:

    step        measured step / bare pass
    added       (measured step − plain step) / bare pass, and its least and most
    declared    what the probes say of themselves, and one for the gradient at the start, which they share

Cockpit's rows need an environment with Cockpit in it; without, the program says how to make one.
"""

import argparse
import copy
import functools
import itertools
import statistics
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from clinometer import (
    Probe,
    Recorder,
    activations,
    at,
    batchnorm_terms,
    every,
    headroom,
    internal_shift,
    landscape,
    noise_floor,
)
from clinometer.nn.vgg import VGG
from clinometer.nn.vgg_plans import PLANS
from clinometer.training.data.datasets import digits
from clinometer.training.environment import environment

Batch = tuple[Tensor, Tensor]
Step = Callable[[Batch], None]

NETWORKS = {"with BatchNorm": "batch", "without a norm": "none"}
LR, MOMENTUM, BATCH, TRAINED = 0.003, 0.9, 128, 40
WARM = 2  # steps before the first round: Cockpit has quantities that need two

INSTALL = """\
Cockpit is not to be had here: {error}.
For its rows, make an environment with it:
    python3 -m venv cockpit
    cockpit/bin/pip install -c constraints.txt torch
    cockpit/bin/pip install -c constraints.txt 'setuptools<81' cockpit-for-pytorch -e .
    cockpit/bin/python benchmarks/overhead.py"""


@dataclass(frozen=True)
class Way:
    """A way to train: what it is called, how to make a step on a network, and what it says that it adds."""

    name: str
    make: Callable[[VGG], Step]
    declared: float | None = None


def batches(seed: int) -> Iterator[Batch]:
    data = digits()
    images = data.normalized(data.train_images).repeat(1, 3, 1, 1)
    images = F.interpolate(images, scale_factor=4)
    generator = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        yield images[chosen], data.train_labels[chosen]


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def plain(model: VGG) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)

    def step(batch: Batch) -> None:
        loss_fn(model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def bare(model: VGG) -> Step:
    def step(batch: Batch) -> None:
        loss_fn(model, batch).backward()
        model.zero_grad()

    return step


def recorded(probes: Sequence[Probe], model: VGG) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer)

    def step(batch: Batch) -> None:
        with recorder.step(batch):
            loss_fn(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()

    return step


def ours(model: VGG) -> list[Way]:
    norms = [name for name, _ in model.named_modules() if name.endswith(".norm")]
    layers = 1 + len(norms)
    three: list[Probe] = [landscape(), internal_shift(), activations(norms)]
    chosen: dict[str, list[Probe]] = {
        "a probe that does nothing: what a scheduled step keeps": [lambda _step: {}],
        "landscape(), 4 sizes": [landscape()],
        f"landscape(blocks='layers'), {layers} layers, 1 size": [landscape(blocks="layers")],
        "headroom()": [headroom()],
        "noise_floor()": [noise_floor()],
        f"internal_shift(), {layers} layers": [internal_shift()],
        f"batchnorm_terms(), {len(norms)} layers": [batchnorm_terms()],
        f"activations(), {len(norms)} layers": [activations(norms)],
        "landscape(), internal_shift() and activations()": three,
    }
    return [Way(name, functools.partial(recorded, probes), declared(probes)) for name, probes in chosen.items()]


def declared(probes: Sequence[Probe]) -> float | None:
    costs = [getattr(probe, "cost", None) for probe in probes]
    return None if None in costs else 1 + sum(costs)


def cockpits() -> list[Way]:
    try:
        import cockpit_presets as theirs
    except ImportError as error:
        print(INSTALL.format(error=error))
        return []
    print(theirs.versions())
    return [
        Way(f"Cockpit, {label}", lambda model, label=label: theirs.preset(label, model, LR, MOMENTUM))
        for label in theirs.PRESETS
    ]


def trained(norm: str) -> VGG:
    """A network midway: what headroom and Cockpit's largest eigenvalue cost depends on where the network stands."""
    torch.manual_seed(0)
    model = VGG(PLANS["vgg11"], norm, width=1 / 4)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # by Glorot's it does not learn without a norm
    step = plain(model)
    for batch in itertools.islice(batches(seed=0), TRAINED):
        step(batch)
    return model


def costs(way: Way, model: VGG, repeats: int) -> list[tuple[float, float]]:
    """What a step takes and what it adds, in bare passes, round by round."""
    turns = [make(copy.deepcopy(model)) for make in (bare, plain, way.make)]
    stream = batches(seed=1)
    for batch in itertools.islice(stream, WARM):
        for turn in turns:
            turn(batch)
    rounds = []
    for batch in itertools.islice(stream, repeats):
        unit, without, measured = (seconds(turn, batch) for turn in turns)
        rounds.append((measured / unit, (measured - without) / unit))
    return rounds


def seconds(step: Step, batch: Batch) -> float:
    began = time.process_time()
    step(batch)
    return time.process_time() - began


def line(way: Way, model: VGG, repeats: int) -> str:
    try:
        steps, added = zip(*costs(way, model, repeats), strict=True)
    except Exception as error:  # that a preset does not work on a network is a result
        return f"{'fails':>8}{'':38}{way.name}: {reason(error)}"
    says = "" if way.declared is None else f"{way.declared:.4g}"
    spread = f"{min(added):.2f} to {max(added):.2f}"
    return f"{statistics.median(steps):8.2f}{statistics.median(added):8.2f}{spread:>18}{says:>10}  {way.name}"


def reason(error: BaseException) -> str:
    """The first error, which a later one may hide."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"


def microseconds_idle(model: VGG) -> float:
    """What the recorder does in a step that is not scheduled: the call, and what the optimizer's step tells it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    never = Recorder(model, loss_fn, [landscape()], at(), optimizer=optimizer)
    batch = next(batches(seed=1))

    (before,) = _global_optimizer_pre_hooks.values()  # what torch calls before an optimizer's step, and after it
    (after,) = _global_optimizer_post_hooks.values()

    def idle() -> None:
        never.step(batch)
        before(optimizer, (), {})
        after(optimizer, (), {})

    return 1e6 * min(timeit.repeat(idle, timer=time.process_time, number=10_000, repeat=9)) / 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--only", default="", help="rows whose name has these words in it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, n = {options.repeats} rounds")
    theirs = cockpits()
    for title, norm in NETWORKS.items():
        model = trained(norm)
        loss = loss_fn(model, next(batches(seed=1))).item()
        print(f"\nVGG-11 at quarter width {title}, loss {loss:.2f}\n{'step':>8}{'added':>8}{'':18}{'declared':>10}")
        for way in [Way("a plain loop", plain), *ours(model), *theirs]:
            if options.only in way.name:
                print(line(way, copy.deepcopy(model), options.repeats), flush=True)
    print(f"\nA step that is not scheduled: {microseconds_idle(model):.2f} µs")


if __name__ == "__main__":
    main()
