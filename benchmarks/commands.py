"""CPU seconds of the commands that train nothing: whole processes, user and system time, from start to exit.

    python benchmarks/commands.py [--repeats 7]

Each command runs once before it is measured, so that files are cached and bytecode is written. The median is of
`--repeats` runs. `status` reads a study of 81 small runs, `watch` one of its runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from clinometer import Store
from clinometer.training.run_folder import finish

RUNS, STEPS = 81, 150
COMMANDS = (("--help",), ("list",), ("status", "study"), ("watch", "--once", f"study/runs/{0:016x}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    print(f"Python {sys.version.split()[0]}, n = {repeats}\ncommand            CPU s: median (least to most)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_study(folder / "study")
        for words in (("-c", "pass"), *(("-m", "clinometer.cli", *command) for command in COMMANDS)):
            cpu_seconds(words, folder)
            found = sorted(cpu_seconds(words, folder) for _ in range(repeats))
            label = "python -c pass" if words[0] == "-c" else " ".join(words[2:4])
            print(f"{label:18s} {statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})")


def make_study(study: Path) -> None:
    """Finished runs with the rows of a landscape."""
    for seed in range(RUNS):
        folder = study / "runs" / f"{seed:016x}"
        store = Store(folder / "rows.sqlite")
        for step in range(0, STEPS, 10):
            loss = 2.3 / (1 + step)
            store.append(step, {"landscape": {"loss": loss, "beta": 3.0, "beta_lr_half": 0.3}, "train": {"loss": loss}})
        store.close()
        (folder / "config.json").write_text(json.dumps({"seed": seed, "steps": STEPS}))
        (folder / "environment.json").write_text("{}")
        finish(folder)


def cpu_seconds(words: tuple[str, ...], folder: Path) -> float:
    """User and system time of one process, whose output is thrown away."""
    process = subprocess.Popen([sys.executable, *words], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
