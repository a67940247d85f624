"""Whether verdicts are the machine's: the smoke study again under other arithmetic, and how its verdicts compare.

    python benchmarks/verdicts/arithmetic.py [--seeds 3] [--jobs 2] [--only "as it is,AVX2 on 2 threads"]

torch's kernels, oneDNN's convolutions and MKL's products choose their instructions by the processor, and order their
sums by the number of threads. Each can be told to take those of an older processor; training is chaotic, so that other
last bits are another draw of the same experiment. Seeds, weights at the start and batches are the same in all.
Finished runs are kept, and an interrupted one is made again: call it again to go on.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tables import agreement, claims_on, decided, effect_table, header, runs_of_claims, verdict_table, write

from clinometer.papers.santurkar2018.definition import SCALES
from clinometer.results.run_table import RunTable
from clinometer.studies.plan import Plan
from clinometer.training import run as training_run
from clinometer.training.environment import environment
from clinometer.training.files import read_json
from clinometer.training.fingerprint import Fingerprints, differences
from clinometer.training.run_folder import is_done, run_folder

_AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
_OLDEST = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
ARITHMETIC = {  # name: what torch's libraries are told, and how many threads
    "as it is": ({}, 1),
    "AVX2": (_AVX2, 1),
    "AVX2 on 2 threads": (_AVX2, 2),
    "no AVX": (_OLDEST, 1),
}


def planned(options: argparse.Namespace) -> Plan:
    bases = SCALES["smoke"].bases
    if options.steps:
        bases = {name: base.vary(steps=options.steps) for name, base in bases.items()}
    return claims_on(bases, options.seeds, options.first_seed, options.claims)


def make(what: Plan, folder: Path, threads: int, part: int, parts: int) -> None:
    """Make every `parts`-th group of runs that is not done by the present code, from the `part`-th on."""
    training_run.use_plain_arithmetic = lambda: torch.set_num_threads(threads)
    fingerprints, here = Fingerprints(), environment()
    for group in training_run.groups(runs_of_claims(what))[part::parts]:
        folders = {config: run_folder(folder, config) for config in group}
        facts = {config.key: {**here, "fingerprint": fingerprints.of(config)} for config in group}
        for config, place in folders.items():
            if is_done(place) and _made_otherwise(place, facts[config.key]):
                shutil.rmtree(place)
        training_run.run_group(folders, facts=facts)


def _made_otherwise(place: Path, facts: Mapping[str, Any]) -> bool:
    """Whether other code, data or versions made the run in a folder."""
    return bool(differences(read_json(place / "environment.json").get("fingerprint"), facts["fingerprint"]))


def start(name: str, part: int) -> "subprocess.Popen[bytes]":
    """Make a part of the runs under some arithmetic, in a process that starts with it."""
    variables, threads = ARITHMETIC[name]
    return subprocess.Popen(
        [sys.executable, *sys.argv, "--make", name, "--part", str(part)],
        # Threads that wait would otherwise spin, for minutes where other programs keep the cores busy.
        env={**os.environ, **variables, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"},
    )


def page(options: argparse.Namespace, what: Plan, names: list[str]) -> list[str]:
    columns = {}
    for name in names:
        columns[name] = decided(what, RunTable.read(options.to / name, runs_of_claims(what)))
    command = f"python benchmarks/verdicts/arithmetic.py --seeds {options.seeds} --first-seed {options.first_seed}"
    command += (f" --claims {options.claims}" if options.claims else "") + f' --only "{",".join(names)}"'
    facts = {
        "seeds": f"{options.seeds} from {options.first_seed} on",
        "torch's own choice": torch.backends.cpu.get_cpu_capability(),
    }
    lines = [*header("The smoke study under other arithmetic", command, facts), *verdict_table(columns), ""]
    first, *others = columns
    for name in others:
        same, opened, otherwise = agreement(columns[first], columns[name])
        count, left = len(same) + len(opened) + len(otherwise), len(same) + len(otherwise)
        lines.append(f"- {name}: of {count} claims decided as it is, {left} stay decided ({left / max(count, 1):.0%}).")
    verdicts = {claim: {found[claim].verdict for found in columns.values()} for claim in columns[first]}
    both = [claim for claim, found in verdicts.items() if {"holds", "fails"} <= found]
    lines.append(f"- Claims that hold in one and fail in another: {', '.join(both) or 'none'}.")
    return [*lines, "", *effect_table(columns)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="of each run; the scale's own by default")
    parser.add_argument("--only", default=",".join(ARITHMETIC), help="some of them")
    parser.add_argument("--claims", default="", help="some of them, separated by commas; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time, for each arithmetic in turn")
    parser.add_argument("--to", type=Path, default=Path("runs/arithmetic"))
    parser.add_argument("--page", type=Path, default=Path("results/arithmetic.md"))
    parser.add_argument("--make", choices=list(ARITHMETIC), help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    what = planned(options)
    if options.make:
        make(what, options.to / options.make, ARITHMETIC[options.make][1], options.part, options.jobs)
        return
    names = options.only.split(",")
    for number, name in enumerate(names, 1):
        for process in [start(name, part) for part in range(options.jobs)]:
            if process.wait():
                sys.exit(f"a process that made runs with {name} failed: see above")
        write(options.page, page(options, what, names[:number]))


if __name__ == "__main__":
    main()
