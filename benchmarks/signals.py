"""What the cheap signals of a run cost beside its bare steps, with everything that the recorder does for them.

    python benchmarks/signals.py [--repeats 41] [--steps 400] [--only WORDS] [--networks vgg gpt] [--to FILE]

Networks: VGG-11 at quarter width with BatchNorm (bundled digits, enlarged) and a GPT of 2 layers, batch 128, a single
thread. In each round a bare step and a step with a recorder, whose probes are due, take their turns, each on its own
copy of the network; times are the process's CPU time, which other programs on the machine hardly change. Columns:

    added       (measured step - bare step) / bare step: median over rounds, quartiles
    every       how often the signal is meant to be measured
    overhead    added / every, in % of the run

The last row is a whole run: step_norms at every step, and the others, but for headroom per layer, by one
`within_budget(0.05)`. The run and a bare one take turns of 25 steps: the budget would take more frequent ones for time
of its run. The row's share is of CPU time, the budget's own of the time that passes.

`python benchmarks/signals.py --to results/signals.json`, on a machine that does nothing else, and `python docs/fill.py`
put the numbers into docs/cost.md.
"""

import argparse
import copy
import functools
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from curvature_networks import Batch, Case, gpt, loss_fn, vgg

from clinometer import (
    Probe,
    Recorder,
    activation_moments,
    attention_logits,
    every,
    headroom,
    noise_scale,
    step_norms,
    within_budget,
)
from clinometer.training.environment import environment

Step = Callable[[Batch], None]

NETWORKS: Mapping[str, Callable[[str | None], Case]] = {"vgg": vgg, "gpt": gpt}
PER_LAYER = 'headroom(blocks="layers")'
TURN = 25  # steps
WARM = 3  # steps before the first that counts: allocation, and the first search of headroom
SIGNALS: Mapping[str, tuple[Callable[[], Probe], int]] = {  # and every how many steps
    "step_norms()": (step_norms, 1),
    "headroom()": (headroom, 20),
    PER_LAYER: (functools.partial(headroom, blocks="layers"), 20),
    "activation_moments()": (activation_moments, 20),
    "attention_logits()": (attention_logits, 20),
    "noise_scale()": (noise_scale, 20),
}


def main() -> None:
    args = parsed()
    torch.set_num_threads(1)
    facts = environment()
    about = f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, n = {args.repeats} rounds"
    print(about)
    found = {name: measured(NETWORKS[name](None), args) for name in args.networks}
    if args.to:
        args.to.write_text(json.dumps({"about": about, "networks": found}, indent=1) + "\n")


def measured(case: Case, args: argparse.Namespace) -> dict[str, Any]:
    """Measure and print all rows of one network."""
    case.train(5)
    bare = steps(case, None, None)
    took = [seconds(bare, next(case.batches)) for _ in range(WARM + args.repeats)][WARM:]
    print(f"\n{case.name}\n{'signal':32} {'added':>22} {'every':>6} {'overhead':>9}")
    signals = {
        name: added(case, name, probe(), often, args.repeats)
        for name, (probe, often) in SIGNALS.items()
        if args.only in name
    }
    found = {"name": case.name, "bare": statistics.median(took), "signals": signals}
    return found | ({"budget": together(case, args.steps)} if args.only in "all within a budget" else {})


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=41, help="rounds")
    parser.add_argument("--steps", type=int, default=400, help="of the run with all signals")
    parser.add_argument("--only", default="", help="rows with these words in their names")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--to", type=Path, help="where to keep the numbers as JSON")
    return parser.parse_args()


def added(case: Case, name: str, probe: Probe, often: int, rounds: int) -> dict[str, Any]:
    """Print what one signal adds to a step at which it is due: the quartiles, and every how many steps it is due."""
    bare, measured = steps(case, None, None), steps(case, {name: probe}, every(1))
    times = [pair(case, bare, measured) for _ in range(WARM + rounds)][WARM:]
    share = [theirs / ours - 1 for ours, theirs in times]
    low, middle, high = quartiles(share)
    print(f"{name:32} {middle:7.3f} ({low:.3f} to {high:.3f}) {often:6} {middle / often:9.2%}", flush=True)
    return {"added": [low, middle, high], "every": often}


def together(case: Case, number: int) -> dict[str, Any]:
    """Print what all signals add to a run, as a share of its time."""
    probes = {name: probe() for name, (probe, _) in SIGNALS.items() if name != PER_LAYER}
    budget = within_budget(0.05)
    schedules = {name: every(1) if SIGNALS[name][1] == 1 else budget for name in probes}
    bare, measured = steps(case, None, None), steps(case, probes, schedules)
    ours = theirs = 0.0
    for begun in range(0, number, TURN):
        batches = list(itertools.islice(case.batches, min(TURN, number - begun)))
        ours += sum(seconds(bare, batch) for batch in batches)
        theirs += sum(seconds(measured, batch) for batch in batches)
    print(f"all within a budget: {theirs / ours - 1:.2%} of {number} steps; {budget}", flush=True)
    return {"added": theirs / ours - 1, "steps": number}


def pair(case: Case, bare: Step, measured: Step) -> tuple[float, float]:
    """CPU seconds of a bare step and of a measured one, on one batch."""
    batch = next(case.batches)
    return seconds(bare, batch), seconds(measured, batch)


def seconds(step: Step, batch: Batch) -> float:
    began = time.process_time()
    step(batch)
    return time.process_time() - began


def steps(case: Case, probes: Mapping[str, Probe] | None, when: Any) -> Step:
    """A training step on a copy of the network, with a recorder that writes to a file where there are probes."""
    model = copy.deepcopy(case.model)
    settings = {name: case.optimizer.defaults[name] for name in ("lr", "momentum") if name in case.optimizer.defaults}
    optimizer = type(case.optimizer)(model.parameters(), **settings)
    if probes is None:
        return functools.partial(step, model, optimizer)
    folder = tempfile.mkdtemp()
    recorder = Recorder(model, loss_fn, probes, when, optimizer=optimizer, to=folder)

    def recorded(batch: Batch) -> None:
        with recorder.step(batch):
            step(model, optimizer, batch)

    return recorded


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    loss_fn(model, batch).backward()
    optimizer.step()
    optimizer.zero_grad()


def quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


if __name__ == "__main__":
    main()
