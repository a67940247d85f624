"""What the recorder costs: each probe in bare forward-backward passes, and a step that is not scheduled.

    python benchmarks/overhead.py [--repeats 7]

Network: VGG-11 at quarter width with BatchNorm on 32×32 images, batch 128, one thread. Bare passes and measured steps
alternate; a probe's figure is the median over repeats of (measured step − plain step) / bare pass.
"""

import argparse
import functools
import statistics
import timeit

import torch
from walk import cases, loss_fn, seconds

from clinometer import Probe, Recorder, activations, at, batchnorm_terms, every, internal_shift, landscape
from clinometer.study.environment import environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    torch.manual_seed(0)
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, n = {repeats}")
    model, batch = next(iter(cases("cpu").values()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def bare() -> None:
        loss_fn(model, batch).backward()
        model.zero_grad()

    def step(recorder: Recorder) -> None:
        with recorder.step(batch):
            loss_fn(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()

    never = Recorder(model, loss_fn, [landscape()], at(), optimizer=optimizer)
    idle = min(timeit.repeat(lambda: never.step(batch).__enter__(), number=10_000, repeat=5)) / 10_000
    print(f"{1e6 * idle:8.2f} µs     a step that is not scheduled")

    norms = [name for name, _ in model.named_modules() if name.endswith(".norm")]
    probes: dict[str, list[Probe]] = {
        "a probe that does nothing: what a scheduled step keeps": [lambda _step: {}],
        "landscape(), 4 sizes": [landscape()],
        f"internal_shift(), {1 + len(norms)} layers": [internal_shift()],
        f"batchnorm_terms(), {len(norms)} layers": [batchnorm_terms()],
        f"activations(), {len(norms)} layers": [activations(norms)],
        "all three": [landscape(), internal_shift(), activations(norms)],
    }
    for name, chosen in probes.items():
        recorder = Recorder(model, loss_fn, chosen, every(1), optimizer=optimizer)
        step(recorder), step(never), bare()
        measured, plain = functools.partial(step, recorder), functools.partial(step, never)
        rounds = [(seconds(measured), seconds(plain), seconds(bare)) for _ in range(repeats)]
        units = statistics.median((with_probe - without) / unit for with_probe, without, unit in rounds)
        print(f"{units:8.2f} passes {name}")


if __name__ == "__main__":
    main()
