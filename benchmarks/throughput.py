"""How much of the cores' time a study of tiny runs spends on training, here and on a Ray cluster of two local nodes.

    python benchmarks/throughput.py [--runs 500] [--cores 2] [--without-ray]

The limit is a loop that makes run after run in one process, one such process per core at the same time. The runner has
a process for each run; its throughput is counted from the first runs that are done to the last, without the start of
processes and nodes. Training is what lies between a run's `environment.json`, which is written before its first step,
and the end of its `rows.sqlite`. The runner's own memory is that of the process that was asked for the study.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from clinometer.papers.santurkar2018.configs import vgg
from clinometer.runner.local import LocalPool, Pool, cpu_count
from clinometer.runner.scheduler import Progress, run_all
from clinometer.training.config import grid
from clinometer.training.environment import environment
from clinometer.training.run_folder import run_folder

TINY = vgg(width=1 / 8, steps=60)  # about a second
LOOP = (
    "import sys, tempfile, time; from dataclasses import replace; from pathlib import Path; "
    "from throughput import TINY; "
    "from clinometer.training.run import run; to = Path(tempfile.mkdtemp()); "
    "run(replace(TINY, seed=10**6), to / 'first'); print(flush=True); input(); began = time.time(); "
    "[run(replace(TINY, seed=seed), to / str(seed)) for seed in range(int(sys.argv[1]))]; print(time.time() - began)"
)


class Made(NamedTuple):
    """What became of a study."""

    per_second: float  # runs, once started
    training: float  # of the cores' time, from the first begin to the last end; where runs are made in their place
    memory: dict[int, float]  # MB of the parent, by runs done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--cores", type=int, default=cpu_count())
    parser.add_argument("--without-ray", action="store_true")
    arguments = parser.parse_args()
    runs, at_a_time = arguments.runs, arguments.cores
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}; {at_a_time} runs of {TINY.steps} steps at a time")
    print(f"n = {arguments.repeats} times {runs} runs")
    for _ in range(arguments.repeats):
        limit = loops(max(runs // 10, 2), at_a_time)
        print(f"{f'loops, {at_a_time} processes':22s} {limit:6.2f} runs/s", flush=True)
        here = study(runs, LocalPool(["cpu"] * at_a_time), at_a_time)
        told("runner", here, limit, "of the loops'")
        print(f"{'':22s} training {here.training:.1%} of the cores' time")
        if not arguments.without_ray:
            told(f"Ray, {at_a_time} nodes", on_nodes(runs, at_a_time), here.per_second, "of the runner's")


def loops(each: int, processes: int) -> float:
    """Runs a second of loops in several processes, which begin together."""
    command = [sys.executable, "-c", LOOP, str(each)]
    started = [
        subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=Path(__file__).parent) for _ in range(processes)
    ]
    for process in started:
        process.stdout.readline()
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    return sum(each / float(process.communicate()[0]) for process in started)


def study(runs: int, pool: Pool, slots: int) -> Made:
    """Make a study of so many runs."""
    configs, times, memory = grid(TINY, seed=range(runs)), {}, {}

    def note(now: Progress) -> None:
        times.setdefault(now.done, time.perf_counter())
        if now.done in (min(100, runs // 2), runs):
            memory[now.done] = resident()

    with tempfile.TemporaryDirectory() as folder:
        failures = run_all(configs, Path(folder), pool=pool, report=note)
        assert not failures, failures[0].reason
        spans = [span(run_folder(Path(folder), config)) for config in configs]
    warm = min(done for done in times if done >= min(2 * slots, runs // 2))
    took = times[runs] - times[warm]
    per_second = (runs - warm) / took if took > 0 else math.nan  # all ended at once
    whole = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return Made(per_second, sum(end - begin for begin, end in spans) / (slots * whole), memory)


def on_nodes(runs: int, count: int) -> Made:
    """The same on so many nodes of one CPU each, all of them on this machine."""
    from ray.cluster_utils import Cluster as Nodes

    from clinometer.runner.ray.pool import RayPool

    # As the runner's processes are: Ray's own are polite, and lose to whatever else runs.
    os.environ.update({"RAY_worker_niceness": "0"})
    small = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    nodes = Nodes(initialize_head=True, head_node_args=small)
    try:
        for _ in range(count - 1):
            nodes.add_node(**small)
        os.environ["RAY_ADDRESS"] = nodes.address
        return study(runs, RayPool(), count)
    finally:
        nodes.shutdown()


def told(name: str, made: Made, other: float, whose: str) -> None:
    memory = ", ".join(f"{size:.0f} MB after {done} runs" for done, size in made.memory.items())
    print(f"{name:22s} {made.per_second:6.2f} runs/s, {made.per_second / other:.2f} {whose}; {memory}", flush=True)


def span(folder: Path) -> tuple[float, float]:
    """When a run's training began and ended."""
    begin, end = ((folder / name).stat().st_mtime_ns / 1e9 for name in ("environment.json", "rows.sqlite"))
    return begin, end


def resident() -> float:
    """This process's memory, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    main()
