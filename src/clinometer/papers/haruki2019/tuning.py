"""Tries rates and scales of each way to train, with seeds of pilots, on training images that are kept apart.

`python -m clinometer.papers.haruki2019.tuning --scale laptop` prints the table that `RATES` and `SCALES` come from.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from clinometer.analysis.accuracies import final_test_accuracy
from clinometer.papers.haruki2019.configs import ARMS, GNC, GNC_0, ISOTROPIC, SMALL, varied
from clinometer.papers.haruki2019.definition import SCALES as STUDY_SCALES
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig
from clinometer.training.run import run
from clinometer.training.run_folder import run_folder

RATES, SMALL_RATES = (0.1, 0.2, 0.4, 0.6), (0.01, 0.02, 0.05)
SCALES = {GNC: (0.1, 0.25), GNC_0: (0.5, 1.0), ISOTROPIC: (0.1,)}  # of noise that feeds back, below its edge


def accuracy(config: RunConfig, seeds: list[int]) -> float:
    """The mean accuracy over seeds at the end of a run, on the images kept apart; that of chance where it diverged."""
    with TemporaryDirectory() as folder:
        runs = [config.vary(part="tuning", geometry=False, seed=seed) for seed in seeds]
        for each in runs:
            run(each, run_folder(Path(folder), each))
        return float(final_test_accuracy(RunTable.read(Path(folder), runs), runs[0], seeds).mean())


def main() -> None:
    """Print the table of a scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="laptop", choices=STUDY_SCALES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    (base,) = STUDY_SCALES[given.scale].bases.values()
    for name in ARMS:
        for lr in SMALL_RATES if name == SMALL else RATES:
            for scale in SCALES.get(name, (0.0,)):
                found = accuracy(varied(base, name, lr, scale), given.seeds)
                print(f"{name}, lr {lr:g}, scale {scale:g}: {100 * found:.1f}%", flush=True)


if __name__ == "__main__":
    main()
